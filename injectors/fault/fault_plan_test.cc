#include "injectors/fault/fault_plan.h"

#include <vector>

#include "gtest/gtest.h"
#include "injectors/schedule/pct.h"
#include "injectors/schedule/random_walk.h"

namespace ordeal {
namespace {

ChoicePoint Allocation(uint16_t task, uint32_t object = 1) {
  return {.kind = ChoiceKind::kAllocation, .options = 2, .task = TaskId{task}, .object = ObjectId{object}};
}

TEST(FaultPlanTest, PassesScheduleChoicesThroughUnchanged) {
  RandomWalk alone(5), wrapped(5);
  FaultPlan plan(99, &wrapped);
  alone.BeginRun(3);
  plan.BeginRun(3);
  for (int i = 0; i < 1000; ++i) {
    if (i % 3 == 0) plan.Choose(Allocation(1));  // does not disturb the strategy's stream
    EXPECT_EQ(plan.Choose({.options = 5}), alone.Choose({.options = 5}));
  }
}

TEST(FaultPlanTest, WantsCandidatesWhenItsStrategyDoes) {
  RandomWalk walk(1);
  Pct pct(1, 3);
  EXPECT_FALSE(FaultPlan(1, &walk).WantsCandidates());
  EXPECT_TRUE(FaultPlan(1, &pct).WantsCandidates());
}

TEST(FaultPlanTest, RunIsAFunctionOfSeedAndRunNumber) {
  RandomWalk walk(1);
  FaultPlan a(7, &walk), b(7, &walk);
  for (uint64_t run = 0; run < 100; ++run) {
    std::vector<int> first, second;
    a.BeginRun(run);
    for (int i = 0; i < 50; ++i) first.push_back(a.Choose(Allocation(i % 4)));
    b.BeginRun(run);
    for (int i = 0; i < 50; ++i) second.push_back(b.Choose(Allocation(i % 4)));
    EXPECT_EQ(first, second);
  }
}

// With 25 % activated and 25 % firing, a site is silent in at least three runs of four, and busy in the others.
TEST(FaultPlanTest, ASiteIsActivatedInAQuarterOfTheRunsAndFiresInAQuarterOfTheVisitsThere) {
  RandomWalk walk(1);
  FaultPlan plan(1, &walk);
  int active_runs = 0;
  int fired = 0;
  const int runs = 4000;
  const int visits = 100;
  for (uint64_t run = 0; run < runs; ++run) {
    plan.BeginRun(run);
    int fired_here = 0;
    for (int i = 0; i < visits; ++i) fired_here += plan.Choose(Allocation(2));
    active_runs += fired_here > 0;
    fired += fired_here;
  }
  EXPECT_NEAR(active_runs, runs / 4, runs / 40);
  EXPECT_NEAR(static_cast<double>(fired) / (active_runs * visits), 0.25, 0.01);
}

TEST(FaultPlanTest, SitesAreActivatedIndependently) {
  RandomWalk walk(1);
  FaultPlan plan(1, &walk);
  plan.Set(ChoiceKind::kAllocation, {50, 100});
  int both = 0, first = 0, second = 0;
  const int runs = 4000;
  for (uint64_t run = 0; run < runs; ++run) {
    plan.BeginRun(run);
    const int a = plan.Choose(Allocation(1));
    const int b = plan.Choose(Allocation(2));
    first += a;
    second += b;
    both += a & b;
  }
  EXPECT_NEAR(first, runs / 2, 150);
  EXPECT_NEAR(second, runs / 2, 150);
  EXPECT_NEAR(both, runs / 4, 150);
}

TEST(FaultPlanTest, DelayDrawsEveryNonzeroOption) {
  RandomWalk walk(1);
  FaultPlan plan(1, &walk);
  plan.Set(ChoiceKind::kIoDelay, {100, 100});
  std::vector<int> count(5);
  for (int i = 0; i < 4000; ++i) ++count[plan.Choose({.kind = ChoiceKind::kIoDelay, .options = 5})];
  EXPECT_EQ(count[0], 0);
  for (int i = 1; i < 5; ++i) EXPECT_NEAR(count[i], 1000, 120);
}

TEST(FaultPlanTest, ZeroPercentNeverFires) {
  RandomWalk walk(1);
  FaultPlan plan(1, &walk);
  for (const FaultEntry& fault : Faults()) {
    plan.Set(fault.kind, {0, 100});
    for (uint64_t run = 0; run < 100; ++run) {
      plan.BeginRun(run);
      EXPECT_EQ(plan.Choose({.kind = fault.kind, .options = 2}), 0);
    }
  }
}

TEST(FaultPlanTest, FaultsAreFoundByName) {
  for (const FaultEntry& fault : Faults()) EXPECT_EQ(FindFault(fault.name), &fault);
  EXPECT_EQ(FindFault("alloc"), nullptr);
}

}  // namespace
}  // namespace ordeal
