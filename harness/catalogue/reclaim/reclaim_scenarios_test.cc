// Reclaim, eviction and write-back: each bug is found by the oracle that the catalogue names, its twin is silent.
#include "harness/catalogue/reclaim/reclaim_scenarios.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/catalogue/pairs_test_fixture.h"

namespace ordeal {
namespace {

void IsOrderedByTheValidator(const ScenarioEntry& entry, const std::string& bug, const std::string& signature) {
  const ScenarioSpec spec = SpecOf(entry, "", {bug});
  EXPECT_GT(SchedulesToFind(entry, spec, FindingKind::kLockOrder, signature), 0) << bug;
}

TEST(ReclaimTest, B79WritebackIsMarkedBeforeTheRangeLockIsTaken) {
  FindsBug(RangeLockWritebackScenario(), "", {"B79"}, FindingKind::kDeadlock,
           "acquire range lock > wait write-back of page");
  FindsNothing(RangeLockWritebackScenario(), "");
}

TEST(ReclaimTest, B84ReadaheadEntersTheFileSystem) {
  const ScenarioEntry entry = TransactionReclaimScenario();
  FindsBug(entry, "", {"B84"}, FindingKind::kDeadlock, "acquire page > acquire transaction");
  IsOrderedByTheValidator(entry, "B84", "fs_reclaim");
}

TEST(ReclaimTest, B90TransactionEntersTheFileSystem) {
  const ScenarioEntry entry = TransactionReclaimScenario();
  FindsBug(entry, "", {"B90"}, FindingKind::kDeadlock, "acquire transaction > acquire transaction");
  IsOrderedByTheValidator(entry, "B90", "fs_reclaim");
  FindsNothing(entry, "");
}

TEST(ReclaimTest, B85And86ReclaimWaitsForUnsentWriteback) {
  const ScenarioEntry entry = MemcgReclaimScenario();
  FindsBug(entry, "", {"B85"}, FindingKind::kDeadlock, "acquire page > wait write-back of page");
  FindsBug(entry, "", {"B86"}, FindingKind::kDeadlock, "acquire page > wait write-back of page");
  FindsNothing(entry, "");
}

TEST(ReclaimTest, B87WritebackWrapsInOnePass) {
  FindsBug(RangeCyclicScenario(), "", {"B87"}, FindingKind::kDeadlock, "acquire page > wait write-back of page");
  FindsNothing(RangeCyclicScenario(), "");
}

TEST(ReclaimTest, B88SyncChasesStores) {
  FindsBug(SyncLivelockScenario(), "", {"B88"}, FindingKind::kLivelock);
  FindsNothing(SyncLivelockScenario(), "");
}

TEST(ReclaimTest, B89LoopWorkerWaitsForItself) {
  FindsBug(LoopDeviceScenario(), "", {"B89"}, FindingKind::kDeadlock, "wait write-back of page");
  FindsNothing(LoopDeviceScenario(), "");
}

TEST(ReclaimTest, B91And93EvictionBesideWriteback) {
  const ScenarioEntry entry = EvictWritebackScenario();
  FindsBug(entry, "", {"B91"}, FindingKind::kInvariant, "S17");
  FindsBug(entry, "", {"B93"}, FindingKind::kDeadlock, "acquire capabilities > wait I_SYNC of inode");
  FindsNothing(entry, "");
}

TEST(ReclaimTest, B92EvictionWaitsForItsOwnList) {
  FindsBug(DisposeListScenario(), "", {"B92"}, FindingKind::kDeadlock, "wait I_FREEING of inode");
  FindsNothing(DisposeListScenario(), "");
}

TEST(ReclaimTest, B95SleepsPlugged) {
  FindsBug(UnpluggedSleepScenario(), "", {"B95"}, FindingKind::kDeadlock, "acquire extent map > acquire page");
  FindsNothing(UnpluggedSleepScenario(), "");
}

TEST(ReclaimTest, B97FreezeUnderMmapLock) {
  const ScenarioEntry entry = FreezeFaultScenario();
  FindsBug(entry, "", {"B97"}, FindingKind::kDeadlock, "acquire sb_writers");
  IsOrderedByTheValidator(entry, "B97", "sb_writers");
  FindsNothing(entry, "");
}

}  // namespace
}  // namespace ordeal
