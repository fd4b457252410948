// Fills against invalidation (catalogue 3A): what each historical protocol or switch lets through, and nothing without it.
#include "harness/catalogue/fill/fill_scenarios.h"

#include <gtest/gtest.h>

#include "harness/catalogue/pairs_test_fixture.h"

namespace ordeal {
namespace {

constexpr uint64_t kRareSchedules = 20'000;

TEST(FillTest, B03ReadsAreNotCoveredByTheMmapSemaphore) {
  FindsBug(PunchHoleVsReadScenario(), "ext4-immap", {}, FindingKind::kData, "data: exposure");
  FindsNothing(PunchHoleVsReadScenario(), "ext4");
  FindsNothing(PunchHoleVsFaultScenario(), "ext4-immap");  // faults are
}

TEST(FillTest, B04FadviseIsNotCoveredByTheLockOfReads) {
  FindsBug(PunchHoleVsFadviseScenario(), "ext4-immap", {}, FindingKind::kData, "data: ");
  FindsBug(PunchHoleVsFadviseScenario(), "xfs-4", {}, FindingKind::kData, "data: ");
  FindsNothing(PunchHoleVsReadScenario(), "xfs-4");  // reads hold the IOLOCK
  FindsNothing(PunchHoleVsFaultScenario(), "xfs-4");
  FindsNothing(PunchHoleVsFadviseScenario(), "ext4");
  FindsNothing(PunchHoleVsFadviseScenario(), "xfs");
}

TEST(FillTest, B05MkwriteAgainstPunch) {
  FindsBug(PunchHoleVsStoreScenario(), "ext4", {"B05"}, FindingKind::kInvariant);
  FindsBug(PunchHoleVsStoreScenario(), "xfs", {"B05"}, FindingKind::kInvariant);
  FindsNothing(PunchHoleVsStoreScenario(), "ext4");
  FindsNothing(PunchHoleVsStoreScenario(), "xfs");
}

TEST(FillTest, B07TheLookAtTheMappingSufficesForFaultAround) {
  FindsBug(FaultAroundVsPunchHoleScenario(), "vfs", {"B07"}, FindingKind::kInvariant, "invariant: S2", kRareSchedules);
  FindsBug(FaultAroundVsPunchHoleScenario(), "ext4-immap", {"B07"}, FindingKind::kInvariant, "invariant: S2",
           kRareSchedules);
  FindsNothing(FaultAroundVsPunchHoleScenario(), "vfs");
  FindsNothing(FaultAroundVsPunchHoleScenario(), "ext4");
  FindsNothing(FaultAroundVsPunchHoleScenario(), "ext4-immap");
}

TEST(FillTest, B08TruncateMustUnmapAgain) {
  for (const char* filesystem : {"vfs", "xfs", "ext4"}) {
    FindsBug(TruncateVsFaultScenario(), filesystem, {"B08"}, FindingKind::kInvariant, "invariant: S2");
    FindsNothing(TruncateVsFaultScenario(), filesystem);
  }
}

TEST(FillTest, Ext4IsAsTightAsTheVfs) {
  FindsBug(PunchHoleVsReadScenario(), "ext4", {"B01"}, FindingKind::kData, "data: exposure");
  FindsBug(PunchHoleVsFaultScenario(), "ext4", {"B02"}, FindingKind::kData, "data: exposure");
  FindsBug(PunchHoleVsFaultScenario(), "ext4-immap", {"B02"}, FindingKind::kData, "data: exposure");
  FindsBug(PunchHoleVsFaultScenario(), "ext4", {"B70"}, FindingKind::kDeadlock, "invalidate_lock");
  FindsNothing(PunchHoleVsFaultScenario(), "ext4");
  FindsNothing(TruncateVsStoreScenario(), "ext4");
}

}  // namespace
}  // namespace ordeal
