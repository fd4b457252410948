// Direct I/O (catalogue 3B): what is found, and what the twin is silent about.
#include "harness/catalogue/direct_io/direct_io_scenarios.h"

#include <gtest/gtest.h>

#include "harness/catalogue/pairs_test_fixture.h"

namespace ordeal {
namespace {

TEST(DirectIoTest, B17bAFailedWriteHasChangedTheDeviceAllTheSame) {
  for (const char* filesystem : {"vfs", "xfs"}) {
    FindsBug(DirectWriteFailsInPartScenario(), filesystem, {"B17b"}, FindingKind::kData, "data: incoherent");
    FindsNothing(DirectWriteFailsInPartScenario(), filesystem);
  }
}

TEST(DirectIoTest, B20DirectWritesOfPartsOfABlockExcludeOthers) {
  FindsBug(DirectWritesOfOneBlockScenario(), "xfs", {"B20"}, FindingKind::kData, "data: lost-write");
  FindsNothing(DirectWritesOfOneBlockScenario(), "xfs");
}

TEST(DirectIoTest, B21FallocateDrainsDirectWritesThatGrowTheFile) {
  FindsBug(AllocateVsExtendingWriteScenario(), "xfs", {"B21"}, FindingKind::kData, "data: short-read");
  FindsNothing(AllocateVsExtendingWriteScenario(), "xfs");
  FindsNothing(AllocateVsExtendingWriteScenario(), "vfs");
}

TEST(DirectIoTest, B22ACloneDrainsDirectWritesOfItsSource) {
  FindsBug(CloneVsDirectWriteScenario(), "xfs", {"B22"}, FindingKind::kData, "data: incoherent");
  FindsNothing(CloneVsDirectWriteScenario(), "xfs");
  FindsNothing(CloneVsDirectWriteScenario(), "vfs");
}

TEST(DirectIoTest, B25NfsKeepsBufferedAndDirectUsersApart) {
  FindsBug(DirectVsBufferedWriteScenario(), "nfs", {"B25"}, FindingKind::kData, "data: lost-write");
  for (const char* filesystem : {"nfs", "vfs", "xfs", "btrfs"}) FindsNothing(DirectVsBufferedWriteScenario(), filesystem);
}

// The promise ends where a mapping dirties the page; then the write must say so, as on any other file system.
TEST(DirectIoTest, NfsMayLoseADirectWriteToAStore) {
  FindsNothing(DirectWriteVsStoreScenario(), "nfs");
}

}  // namespace
}  // namespace ordeal
