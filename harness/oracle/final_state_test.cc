// What the file may hold in the end, in the cache and past it: each rule broken once and nearly broken once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/oracle/oracle_test_fixture.h"

namespace ordeal {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

FinalState Quiet(CellValue disk, CellValue cached, CellValue direct, CellValue dropped) {
  FinalState state;
  state.disk = {disk};
  state.cached = {cached};
  state.direct = {direct};
  state.dropped = {dropped};
  return state;
}

TEST(FinalStateTest, AcceptsAgreement) {
  Past past;
  past.Add(FileOperationKind::kDirectWrite, 0, 4, 1, 2);
  const CellValue now = Data(1, 0);
  past.history.final_states = {Quiet(now, now, now, now)};
  EXPECT_THAT(past.Signatures(), IsEmpty());
  past.history.final_states = {Quiet({}, now, now, now)};
  EXPECT_THAT(past.Signatures(), IsEmpty());
}

TEST(FinalStateTest, ACacheThatMissedADirectWriteIsIncoherent) {
  Past past;
  past.Add(FileOperationKind::kDirectWrite, 0, 4, 1, 2);
  const CellValue now = Data(1, 0);
  past.history.final_states = {Quiet(now, Initial(0), now, now)};
  EXPECT_THAT(past.Signatures(), ElementsAre("incoherent: final read vs direct-write"));
}

TEST(FinalStateTest, AWriteThatIsNowhereIsLost) {
  Past past;
  past.Add(FileOperationKind::kWrite, 0, 4, 1, 2);
  const CellValue old = Initial(0);
  past.history.final_states = {Quiet(old, old, old, old)};
  EXPECT_THAT(past.Signatures(), ElementsAre("lost-write: final read vs write"));
}

// What was only in the cache of a machine that has died may be lost; what it had synced, or another one had written, may not.
TEST(FinalStateTest, AWriteThatDiedWithItsMachineMayBeLostUnlessItWasSynced) {
  const CellValue old = Initial(0);
  const auto signatures = [&](bool synced, uint32_t writer, uint32_t dead, uint32_t lost_from) {
    Past past;
    past.Add(FileOperationKind::kWrite, 0, 4, 1, 2).task = writer;
    if (synced) past.Add(FileOperationKind::kFsync, 0, 0, 3, 4).task = writer;
    past.history.losses = {{.file = 0, .first_cell = lost_from, .end_cell = 8, .sequence = 5, .tasks = uint64_t{1} << dead}};
    past.history.final_states = {Quiet(old, old, old, old)};
    return past.Signatures();
  };
  EXPECT_THAT(signatures(false, 1, 1, 0), IsEmpty());
  EXPECT_THAT(signatures(true, 1, 1, 0), ElementsAre("lost-write: final read vs write"));
  EXPECT_THAT(signatures(false, 1, 2, 0), ElementsAre("lost-write: final read vs write")) << "a survivor wrote it";
  EXPECT_THAT(signatures(false, 1, 1, 4), ElementsAre("lost-write: final read vs write")) << "that page was clean";
}

// Lost means as it was before, not anything.
TEST(FinalStateTest, WhatDiedWithItsMachineLeavesNothingForeign) {
  Past past;
  past.Add(FileOperationKind::kWrite, 0, 4, 1, 2).task = 1;
  past.history.losses = {{.file = 0, .first_cell = 0, .end_cell = 8, .sequence = 5, .tasks = 2}};
  past.history.final_states = {Quiet(Poison(), Poison(), Poison(), Poison())};
  EXPECT_THAT(past.Signatures(), ElementsAre("exposure: final read"));
}

TEST(FinalStateTest, AWriteThatVanishesWithTheCacheIsLost) {
  Past past;
  past.Add(FileOperationKind::kWrite, 0, 4, 1, 2);
  past.history.final_states = {Quiet({}, Data(1, 0), Data(1, 0), Initial(0))};
  EXPECT_THAT(past.Signatures(), ElementsAre("lost-write: final read after dropping caches vs write"));
}

TEST(FinalStateTest, DisagreementBetweenTwoLegalValuesIsIncoherentUnlessReported) {
  Past past;
  past.Add(FileOperationKind::kDirectWrite, 0, 4, 1, 3);
  past.Add(FileOperationKind::kStore, 0, 1, 2, 4);
  past.history.final_states = {Quiet(Data(1, 0), Data(2, 0), Data(1, 0), Data(1, 0))};
  EXPECT_THAT(past.Signatures(), ElementsAre("incoherent: final read"));
  past.history.errors.push_back({.file = 0, .first_cell = 0, .end_cell = 4, .sequence = 5});
  EXPECT_THAT(past.Signatures(), IsEmpty());
}

TEST(FinalStateTest, FindsASizeThatNoOperationGave) {
  Past past;
  FinalState state;
  state.size_known = true;
  state.size_cells = 8;
  past.history.final_states = {state};
  EXPECT_THAT(past.Signatures(), IsEmpty());
  past.history.final_states[0].size_cells = 7;
  EXPECT_THAT(past.Signatures(), ElementsAre("short-read: final read"));
  past.history.final_states[0].size_cells = 9;
  EXPECT_THAT(past.Signatures(), ElementsAre("beyond-end: final read"));
}

}  // namespace
}  // namespace ordeal
