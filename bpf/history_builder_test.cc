// From stamped memory to what the oracle is told.
#include "bpf/history_builder.h"

#include <cerrno>
#include <cstring>

#include "bpf/cell_stamp.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ordeal::bpf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Kind = FileOperationKind;

TEST(CellStampTest, NamesWhatWroteAWord) {
  const StampCode code(17);
  for (const CellStamp wanted : {CellStamp{0, 0, 0}, CellStamp{31, 1048575, 32767}, CellStamp{3, 77, 5}}) {
    CellStamp stamp;
    ASSERT_TRUE(code.Parse(code.Word(wanted), &stamp));
    EXPECT_EQ(stamp.file, wanted.file);
    EXPECT_EQ(stamp.operation, wanted.operation);
    EXPECT_EQ(stamp.index, wanted.index);
  }
}

TEST(CellStampTest, RefusesZeroBlankAndAnotherRoundsWords) {
  const StampCode code(17);
  CellStamp stamp;
  EXPECT_FALSE(code.Parse(0, &stamp));
  EXPECT_FALSE(code.Parse(kBlankWord, &stamp));
  EXPECT_FALSE(code.Parse(StampCode(18).Word({.file = 1, .operation = 2, .index = 3}), &stamp));
  const uint64_t word = code.Word({.file = 1, .operation = 2, .index = 3});
  for (int bit = 0; bit < 64; ++bit) EXPECT_FALSE(code.Parse(word ^ (uint64_t{1} << bit), &stamp)) << bit;
}

TEST(CellStampTest, TellsTheDifferentWordsOfACell) {
  alignas(uint64_t) unsigned char cell[kCellBytes];
  Fill(cell, 5);
  EXPECT_EQ(WordsOf(cell).count, 1u);
  const uint64_t other = 6;
  std::memcpy(cell + 512, &other, sizeof(other));
  const CellWords words = WordsOf(cell);
  ASSERT_EQ(words.count, 2u);
  EXPECT_EQ(words.words[0], 5u);
  EXPECT_EQ(words.words[1], 6u);
}

class HistoryBuilderTest : public ::testing::Test {
 protected:
  static constexpr uint64_t kSalt = 3;

  // Each operation in a task of its own: ids 1, 2, ...
  void Make(const std::vector<FileOperation>& operations) {
    workload_ = {.files = {{"a", 16}, {"b", 16}}, .tasks = {}, .processes = {}};
    for (const FileOperation& operation : operations) {
      workload_.tasks.push_back({operation});
      workload_.processes.push_back(0);
    }
    log_ = *OperationLog::Make(workload_);
  }
  void Begin(uint32_t id) { log_->Begin(id - 1, id); }
  void End(uint32_t id, int64_t cells = 0, int error = 0) {
    log_->End(id, {.error = error, .bytes = cells * static_cast<int64_t>(kCellBytes)});
  }
  void Saw(uint32_t id, uint32_t cell, std::vector<uint64_t> values) {
    CellWords words;
    for (const uint64_t value : values) words.Add(value);
    log_->Observe(id, cell, words);
  }
  static uint64_t Word(uint32_t file, uint32_t operation, uint32_t index) {
    return StampCode(kSalt).Word({.file = file, .operation = operation, .index = index});
  }
  History Build(const std::string& file_system = "xfs") {
    HistoryBuilder builder(workload_, *log_, StampCode(kSalt), file_system, PromisesOf(file_system));
    return builder.Build();
  }

  Workload workload_;
  std::unique_ptr<OperationLog> log_;
};

TEST_F(HistoryBuilderTest, ARealCallBecomesAnEvent) {
  Make({{.kind = Kind::kWrite, .file = 1, .offset_cells = 2, .length_cells = 2},
        {.kind = Kind::kRead, .file = 1, .offset_cells = 1, .length_cells = 3}});
  Begin(1);
  End(1, 2);
  Begin(2);
  Saw(2, 0, {Word(1, 0, 1)});
  Saw(2, 1, {Word(1, 1, 0)});
  Saw(2, 2, {0});
  End(2, 3);
  const History history = Build();
  ASSERT_THAT(history.events, SizeIs(2));
  EXPECT_EQ(history.events[0].completed_cells, 2u);
  EXPECT_LT(history.events[0].end, history.events[1].start);
  const CellValue initial = {CellKind::kInitial, 1, 1, 0};
  const CellValue data = {CellKind::kData, 1, 2, 1};
  EXPECT_THAT(history.events[1].observed, ElementsAre(initial, data, CellValue{.kind = CellKind::kZero}));
}

// With injected faults such a round is not judged: an operation could not write what was in the cache. That one got no memory for
// itself tells of no loss.
TEST_F(HistoryBuilderTest, AFailedWriteBackTellsOfLossAndAFailedCallDoesNot) {
  const auto told = [&](Kind kind, int error) {
    Make({{.kind = kind, .file = 0, .length_cells = 4}});
    Begin(1);
    End(1, 0, error);
    HistoryBuilder builder(workload_, *log_, StampCode(kSalt), "xfs", PromisesOf("xfs"));
    builder.Build();
    return builder.told_of_loss();
  };
  EXPECT_TRUE(told(Kind::kFsync, EIO));
  EXPECT_TRUE(told(Kind::kFsync, ENOMEM));
  EXPECT_TRUE(told(Kind::kDirectRead, ENOMEM));
  EXPECT_TRUE(told(Kind::kTruncate, EROFS));
  EXPECT_FALSE(told(Kind::kFsync, 0));
  EXPECT_FALSE(told(Kind::kWrite, ENOMEM));
  EXPECT_FALSE(told(Kind::kTruncate, ENOMEM));
}

TEST_F(HistoryBuilderTest, SeveralWordsAreAMixtureAndGarbageIsTorn) {
  Make({{.kind = Kind::kStore, .file = 0, .length_cells = 1}, {.kind = Kind::kLoad, .file = 0, .length_cells = 2}});
  Begin(1);
  Begin(2);
  Saw(2, 0, {Word(0, 1, 0), Word(0, 0, 0)});
  Saw(2, 1, {12345});
  End(2, 2);
  End(1, 1);
  const History history = Build();
  ASSERT_THAT(history.events[1].observed, SizeIs(2));
  EXPECT_EQ(history.events[1].observed[0].kind, CellKind::kMixture);
  EXPECT_THAT(history.mixtures, SizeIs(1));
  EXPECT_THAT(history.mixtures[0], SizeIs(2));
  EXPECT_EQ(history.events[1].observed[1].kind, CellKind::kTorn);
}

TEST_F(HistoryBuilderTest, AnAppendIsWhereItCameToLie) {
  Make({{.kind = Kind::kAppend, .file = 0, .length_cells = 1},
        {.kind = Kind::kRead, .file = 0, .offset_cells = 20, .length_cells = 1}});
  Begin(1);
  log_->SetOffset(1, 20 * kCellBytes);
  End(1, 1);
  Begin(2);
  Saw(2, 0, {Word(0, 1, 0)});
  End(2, 1);
  const History history = Build();
  EXPECT_EQ(history.events[0].operation.offset_cells, 20u);
  const CellValue data = {CellKind::kData, 0, 20, 1};
  EXPECT_THAT(history.events[1].observed, ElementsAre(data));
}

TEST_F(HistoryBuilderTest, AnAppendThatFailedMayHaveWrittenAnywhere) {
  Make({{.kind = Kind::kDirectAppend, .file = 0, .length_cells = 4}});
  Begin(1);
  log_->SetOffset(1, 0);  // the position that it was left at
  End(1, 0, EFAULT);
  EXPECT_TRUE(Build().events[0].place_unknown);
}

TEST_F(HistoryBuilderTest, WhatIsNotSupportedDidNotHappen) {
  Make({{.kind = Kind::kCollapseRange, .file = 0, .length_cells = 4}, {.kind = Kind::kPunchHole, .file = 0, .length_cells = 4}});
  Begin(1);
  End(1, 0, EOPNOTSUPP);
  Begin(2);
  End(2, 0, EIO);
  const History history = Build();
  ASSERT_THAT(history.events, SizeIs(1));
  EXPECT_EQ(history.events[0].error, EIO);
}

TEST_F(HistoryBuilderTest, ExcusesADirectWriteIntoAPageThatWasDirtiedMeanwhile) {
  Make({{.kind = Kind::kDirectWrite, .file = 0, .offset_cells = 0, .length_cells = 8},
        {.kind = Kind::kStore, .file = 0, .offset_cells = 5, .length_cells = 1}});
  Begin(1);
  Begin(2);
  End(2, 1);
  End(1, 8);
  const History together = Build();
  ASSERT_THAT(together.errors, SizeIs(1));
  EXPECT_EQ(together.errors[0].first_cell, 4u);
  EXPECT_EQ(together.errors[0].end_cell, 8u);
  EXPECT_EQ(together.errors[0].sequence, together.events[0].end);
}

TEST_F(HistoryBuilderTest, ExcusesNothingOneAfterTheOther) {
  Make({{.kind = Kind::kDirectWrite, .file = 0, .offset_cells = 0, .length_cells = 8},
        {.kind = Kind::kStore, .file = 0, .offset_cells = 5, .length_cells = 1}});
  Begin(1);
  End(1, 8);
  Begin(2);
  End(2, 1);
  EXPECT_THAT(Build().errors, IsEmpty());
}

TEST_F(HistoryBuilderTest, BufferedAndDirectWritesAreExcusedOnlyWhereNoLockKeepsThemApart) {
  Make({{.kind = Kind::kDirectWrite, .file = 0, .offset_cells = 0, .length_cells = 4},
        {.kind = Kind::kWrite, .file = 0, .offset_cells = 0, .length_cells = 1}});
  Begin(1);
  Begin(2);
  End(2, 1);
  End(1, 4);
  EXPECT_THAT(Build("xfs").errors, IsEmpty());
  EXPECT_THAT(Build("gfs2").errors, SizeIs(1));
}

TEST_F(HistoryBuilderTest, EntriesOfADirectoryAreUnknown) {
  Make({{.kind = Kind::kReaddir, .file = 0, .length_cells = 1, .buffer_file = 1},
        {.kind = Kind::kLoad, .file = 1, .length_cells = 1}});
  Begin(1);
  End(1, 1);
  Begin(2);
  Saw(2, 0, {12345, Word(1, 0, 0)});
  End(2, 1);
  const History history = Build();
  EXPECT_EQ(history.events[0].completed_cells, 0u) << "what it overwrote is not known";
  ASSERT_THAT(history.mixtures, SizeIs(1));
  EXPECT_THAT(history.mixtures[0], SizeIs(1));
}

TEST_F(HistoryBuilderTest, PrintsWhatWasSeen) {
  Make({{.kind = Kind::kRead, .file = 0, .length_cells = 1}});
  Begin(1);
  Saw(1, 0, {Word(0, 0, 0)});
  End(1, 1);
  const std::string text = FormatHistory(Build());
  EXPECT_THAT(text, HasSubstr("operation 1 of task 0: read file 0 cells [0, 1)"));
  EXPECT_THAT(text, HasSubstr("saw cell 0: initial data of file 0 cell 0"));
}

TEST(OperationLogTest, RefusesWhatAStampCannotName) {
  Workload workload{.files = {{"a", kStampIndexMax + 1}}, .tasks = {}, .processes = {}};
  EXPECT_EQ(OperationLog::Make(workload).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(PromisesTest, DependOnTheFileSystem) {
  EXPECT_TRUE(PromisesOf("xfs").atomic_calls);
  EXPECT_TRUE(PromisesOf("xfs").zeroes_tail);
  EXPECT_FALSE(PromisesOf("ext4").atomic_calls);
  EXPECT_TRUE(PromisesOf("ext4").whole_writes);
  EXPECT_FALSE(PromisesOf("gfs2").whole_writes);
}

}  // namespace
}  // namespace ordeal::bpf
