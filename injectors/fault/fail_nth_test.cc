#include "injectors/fault/fail_nth.h"

#include <gtest/gtest.h>

#include <set>
#include <utility>
#include <vector>

#include "harness/choice/recording.h"
#include "injectors/schedule/random_walk.h"

namespace ordeal {
namespace {

// A program with fault points that depend on each other: after a failed allocation there is no I/O.
std::vector<int> Program(ChoiceSource& source, uint64_t run) {
  ChoiceRecorder choices;
  choices.Begin(&source);
  source.BeginRun(run);
  std::vector<int> answers;
  const auto ask = [&](ChoiceKind kind, int options) {
    answers.push_back(choices.Choose({.kind = kind, .options = options}));
    return answers.back();
  };
  ask(ChoiceKind::kSchedule, 3);
  if (ask(ChoiceKind::kAllocation, 2) == 0) {
    ask(ChoiceKind::kIoDelay, 4);
    ask(ChoiceKind::kIoError, 2);
  }
  source.EndRun(10);
  return answers;
}

TEST(FailNthTest, EveryPointFailsOnceInEachWay) {
  QuietSource quiet;
  FailNth source(&quiet, {});
  std::set<std::vector<int>> runs;
  for (uint64_t run = 0; !source.exhausted(); ++run) EXPECT_TRUE(runs.insert(Program(source, run)).second);
  const std::set<std::vector<int>> expected = {{0, 1}, {0, 0, 1, 0}, {0, 0, 2, 0}, {0, 0, 3, 0}, {0, 0, 0, 1}, {0, 0, 0, 0}};
  EXPECT_EQ(runs, expected);
  EXPECT_TRUE(source.coverage().complete);
  EXPECT_EQ(source.coverage().points_max, 3u);
  EXPECT_EQ(source.coverage().ToString(),
            "every fault point of 1 schedule has failed once: 6 runs, 3 points (allocation 1, io-error 1, io-delay 1), "
            "at most 3 in one schedule");
}

TEST(FailNthTest, TheScheduleIsTheSameUntilItsPointsAreDone) {
  RandomWalk walk(7);
  FailNth source(&walk, {.schedules = 20});
  std::vector<int> schedules;  // of each run
  for (uint64_t run = 0; !source.exhausted(); ++run) schedules.push_back(Program(source, run)[0]);
  ASSERT_EQ(schedules.size(), 20u * 6u);
  std::set<int> seen;
  for (size_t i = 0; i < schedules.size(); ++i) {
    EXPECT_EQ(schedules[i], schedules[i - i % 6]);
    seen.insert(schedules[i]);
  }
  EXPECT_EQ(seen.size(), 3u);
}

// A request that may fail and then be torn; a fault point after it.
std::vector<int> TearingProgram(ChoiceSource& source, uint64_t run) {
  ChoiceRecorder choices;
  choices.Begin(&source);
  source.BeginRun(run);
  std::vector<int> answers;
  const auto ask = [&](ChoiceKind kind, int options) {
    answers.push_back(choices.Choose({.kind = kind, .options = options}));
    return answers.back();
  };
  if (ask(ChoiceKind::kIoError, 2) == 1) ask(ChoiceKind::kIoTorn, 3);
  ask(ChoiceKind::kAllocation, 2);
  source.EndRun(10);
  return answers;
}

TEST(FailNthTest, AFailingWriteIsTornInEachWayToo) {
  QuietSource quiet;
  FailNth source(&quiet, {});
  std::set<std::vector<int>> runs;
  for (uint64_t run = 0; !source.exhausted(); ++run) EXPECT_TRUE(runs.insert(TearingProgram(source, run)).second);
  const std::set<std::vector<int>> expected = {{1, 0, 0}, {1, 1, 0}, {1, 2, 0}, {0, 1}, {0, 0}};
  EXPECT_EQ(runs, expected);
  EXPECT_EQ(source.coverage().failed.at(ChoiceKind::kIoTorn), 1u);
  EXPECT_EQ(source.coverage().points_max, 2u);
}

TEST(FailNthTest, AnEarlyEndIsNotComplete) {
  QuietSource quiet;
  FailNth source(&quiet, {.schedules = 2});
  for (uint64_t run = 0; run < 7; ++run) Program(source, run);
  EXPECT_FALSE(source.exhausted());
  EXPECT_FALSE(source.coverage().complete);
  EXPECT_EQ(source.coverage().schedules, 1u);
  EXPECT_EQ(source.coverage().ToString().rfind("not complete: so far every fault point of 1 schedule", 0), 0u);
}

}  // namespace
}  // namespace ordeal
