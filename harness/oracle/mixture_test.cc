// Cells of real memory: words of two writers in one cell. Each rule has a history that breaks it and one that nearly does.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/oracle/oracle_test_fixture.h"

namespace ordeal {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

CellValue Mix(Past* past, std::vector<CellValue> parts, uint32_t hash = 1) {
  past->history.mixtures.push_back(std::move(parts));
  return {.kind = CellKind::kMixture, .cell = hash, .operation = static_cast<uint32_t>(past->history.mixtures.size() - 1)};
}

TEST(MixtureTest, AcceptsTheWordsOfTwoWritersThatOverlap) {
  Past past;
  past.Add(FileOperationKind::kStore, 0, 1, 1, 6);
  past.Add(FileOperationKind::kStore, 0, 1, 2, 5);
  past.Read(0, 7, 8, {Mix(&past, {Data(1, 0), Data(2, 0)})});
  EXPECT_THAT(past.Signatures(), IsEmpty());
}

TEST(MixtureTest, FindsAWordThatACompletedWriteReplaced) {
  Past past;
  past.Add(FileOperationKind::kStore, 0, 1, 1, 2);
  past.Add(FileOperationKind::kStore, 0, 1, 3, 4);
  past.Read(0, 7, 8, {Mix(&past, {Data(2, 0), Data(1, 0)})});
  EXPECT_THAT(past.Signatures(), ElementsAre("stale: read vs store"));
}

TEST(MixtureTest, FindsGarbageBesideGoodWords) {
  Past past;
  past.Add(FileOperationKind::kStore, 0, 1, 1, 2);
  past.Read(0, 7, 8, {Mix(&past, {Data(1, 0), {.kind = CellKind::kTorn}})});
  EXPECT_THAT(past.Signatures(), ElementsAre("torn: read"));
}

TEST(MixtureTest, FindsHalfABufferedWriteWhereCallsAreAtomic) {
  Past past;
  past.Add(FileOperationKind::kWrite, 0, 1, 1, 9);
  past.Read(0, 2, 3, {Mix(&past, {Data(1, 0), Initial(0)})});
  EXPECT_THAT(past.Signatures(), IsEmpty());
  past.history.promises.atomic_calls = true;
  EXPECT_THAT(past.Signatures(), ElementsAre("split-call: read vs write"));
}

TEST(MixtureTest, FindsTwoBufferedWritesInOneCellAtTheEnd) {
  Past past;
  past.Add(FileOperationKind::kWrite, 0, 1, 1, 5);
  past.Add(FileOperationKind::kWrite, 0, 1, 2, 6);
  FinalState state;
  state.cached = {Mix(&past, {Data(1, 0), Data(2, 0)})};
  past.history.final_states.push_back(state);
  EXPECT_THAT(past.Signatures(), ElementsAre("split-call: final read vs write", "split-call: final read vs write"));
  past.history.promises.whole_writes = false;
  EXPECT_THAT(past.Signatures(), IsEmpty());
}

TEST(MixtureTest, TheCacheAndTheDeviceMustMixAlike) {
  Past past;
  past.Add(FileOperationKind::kStore, 0, 1, 1, 5);
  past.Add(FileOperationKind::kStore, 0, 1, 2, 6);
  FinalState state;
  state.cached = {Mix(&past, {Data(1, 0), Data(2, 0)}, 7)};
  state.dropped = {Mix(&past, {Data(1, 0), Data(2, 0)}, 7)};
  past.history.final_states.push_back(state);
  EXPECT_THAT(past.Signatures(), IsEmpty());
  past.history.final_states[0].dropped = {Mix(&past, {Data(2, 0), Data(1, 0)}, 8)};
  EXPECT_THAT(past.Signatures(), ElementsAre("incoherent: final read"));
}

// A real write carries copies_values too; only data out of a mapping has labels of its own.
TEST(MixtureTest, AWriteOfStampedMemoryIsJudgedAsACall) {
  Past past;
  past.history.promises.atomic_calls = true;
  past.Add(FileOperationKind::kWrite, 0, 2, 1, 9).copies_values = true;
  past.Read(0, 2, 3, {Data(1, 0), Initial(1)});
  EXPECT_THAT(past.Signatures(), ElementsAre("split-call: read vs write"));
}

// btrfs zeroes what does not match its checksum, as when somebody stores into the buffer meanwhile, and says EIO.
TEST(MixtureTest, AFailedDirectReadMayLeaveAnythingInAMapping) {
  Past past;
  OperationEvent& read = past.Add(FileOperationKind::kDirectRead, 0, 4, 1, 4);
  read.operation.file = 1;
  read.operation.buffer_file = 0;
  read.copies_values = true;
  past.Read(0, 5, 6, {Zero()});
  EXPECT_THAT(past.Signatures(), ElementsAre("unwritten-zero: read"));
  past.history.events[0].error = 5;
  past.history.events[0].completed_cells = 0;
  EXPECT_THAT(past.Signatures(), IsEmpty());
}

TEST(MixtureTest, AnAppendThatFailedMayHaveWrittenAnywhereSinceItBegan) {
  Past past;
  past.Read(3, 1, 2, {Data(9, 7, 1)});
  OperationEvent& append = past.Add(FileOperationKind::kDirectAppend, 0, 4, 3, 6);
  append.error = 14;
  past.Read(3, 7, 8, {Data(9, 7, 1)});
  EXPECT_THAT(past.Signatures(), ElementsAre("foreign: read", "foreign: read"));
  past.history.events[1].place_unknown = true;
  EXPECT_THAT(past.Signatures(), ElementsAre("foreign: read")) << "the one before it";
}

}  // namespace
}  // namespace ordeal
