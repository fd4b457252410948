// The two-state lock, faults_disabled_mapping and SIX locks (B42 to B45, B73, B74, B76): each switch is found, by what the
// catalogue names, and its twin is silent. The protocol as merged has holes that nobody has to switch on.
#include "harness/catalogue/bcachefs/bcachefs_scenarios.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "harness/catalogue/basics/basics_scenarios.h"
#include "harness/catalogue/pairs_test_fixture.h"

namespace ordeal {
namespace {

constexpr char kRepaired[] = "bcachefs-repaired";
constexpr char kMerged[] = "bcachefs";
constexpr char kProposed[] = "bcachefs-proposed";
// D waits for M, M for F, F for D.
constexpr char kBehindMmapWriter[] =
    "deadlock: acquire mmap_lock of mm > acquire mmap_lock of mm > acquire pagecache_lock of inode";
constexpr char kTwoMappings[] = "deadlock: acquire pagecache_lock of inode > acquire pagecache_lock of inode";

TEST(BcachefsScenariosTest, B42RingOfDirectWrites) {
  const ScenarioEntry entry = DirectWriteRingScenario();
  for (const char* filesystem : {kRepaired, kMerged, kProposed}) {
    FindsBug(entry, filesystem, {"B42"}, FindingKind::kDeadlock,
             "deadlock: acquire pagecache_lock of inode > acquire pagecache_lock of inode > acquire pagecache_lock");
  }
  FindsNothing(entry, kRepaired);
}

TEST(BcachefsScenariosTest, B42bRemapBlocksBoth) {
  const ScenarioEntry entry = RemapVsReadIntoMappingScenario();
  FindsBug(entry, kRepaired, {"B42b"}, FindingKind::kDeadlock, kTwoMappings);
  FindsBug(entry, kMerged, {}, FindingKind::kDeadlock, kTwoMappings);
  FindsNothing(entry, kRepaired);
}

TEST(BcachefsScenariosTest, B43OwnMapping) {
  const ScenarioEntry entry = DirectWriteOwnMappingScenario();
  for (const char* filesystem : {kRepaired, kMerged, kProposed}) {
    FindsBug(entry, filesystem, {"B43"}, FindingKind::kDeadlock, "deadlock: acquire pagecache_lock of inode");
  }
  FindsNothing(entry, kRepaired);
}

// The worst number of retries of the one write that must let go, in many schedules.
uint32_t RetriesMax(const ScenarioEntry& entry, std::vector<std::string> bugs) {
  Runner runner(entry, SpecOf(entry, kRepaired, std::move(bugs)));
  RandomWalk source(3);
  uint32_t retries = 0;
  for (uint64_t run = 0; run < kSilentSchedules; ++run) {
    const RunResult result = runner.Run(source, run);
    EXPECT_EQ(result.end.kind, RunEndKind::kCompleted) << run;
    retries = std::max(retries, runner.sim().scheduler().retries().of(RetryReason::kFaultsDropped).max);
  }
  return retries;
}

// Several retries, but never more than the six writes of the others: starvation, no livelock. Who faults the page in when it
// has waited needs none.
TEST(BcachefsScenariosTest, B44EachRetryNeedsAnotherWriteToComplete) {
  const uint32_t retries = RetriesMax(DirectWriteRetriesScenario(), {"B74b"});
  EXPECT_GE(retries, 3u);
  EXPECT_LE(retries, 6u);
  EXPECT_EQ(RetriesMax(DirectWriteRetriesScenario(), {}), 0u);
}

TEST(BcachefsScenariosTest, B45DroppedFlagIgnored) {
  const ScenarioEntry entry = DirectWriteLosesBlockScenario();
  for (const char* filesystem : {kRepaired, kMerged}) FindsBug(entry, filesystem, {"B45"}, FindingKind::kData, "data: ");
  FindsNothing(entry, kRepaired);
}

TEST(BcachefsScenariosTest, B73ReadaheadHoldsItsFolios) {
  const ScenarioEntry entry = ReadaheadVsFallocateScenario();
  FindsBug(entry, kRepaired, {"B73"}, FindingKind::kDeadlock, "deadlock: acquire folio > acquire pagecache_lock of inode");
  FindsBug(entry, kMerged, {}, FindingKind::kDeadlock, "deadlock: acquire folio > acquire pagecache_lock of inode");
  FindsNothing(entry, kRepaired);
}

TEST(BcachefsScenariosTest, B74AddAwaitedUnderMmapLock) {
  const ScenarioEntry entry = BlockThenMmapLockScenario();
  FindsBug(entry, kRepaired, {"B74"}, FindingKind::kDeadlock, kBehindMmapWriter);
  FindsBug(entry, kMerged, {}, FindingKind::kDeadlock, kBehindMmapWriter);
  FindsNothing(entry, kRepaired);
}

TEST(BcachefsScenariosTest, B74bBlockAwaitedUnderMmapLock) {
  const ScenarioEntry entry = FaultRetakesBlockScenario();
  FindsBug(entry, kRepaired, {"B74b"}, FindingKind::kDeadlock, kBehindMmapWriter);
  FindsBug(entry, kMerged, {}, FindingKind::kDeadlock, kBehindMmapWriter);
  FindsNothing(entry, kRepaired);
}

TEST(BcachefsScenariosTest, B76Starvation) {
  FindsBug(TwoStateStarvationScenario(), "", {"B76"}, FindingKind::kStarvation, "starvation: ");
  FindsNothing(TwoStateStarvationScenario(), "");
}

TEST(BcachefsScenariosTest, B76bFairnessMakesNestedAddsWait) {
  const ScenarioEntry entry = NestedAddVsDirectWriteScenario();
  FindsBug(entry, kRepaired, {"B76b"}, FindingKind::kDeadlock, "acquire pagecache turnstile of inode");
  FindsNothing(entry, kRepaired);
}

// All operations at once, without and with every fault.
TEST(BcachefsScenariosTest, TheRepairedProtocolSurvivesTheMix) {
  const ScenarioEntry entry = OperationsMixScenario();
  FindsNothing(entry, kRepaired);
  ScenarioSpec spec = SpecOf(entry, kRepaired);
  spec.faults = FaultSet::All();
  Runner runner(entry, spec);
  RandomWalk source(2);
  for (uint64_t run = 0; run < kSilentSchedules; ++run) {
    const RunResult result = runner.Run(source, run);
    ASSERT_TRUE(result.findings.empty()) << "schedule " << run << "\n" << result.findings[0].details;
  }
}

TEST(BcachefsScenariosTest, SixLocks) {
  const ScenarioEntry entry = SixLockBtreeScenario();
  FindsBug(entry, "", {"six-relock-ignores-sequence"}, FindingKind::kInvariant, "a lookup finds the value");
  FindsBug(entry, "", {"six-intent-order"}, FindingKind::kDeadlock, "deadlock: acquire leaf > acquire root");
  FindsNothing(entry, "");
}

}  // namespace
}  // namespace ordeal
