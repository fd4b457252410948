// A clean protocol survives everything: mixes of all operations, random schedules, tiny memory, reclaim, faults.
// Judged: deadlock, livelock, lock order, structural invariants after each operation and at the end, every cell seen.
#include "gtest/gtest.h"
#include "harness/filesystems/trial.h"

namespace ordeal {
namespace {

class MixTest : public ::testing::TestWithParam<const char*> {};

TEST_P(MixTest, NothingIsFoundInAnyMix) {
  for (uint64_t mix = 0; mix < 200; ++mix) {
    Trial trial(GetParam());
    trial.files = {8, 6};
    trial.options.memory_folios = 4 + 4 * (mix % 2);
    trial.options.kswapd = mix % 3 == 0;
    trial.options.fault_around = mix % 4 == 0;
    trial.options.steal = mix % 5 == 0 ? StealRule::kLegal : StealRule::kNever;
    if (mix % 2 == 1) trial.options.faults = {ChoiceKind::kAllocation, ChoiceKind::kIoError, ChoiceKind::kIoDelay};
    if (mix % 4 == 1) trial.options.faults.Add(FaultSet::All());
    trial.DrawTasks(mix, mix % 7 == 0 ? 5 : 3, 3);
    const TrialVerdict verdict = trial.Run(50, mix);
    ASSERT_EQ(verdict.finding, "") << "mix " << mix << ", schedule " << verdict.first << "\n" << verdict.details;
  }
}

TEST_P(MixTest, ARunIsAFunctionOfItsChoices) {
  for (uint64_t mix = 0; mix < 20; ++mix) {
    uint64_t hashes[2];
    for (uint64_t& hash : hashes) {
      Trial trial(GetParam());
      trial.options.memory_folios = 6;
      trial.DrawTasks(mix, 3, 3);
      RandomChoices source(mix);
      trial.RunOnce(source, 0, nullptr);
      trial.RunOnce(source, 7, nullptr);
      hash = trial.trace_hash();
    }
    EXPECT_EQ(hashes[0], hashes[1]) << "mix " << mix;
  }
}

INSTANTIATE_TEST_SUITE_P(CleanFileSystems, MixTest, ::testing::Values("vfs", "xfs", "btrfs", "nfs"));

// Only the holes that the protocol is known for: pages that appear in a punched range and what follows from them.
TEST(Vfs2020Test, OnlyItsInherentHolesAreFound) {
  int found = 0;
  for (uint64_t mix = 0; mix < 200; ++mix) {
    Trial trial("vfs-2020");
    trial.files = {8, 6};
    trial.DrawTasks(mix, 3, 3);
    bool punches = false;
    for (const TrialTask& task : trial.tasks) {
      for (const Op& op : task.ops) punches |= op.kind == OpKind::kPunchHole;
    }
    const TrialVerdict verdict = trial.Run(50, mix);
    if (verdict.finding.empty()) continue;
    ++found;
    EXPECT_TRUE(punches) << "mix " << mix << ": " << verdict.finding << "\n" << verdict.details;
    EXPECT_NE(verdict.finding, "deadlock") << "mix " << mix << "\n" << verdict.details;
    EXPECT_NE(verdict.finding, "lock-order") << "mix " << mix << "\n" << verdict.details;
  }
  EXPECT_GT(found, 0);
}

}  // namespace
}  // namespace ordeal
