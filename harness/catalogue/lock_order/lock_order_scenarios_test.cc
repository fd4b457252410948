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

}  // namespace
}  // namespace ordeal
