// Fills against invalidation (catalogue 3A): what each historical protocol or switch lets through, and nothing without it.
#include "harness/catalogue/fill/fill_scenarios.h"

#include <gtest/gtest.h>

#include "harness/catalogue/pairs_test_fixture.h"
#include "harness/scenario/workload_executor.h"

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

// B10 (i_size is sampled before the page is known to be up to date) has no switch: whatever such a read returns, a read that
// samples late may return too, because it copies without the folio lock, and a truncate zeroes the partial page before it cuts the
// file.
TEST(FillTest, B10ARightReadMayReturnZerosFromBehindTheNewEndAsWell) {
  Simulation sim;
  const ScenarioSpec spec = SpecOf(PunchHoleVsReadScenario(), "vfs");
  WorkloadExecutor executor(sim, spec, {});
  const Workload workload{
      .files = {{"a", 8}},
      .tasks = {{{.kind = FileOperationKind::kRead, .offset_cells = 4, .length_cells = 4}},
                {{.kind = FileOperationKind::kTruncate, .offset_cells = 5}}},
      .processes = {0, 0}};
  RandomWalk source(3);
  int zeros = 0;
  for (uint64_t run = 0; run < kSilentSchedules && zeros == 0; ++run) {
    source.BeginRun(run);
    ChoiceRecorder choices;
    choices.Begin(&source);
    sim.BeginRun(&choices);
    executor.Begin(workload);
    ASSERT_EQ(sim.scheduler().Run().kind, RunEndKind::kCompleted);
    for (const OperationEvent& event : executor.history().events) {
      if (event.operation.kind != FileOperationKind::kRead) continue;
      zeros += event.observed.size() == 4 && event.observed[2].kind == CellKind::kZero;
    }
    sim.EndRun();
    executor.End();
  }
  EXPECT_GT(zeros, 0);
}

TEST(FillTest, B11WhatWasStoredBehindTheEndIsZeroedWhenTheFileGrows) {
  for (const char* filesystem : {"vfs", "xfs", "ext4"}) {
    FindsBug(GrowOverStoresScenario(), filesystem, {"B11"}, FindingKind::kData, "data: exposure");
    FindsNothing(GrowOverStoresScenario(), filesystem);
  }
}

TEST(FillTest, B12TheMappingOfAWriteIsLookedAtAgainUnderTheFolioLock) {
  FindsBug(StaleWriteMappingScenario(), "xfs", {"B12"}, FindingKind::kData, "data: lost-write");
  for (const char* filesystem : {"xfs", "vfs", "ext4"}) FindsNothing(StaleWriteMappingScenario(), filesystem);
}

TEST(FillTest, B13ReservationsAreGivenBackUnderTheFillLock) {
  FindsBug(ShortWriteOverHoleScenario(), "xfs", {"B13"}, FindingKind::kInvariant, "invariant: S4");
  for (const char* filesystem : {"xfs", "vfs", "ext4"}) FindsNothing(ShortWriteOverHoleScenario(), filesystem);
}

TEST(FillTest, B13bUnshareHoldsTheFillLockAlready) {
  FindsBug(UnshareFailsScenario(), "xfs", {"B13b"}, FindingKind::kDeadlock, "invalidate_lock");
  FindsNothing(UnshareFailsScenario(), "xfs");
}

TEST(FillTest, B13cPagesLeaveTheCacheBetweenTwoLooks) {
  FindsBug(ShortWriteOverHoleScenario(), "xfs", {"B13c"}, FindingKind::kInvariant, "invariant: S6");
}

TEST(FillTest, B94AFailedReadUnlocksItsFolio) {
  for (const char* filesystem : {"vfs", "xfs", "ext4"}) {
    FindsBug(ReadsOfFailingDeviceScenario(), filesystem, {"B94"}, FindingKind::kDeadlock);
    FindsNothing(ReadsOfFailingDeviceScenario(), filesystem);
  }
}

TEST(FillTest, B99AFailedReadIsNotTriedForEver) {
  for (const char* filesystem : {"vfs", "xfs", "ext4"}) {
    FindsBug(ReadsOfFailingDeviceScenario(), filesystem, {"B99"}, FindingKind::kLivelock);
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
