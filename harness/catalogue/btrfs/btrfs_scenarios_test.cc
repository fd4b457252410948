// btrfs: each bug is found by the oracle that the catalogue names, nothing at all is without it, and the lock order is the
// README's.
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "harness/catalogue/basics/basics_scenarios.h"
#include "harness/catalogue/btrfs/btrfs_scenarios.h"
#include "harness/catalogue/catalogue.h"
#include "harness/catalogue/direct_io/direct_io_scenarios.h"
#include "harness/catalogue/pairs_test_fixture.h"
#include "harness/filesystems/lock_orders_for_test.h"
#include "harness/pagecache/lock_order.h"

namespace ordeal {
namespace {

TEST(BtrfsTest, B24ADirectWriteKeepsItsRangeUntilItIsDone) {
  FindsBug(DirectWriteVsReadScenario(), "btrfs", {"B24"}, FindingKind::kData, "data: ");
  FindsNothing(DirectWriteVsReadScenario(), "btrfs");
}

TEST(BtrfsTest, B34AFaultUnderTheRangeLockWaitsForItself) {
  FindsBug(BtrfsDirectIoOwnMappingScenario(), "btrfs", {"B34"}, FindingKind::kDeadlock, "acquire range lock of inode");
  FindsBug(BtrfsDirectIoOwnMappingScenario(), "btrfs", {"B34"}, FindingKind::kDeadlock, "wait ordered extent of inode");
  FindsNothing(BtrfsDirectIoOwnMappingScenario(), "btrfs");
}

TEST(BtrfsTest, B39AnAppendKeepsItsPlace) {
  FindsBug(BtrfsDirectAppendScenario(), "btrfs", {"B39"}, FindingKind::kData, "data: ");
  FindsNothing(BtrfsDirectAppendScenario(), "btrfs");
}

TEST(BtrfsTest, B39bAnAppendReleasesTheInodeLockOnce) {
  FindsBug(BtrfsDirectAppendScenario(), "btrfs", {"B39b"}, FindingKind::kLockUsage, "bad-unlock: i_rwsem");
}

TEST(BtrfsTest, NothingIsFoundInTheMixes) {
  FindsNothing(BtrfsMixScenario(), "btrfs");
  FindsNothing(OperationsMixScenario(), "btrfs");
}

// In the mix of its operations.
TEST(BtrfsTest, KeepsTheLockOrderOfItsReadme) {
  LockOrders orders;
  const ScenarioEntry entry = BtrfsMixScenario();
  Runner runner(entry, SpecOf(entry, "btrfs"));
  RandomWalk source(5);
  for (uint64_t run = 0; run < 300; ++run) {
    const RunResult result = runner.Run(source, run);
    ASSERT_TRUE(result.findings.empty()) << "run " << run << ": " << result.findings[0].signature;
    AddOrders(runner.sim().validator(), &orders);
  }
  ExpectOrder(orders, "i_rwsem", "mmap_lock");
  ExpectOrder(orders, "i_rwsem", "btrfs_i_mmap_lock");
  ExpectOrder(orders, "mmap_lock", "btrfs_i_mmap_lock");
  ExpectOrder(orders, "btrfs_i_mmap_lock", "folio_lock");
  ExpectOrder(orders, "folio_lock", "btrfs_ordered_extent");
  ExpectOrder(orders, "folio_lock", "btrfs_range_lock");
  ExpectOrder(orders, "btrfs_ordered_extent", "btrfs_range_lock");
  ExpectOrder(orders, "btrfs_range_lock", "em_tree");
  ExpectOrder(orders, "btrfs_range_lock", "block_io");
  ExpectOrder(orders, "folio_lock", "i_pages");
  for (const auto& v : pagecache::CheckLockOrder(runner.sim().validator(), MakeFileSystem("btrfs")->lock_order())) {
    ADD_FAILURE() << v.message << " at " << v.site.ToString();
  }
}

}  // namespace
}  // namespace ordeal
