// XFS and DAX: what is found, by which oracle, and what each twin is silent about.
#include "harness/catalogue/xfs/xfs_scenarios.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/catalogue/pairs_test_fixture.h"

namespace ordeal {
namespace {

using ::testing::ElementsAre;

TEST(XfsTest, B72TheLogWaitsForAnInodeThatARenameHolds) {
  FindsBug(LogSpaceScenario(), "xfs", {"B72"}, FindingKind::kDeadlock, "log space");
  FindsNothing(LogSpaceScenario(), "xfs");
}

// The classes have a cycle in every schedule; no schedule deadlocks, since an inode that is evicted has no other users.
TEST(DaxTest, B81EvictionTakesTheInodeLock) {
  std::set<FindingKind> kinds;
  const ScenarioEntry entry = DaxEvictReaddirScenario();
  EXPECT_EQ(SchedulesToFind(entry, SpecOf(entry, "xfs-dax-proposed"), FindingKind::kLockOrder, "fs_reclaim", &kinds), 1);
  EXPECT_THAT(kinds, ElementsAre(FindingKind::kLockOrder));
  FindsNothing(entry, "xfs-dax");
}

TEST(DaxTest, B82EvictionWaitsForAPin) {
  FindsBug(DaxEvictPinScenario(), "xfs-dax", {"B82"}, FindingKind::kDeadlock, "wait pins of inode");
  FindsBug(DaxEvictPinScenario(), "xfs-dax-proposed", {"B82"}, FindingKind::kDeadlock, "wait pins of inode");
  FindsNothing(DaxEvictPinScenario(), "xfs-dax");
  FindsNothing(DaxEvictPinScenario(), "xfs-dax-proposed");
}

TEST(DaxTest, B83EvictionWaitsForALease) {
  FindsBug(DaxEvictLeaseScenario(), "xfs-dax-proposed", {}, FindingKind::kDeadlock, "wait lease of inode");
  FindsNothing(DaxEvictLeaseScenario(), "xfs-dax");
}

TEST(DaxTest, B69ThePairLockSpinsWhileThePinLasts) {
  FindsBug(DaxPairLockScenario(), "xfs-dax", {"B69"}, FindingKind::kLivelock);
  FindsNothing(DaxPairLockScenario(), "xfs-dax");
}

TEST(DaxTest, B77EntryLocks) {
  const ScenarioEntry entry = DaxEntryLockScenario();
  FindsBug(entry, "", {"B77"}, FindingKind::kDeadlock, "acquire DAX entry");
  FindsBug(entry, "", {"B77b"}, FindingKind::kDeadlock, "acquire DAX entry");
  FindsBug(entry, "", {"B77c"}, FindingKind::kDeadlock, "acquire DAX entry > acquire DAX entry");
  FindsBug(entry, "", {"B77d"}, FindingKind::kDeadlock, "acquire extent lock");
  FindsNothing(entry, "");
}

}  // namespace
}  // namespace ordeal
