#include "injectors/schedule/pct.h"

#include <map>
#include <vector>

#include "gtest/gtest.h"

namespace ordeal {
namespace {

// A toy scheduler: task i has steps[i] independent steps, all tasks are always enabled. Returns who ran, step by step.
// Option 0 is the task that ran last, as in the real scheduler.
std::vector<int> RunToy(Pct& source, uint64_t run, std::vector<int> steps) {
  source.BeginRun(run);
  std::vector<int> order;
  int last = -1;
  for (;;) {
    std::vector<Candidate> enabled;
    if (last >= 0 && steps[last] > 0) enabled.push_back({TaskId{static_cast<uint16_t>(last)}, {}});
    for (size_t i = 0; i < steps.size(); ++i) {
      if (steps[i] > 0 && static_cast<int>(i) != last) enabled.push_back({TaskId{static_cast<uint16_t>(i)}, {}});
    }
    if (enabled.empty()) break;
    int pick = 0;
    if (enabled.size() > 1) {
      pick = source.Choose({.options = static_cast<int>(enabled.size()), .candidates = enabled});
    }
    last = Index(enabled[pick].task);
    --steps[last];
    order.push_back(last);
  }
  source.EndRun(order.size());
  return order;
}

int SwitchesFromUnfinished(const std::vector<int>& order, std::vector<int> steps) {
  int switches = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    if (i > 0 && order[i] != order[i - 1] && steps[order[i - 1]] > 0) ++switches;
    --steps[order[i]];
  }
  return switches;
}

TEST(PctTest, RunIsAFunctionOfSeedAndRunNumberOnceTheLengthIsKnown) {
  Pct a(5, 3), b(5, 3);
  RunToy(a, 0, {10, 10, 10});
  RunToy(b, 0, {10, 10, 10});
  for (uint64_t run = 1; run < 50; ++run) EXPECT_EQ(RunToy(a, run, {10, 10, 10}), RunToy(b, run, {10, 10, 10}));
}

TEST(PctTest, LearnsTheNumberOfDecisions) {
  Pct source(1, 2);
  EXPECT_EQ(source.decisions_max(), 1u);
  RunToy(source, 0, {10, 10});
  const uint64_t learned = source.decisions_max();
  EXPECT_GE(learned, 10u);  // both enabled until one has ended
  EXPECT_LE(learned, 20u);
  RunToy(source, 1, {1, 1});
  EXPECT_EQ(source.decisions_max(), learned);
}

TEST(PctTest, DepthOneNeverPreempts) {
  Pct source(9, 1);
  for (uint64_t run = 0; run < 200; ++run) {
    EXPECT_EQ(SwitchesFromUnfinished(RunToy(source, run, {20, 20, 20}), {20, 20, 20}), 0);
  }
}

TEST(PctTest, DepthThreePreemptsAtMostTwice) {
  Pct source(9, 3);
  std::map<int, int> histogram;
  for (uint64_t run = 0; run < 500; ++run) {
    ++histogram[SwitchesFromUnfinished(RunToy(source, run, {20, 20, 20}), {20, 20, 20})];
  }
  for (const auto& [switches, runs] : histogram) EXPECT_LE(switches, 2) << runs;
  EXPECT_GT(histogram[2], 100);
}

TEST(PctTest, InitialPrioritiesAreUniformPermutations) {
  Pct source(11, 1);
  std::map<std::vector<int>, int> orders;
  for (uint64_t run = 0; run < 6000; ++run) ++orders[RunToy(source, run, {1, 1, 1})];
  ASSERT_EQ(orders.size(), 6u);
  for (const auto& [order, runs] : orders) EXPECT_NEAR(runs, 1000, 130);
}

// The guarantee for depth 2: "task 0 is preempted exactly between its steps 7 and 8, and task 1 runs whole in between" has
// probability at least 1/(n k) = 1/40 for n = 2 tasks of 10 steps. The random walk has about 2^-11.
TEST(PctTest, KeepsItsGuaranteeOnADepthTwoBug) {
  Pct source(13, 2);
  int hits = 0;
  const int runs = 4000;
  for (uint64_t run = 0; run < runs; ++run) {
    const std::vector<int> order = RunToy(source, run, {10, 10});
    std::vector<int> wanted(7, 0);
    wanted.insert(wanted.end(), 10, 1);
    wanted.insert(wanted.end(), 3, 0);
    hits += order == wanted;
  }
  EXPECT_GE(hits, runs / 40 * 8 / 10);
}

// A task that spins until another one acts must be demoted, and below the tasks that change points hold back.
TEST(PctTest, SpinningTaskIsDemotedBelowChangePointValues) {
  for (uint64_t run = 0; run < 100; ++run) {
    Pct source(run, 3);
    int spins = 0;
    bool released = false;
    const std::vector<Candidate> both = {{TaskId{0}, {}}, {TaskId{1}, {}}};
    while (!released) {
      released = source.Choose({.options = 2, .candidates = both}) == 1;
      ASSERT_LE(++spins, 2 * kPctFairnessSteps);
    }
  }
}

TEST(PctTest, OtherChoicesAreUniform) {
  Pct source(1, 3);
  int ones = 0;
  for (int i = 0; i < 10'000; ++i) ones += source.Choose({.kind = ChoiceKind::kOperand, .options = 2});
  EXPECT_NEAR(ones, 5000, 200);
}

TEST(PctDeathTest, RefusesADepthOutOfRange) {
  EXPECT_DEATH(Pct(1, 0), "PCT depth 0");
  EXPECT_DEATH(Pct(1, kPctDepthMax + 1), "PCT depth 17");
}

}  // namespace
}  // namespace ordeal
