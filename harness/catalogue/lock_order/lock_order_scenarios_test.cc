// Lock order between instances (catalogue 3E): what is found, by which oracle, and what each twin is silent about.
#include "harness/catalogue/lock_order/lock_order_scenarios.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/catalogue/pairs_test_fixture.h"

namespace ordeal {
namespace {

using ::testing::ElementsAre;

TEST(LockOrderTest, B66PagesInArgumentOrder) {
  FindsBug(DedupePageOrderScenario(), "", {"B66"}, FindingKind::kDeadlock, "acquire page > acquire page");
  FindsNothing(DedupePageOrderScenario(), "");
}

// With both inodes locked two dedupes exclude each other, but the flusher takes no inode lock.
TEST(LockOrderTest, B66NeedsNoSecondDedupe) {
  FindsBug(DedupePageOrderUnderInodeLocksScenario(), "", {"B66"}, FindingKind::kDeadlock, "acquire page > acquire page");
  FindsNothing(DedupePageOrderUnderInodeLocksScenario(), "");
}

TEST(LockOrderTest, B66bIsRealOnlyWithoutInodeLocks) {
  FindsBug(DedupePageOrderScenario(), "", {"B66b"}, FindingKind::kDeadlock, "acquire page > acquire page");
  FindsNothing(DedupePageOrderUnderInodeLocksScenario(), "", {"B66b"});
}

TEST(LockOrderTest, B68OnlyTheWaitForGraphSeesIt) {
  const ScenarioEntry entry = SubclassHidesOrderScenario();
  std::set<FindingKind> kinds;
  EXPECT_GT(SchedulesToFind(entry, SpecOf(entry, "", {"B68"}), FindingKind::kDeadlock, "acquire i_rwsem", &kinds), 0);
  EXPECT_THAT(kinds, ElementsAre(FindingKind::kDeadlock));  // the graph of classes is silent in every schedule
  FindsNothing(entry, "");
}

TEST(LockOrderTest, B71StackedRead) {
  FindsBug(StackedReadScenario(), "", {"B71"}, FindingKind::kDeadlock, "acquire i_rwsem of lower inode");
  FindsNothing(StackedReadScenario(), "");
}

TEST(LockOrderTest, B78TruncOpen) {
  FindsBug(TruncOpenScenario(), "", {"B78"}, FindingKind::kDeadlock, "wait writes allowed");
  FindsBug(TruncOpenScenario(), "", {"B78"}, FindingKind::kLockOrder, "fuse_writes_allowed");
  FindsNothing(TruncOpenScenario(), "");
}

TEST(LockOrderTest, B75PageLockStarvation) {
  FindsBug(PageLockStarvationScenario(), "", {"B75"}, FindingKind::kStarvation, "starvation: ");
  FindsNothing(PageLockStarvationScenario(), "");
}

// The grade and its reason, of the first cycle in some schedule; the tasks block in none.
lockdep::Violation FirstCycle(const ScenarioSpec& spec, bool* deadlock) {
  lockdep::Violation cycle;
  Runner::Options options;
  options.validator.grade_online = true;
  Runner runner(GateLockScenario(), spec, options);
  RandomWalk source(3);
  for (uint64_t run = 0; run < kSilentSchedules; ++run) {
    const RunResult result = runner.Run(source, run);
    *deadlock |= result.end.kind == RunEndKind::kDeadlock;
    if (cycle.grade_reason.empty() && !result.violations.empty()) cycle = result.violations[0];
  }
  return cycle;
}

TEST(LockOrderTest, B80ACycleBehindAGateIsGradedSoAndItsTwinIsReal) {
  const ScenarioEntry entry = GateLockScenario();
  FindsBug(entry, "", {"B80"}, FindingKind::kLockOrder, "directory > file");
  bool blocks = false;
  const lockdep::Violation excluded = FirstCycle(SpecOf(entry, "", {"B80"}), &blocks);
  EXPECT_FALSE(blocks);
  EXPECT_EQ(excluded.grade, lockdep::Grade::kOrder);
  EXPECT_THAT(excluded.grade_reason, ::testing::HasSubstr("gate"));
  FindsBug(entry, "", {"gate-forgotten"}, FindingKind::kDeadlock, "deadlock: ");
  const lockdep::Violation real = FirstCycle(SpecOf(entry, "", {"gate-forgotten"}), &blocks);
  EXPECT_TRUE(blocks);
  EXPECT_NE(real.grade, lockdep::Grade::kOrder) << real.grade_reason;
  FindsNothing(entry, "");
}

}  // namespace
}  // namespace ordeal
