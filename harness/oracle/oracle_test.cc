// Each rule has a history that breaks it and one that nearly does.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "harness/choice/prng.h"
#include "harness/oracle/judge.h"

namespace ordeal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

CellValue Zero() { return {.kind = CellKind::kZero}; }
CellValue Initial(uint32_t cell, uint32_t file = 0) { return {CellKind::kInitial, file, cell, 0}; }
CellValue Data(uint32_t operation, uint32_t cell, uint32_t file = 0) {
  return {CellKind::kData, file, cell, operation};
}
CellValue Poison() { return {.kind = CellKind::kFreedPoison}; }

// One file of two pages. Events are added with their id as they come.
class Past {
 public:
  Past() { history.initial_cells = {8, 8}; }

  OperationEvent& Add(FileOperationKind kind, uint32_t offset, uint32_t length, uint64_t start, uint64_t end) {
    OperationEvent event;
    event.id = static_cast<uint32_t>(history.events.size()) + 1;
    event.task = event.id;
    event.operation.kind = kind;
    event.operation.offset_cells = offset;
    event.operation.length_cells = length;
    event.start = start;
    event.end = end;
    event.completed_cells = length;
    history.events.push_back(event);
    return history.events.back();
  }
  OperationEvent& Read(uint32_t offset, uint64_t start, uint64_t end, std::vector<CellValue> values,
                       FileOperationKind kind = FileOperationKind::kRead) {
    OperationEvent& event = Add(kind, offset, static_cast<uint32_t>(values.size()), start, end);
    event.observed = std::move(values);
    return event;
  }
  std::vector<std::string> Signatures() const {
    std::vector<std::string> signatures;
    for (const DataViolation& violation : Judge(history)) signatures.push_back(violation.signature);
    return signatures;
  }

  History history;
};

TEST(JudgeTest, FindsDataThatACompletedWriteReplaced) {
  Past past;
  past.Add(FileOperationKind::kWrite, 0, 2, 1, 2);
  past.Read(0, 3, 4, {Data(1, 0), Initial(1), Initial(2)});
  EXPECT_THAT(past.Signatures(), ElementsAre("stale: read vs write"));
  const DataViolation violation = Judge(past.history).at(0);
  EXPECT_EQ(violation.kind, DataViolationKind::kStale);
  EXPECT_EQ(violation.cell, 1u);
  EXPECT_EQ(violation.reader_event, 1);
  EXPECT_EQ(violation.other_event, 0);
}

TEST(JudgeTest, AcceptsEitherValueWhileTheWriteRuns) {
  Past past;
  past.Add(FileOperationKind::kWrite, 0, 2, 1, 4);
  past.Read(0, 3, 5, {Data(1, 0), Initial(1)});
  EXPECT_THAT(past.Signatures(), IsEmpty());
}

TEST(JudgeTest, FindsDataThatACompletedPunchRemoved) {
  Past past;
  past.Add(FileOperationKind::kPunchHole, 0, 4, 1, 2);
  past.Read(0, 3, 4, {Zero(), Initial(1), Initial(2), Zero()});
  EXPECT_THAT(past.Signatures(), ElementsAre("not-zero: read vs punch-hole"));
  EXPECT_EQ(Judge(past.history).at(0).cells, 2u);
}

TEST(JudgeTest, AcceptsOldDataInAReadThatBeganBeforeThePunchEnded) {
  Past past;
  past.Add(FileOperationKind::kPunchHole, 0, 4, 1, 3);
  past.Read(0, 2, 9, {Zero(), Initial(1), Zero(), Zero()});
  EXPECT_THAT(past.Signatures(), IsEmpty());
}

TEST(JudgeTest, FindsPoisonEvenWhileOperationsOverlap) {
  Past past;
  past.Add(FileOperationKind::kPunchHole, 0, 4, 1, 4);
  past.Read(0, 2, 3, {Poison()}, FileOperationKind::kLoad);
  EXPECT_THAT(past.Signatures(), ElementsAre("exposure: load vs punch-hole"));
}

TEST(JudgeTest, FindsOtherFilesDataAndMovedCells) {
  Past past;
  past.Read(0, 1, 2, {Initial(0, 1)});
  past.Read(0, 3, 4, {Initial(5)});
  past.Read(0, 5, 6, {Data(77, 0)});
  EXPECT_THAT(past.Signatures(), ElementsAre("foreign: read", "foreign: read", "foreign: read"));
}

TEST(JudgeTest, FindsZerosThatNobodyWrote) {
  Past past;
  past.Read(0, 1, 2, {Zero()});
  EXPECT_THAT(past.Signatures(), ElementsAre("unwritten-zero: read"));
}

TEST(JudgeTest, FindsTornCells) {
  Past past;
  past.Add(FileOperationKind::kWrite, 0, 1, 1, 4);
  past.Read(0, 2, 3, {CellValue{.kind = CellKind::kTorn}});
  EXPECT_THAT(past.Signatures(), ElementsAre("torn: read"));
}

TEST(JudgeTest, FindsDataFromTheFuture) {
  Past past;
  past.Read(0, 1, 2, {Data(2, 0)});
  past.Add(FileOperationKind::kWrite, 0, 1, 3, 4);
  EXPECT_THAT(past.Signatures(), ElementsAre("foreign: read"));
}

TEST(JudgeTest, AWriteThatFailedMayOrMayNotBeSeen) {
  for (const CellValue& value : {Data(1, 0), Initial(0)}) {
    Past past;
    past.Add(FileOperationKind::kWrite, 0, 1, 1, 2).error = 5;
    past.Read(0, 3, 4, {value});
    EXPECT_THAT(past.Signatures(), IsEmpty());
  }
}

TEST(JudgeTest, AShortBufferedWriteLeavesTheRestAlone) {
  Past past;
  past.Add(FileOperationKind::kWrite, 0, 2, 1, 2).completed_cells = 1;
  past.Read(1, 3, 4, {Data(1, 1)});
  EXPECT_THAT(past.Signatures(), ElementsAre("foreign: read"));
  past.history.events[1].observed[0] = Initial(1);
  EXPECT_THAT(past.Signatures(), IsEmpty());
}

TEST(JudgeTest, AShortDirectWriteMayHaveReachedTheDevice) {
  for (const CellValue& value : {Data(1, 4), Initial(4)}) {
    Past past;
    past.Add(FileOperationKind::kDirectWrite, 0, 8, 1, 2).completed_cells = 4;
    past.Read(4, 3, 4, {value});
    EXPECT_THAT(past.Signatures(), IsEmpty());
  }
}

TEST(JudgeTest, ADirectWriteReplacesCachedDataUnlessAnErrorWasReported) {
  Past past;
  past.Add(FileOperationKind::kDirectWrite, 0, 4, 1, 2);
  past.Read(0, 5, 6, {Initial(0)});
  EXPECT_THAT(past.Signatures(), ElementsAre("stale: read vs direct-write"));
  past.history.errors.push_back({.file = 0, .first_cell = 0, .end_cell = 4, .sequence = 3});
  EXPECT_THAT(past.Signatures(), IsEmpty());
}

TEST(JudgeTest, AnErrorReportedBeforeTheWriteExcusesNothing) {
  Past past;
  past.history.errors.push_back({.file = 0, .first_cell = 0, .end_cell = 4, .sequence = 1});
  past.Add(FileOperationKind::kDirectWrite, 0, 4, 2, 3);
  past.Read(0, 5, 6, {Initial(0)});
  EXPECT_THAT(past.Signatures(), ElementsAre("stale: read vs direct-write"));
}

TEST(JudgeTest, TruncatedCellsAreZeroWhenTheFileGrowsAgain) {
  Past past;
  past.Add(FileOperationKind::kTruncate, 2, 0, 1, 2);
  past.Add(FileOperationKind::kTruncate, 8, 0, 3, 4);
  past.Read(1, 5, 6, {Initial(1), Zero(), Zero()});
  EXPECT_THAT(past.Signatures(), IsEmpty());
  past.history.events[2].observed[2] = Initial(3);
  EXPECT_THAT(past.Signatures(), ElementsAre("not-zero: read vs truncate"));
}

TEST(JudgeTest, FindsAReadThatStopsInsideTheFile) {
  Past past;
  OperationEvent& read = past.Read(0, 1, 2, {Initial(0)});
  read.operation.length_cells = 4;
  EXPECT_THAT(past.Signatures(), ElementsAre("short-read: read"));
  past.history.promises.short_transfers = true;
  EXPECT_THAT(past.Signatures(), IsEmpty());
}

TEST(JudgeTest, AReadMayStopWhereATruncateUnderWayCuts) {
  Past past;
  past.Add(FileOperationKind::kTruncate, 1, 0, 2, 9);
  OperationEvent& read = past.Read(0, 1, 3, {Initial(0)});
  read.operation.length_cells = 4;
  EXPECT_THAT(past.Signatures(), IsEmpty());
}

TEST(JudgeTest, FindsAReadBeyondTheEnd) {
  Past past;
  past.Read(8, 1, 2, {Zero()});
  EXPECT_THAT(past.Signatures(), ElementsAre("beyond-end: read"));
  past.Add(FileOperationKind::kWrite, 8, 1, 1, 4);  // it may grow the file in time
  past.history.events[1].start = 1;
  EXPECT_THAT(past.Signatures(), IsEmpty());
}

TEST(JudgeTest, SplitCallsCountOnlyWhereCallsAreAtomic) {
  Past past;
  past.Add(FileOperationKind::kWrite, 0, 4, 1, 4);
  past.Read(0, 2, 3, {Data(1, 0), Data(1, 1), Initial(2), Initial(3)});
  EXPECT_THAT(past.Signatures(), IsEmpty());
  past.history.promises.atomic_calls = true;
  EXPECT_THAT(past.Signatures(), ElementsAre("split-call: read vs write"));
}

TEST(JudgeTest, AStoreBesidesAnAtomicCallIsNoSplit) {
  Past past;
  past.history.promises.atomic_calls = true;
  past.Add(FileOperationKind::kWrite, 0, 4, 1, 4);
  past.Add(FileOperationKind::kStore, 2, 1, 2, 3);
  past.Read(0, 2, 9, {Data(1, 0), Data(1, 1), Data(2, 2), Data(1, 3)});
  EXPECT_THAT(past.Signatures(), IsEmpty());
}

TEST(JudgeTest, TwoBufferedWritesNeverInterleaveInTheEnd) {
  Past past;
  past.Add(FileOperationKind::kWrite, 0, 2, 1, 4);
  past.Add(FileOperationKind::kWrite, 0, 2, 2, 5);
  FinalState state;
  state.cached = {Data(1, 0), Data(2, 1), Initial(2), Initial(3), Initial(4), Initial(5), Initial(6), Initial(7)};
  past.history.final_states.push_back(state);
  EXPECT_FALSE(past.Signatures().empty());
  EXPECT_EQ(past.Signatures().at(0), "split-call: final read vs write");
  past.history.final_states[0].cached[0] = Data(2, 0);
  EXPECT_THAT(past.Signatures(), IsEmpty());
}

TEST(JudgeTest, FindsANewerValueSeenBeforeAnOlderOne) {
  Past past;
  past.Add(FileOperationKind::kWrite, 0, 1, 1, 9);
  past.Read(0, 2, 3, {Data(1, 0)});
  past.Read(0, 4, 5, {Initial(0)});
  EXPECT_THAT(past.Signatures(), ElementsAre("inversion: read vs write"));
  std::swap(past.history.events[1].observed, past.history.events[2].observed);
  EXPECT_THAT(past.Signatures(), IsEmpty());
}

TEST(JudgeTest, DirectWritesMayBeSeenInAnyOrderWhileTheyRun) {
  Past past;
  past.Add(FileOperationKind::kDirectWrite, 0, 4, 1, 9);
  past.Read(0, 2, 3, {Data(1, 0)});
  past.Read(0, 4, 5, {Initial(0)});
  EXPECT_THAT(past.Signatures(), IsEmpty());
}

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

TEST(CopyTest, AWriteFromAMappingCarriesWhatTheMappingHeld) {
  Past past;
  OperationEvent& write = past.Add(FileOperationKind::kWrite, 0, 1, 1, 2);
  write.operation.buffer_file = 1;
  write.operation.buffer_offset_cells = 4;
  write.copies_values = true;
  past.Read(0, 3, 4, {Initial(4, 1)});
  EXPECT_THAT(past.Signatures(), IsEmpty());
  past.history.events[1].observed = {Initial(5, 1)};
  EXPECT_THAT(past.Signatures(), ElementsAre("foreign: read"));
  past.history.events[1].observed = {Initial(0)};
  EXPECT_THAT(past.Signatures(), ElementsAre("stale: read vs write"));
}

TEST(CopyTest, AReadIntoAMappingChangesTheBuffersFile) {
  Past past;
  OperationEvent& read = past.Read(0, 1, 2, {Initial(0)});
  read.operation.buffer_file = 1;
  past.Read(0, 3, 4, {Data(1, 0, 1)}).operation.file = 1;
  EXPECT_THAT(past.Signatures(), IsEmpty());
  past.history.events[1].observed = {Initial(0, 1)};
  EXPECT_THAT(past.Signatures(), ElementsAre("stale: read vs read"));
}

TEST(CopyTest, AWriteFromAMappingReadsTheMapping) {
  Past past;
  past.Add(FileOperationKind::kPunchHole, 4, 4, 1, 2);
  OperationEvent& write = past.Add(FileOperationKind::kWrite, 0, 1, 3, 4);
  write.operation.buffer_file = 0;
  write.operation.buffer_offset_cells = 4;
  write.observed = {Zero()};
  EXPECT_THAT(past.Signatures(), IsEmpty());
  past.history.events[1].observed = {Initial(4)};
  EXPECT_THAT(past.Signatures(), ElementsAre("not-zero: write vs punch-hole"));
}

TEST(ExplainTest, NamesBothSidesWithTheirSites) {
  Past past;
  past.Add(FileOperationKind::kPunchHole, 0, 4, 1, 2).site = {"punch_hole.cc", 40};
  past.Read(0, 3, 4, {Initial(0)}).site = {"buffered_read.cc", 12};
  const std::string text = Explain(past.history, Judge(past.history).at(0));
  EXPECT_THAT(
      text,
      HasSubstr("not-zero: read of file 0 cell 0 saw initial data of file 0 cell 0; see punch-hole (operation 1)"));
  EXPECT_THAT(
      text,
      HasSubstr("operation 2 of task 2: read file 0 cells [0, 1), from 3 to 4, completed 1 [buffered_read.cc:12]"));
  EXPECT_THAT(
      text,
      HasSubstr("operation 1 of task 1: punch-hole file 0 cells [0, 4), from 1 to 2, completed 4 [punch_hole.cc:40]"));
}

// A naive file: what the oracle must accept, because each operation happens at one instant.
class NaiveFiles {
 public:
  explicit NaiveFiles(const std::vector<uint32_t>& sizes) {
    for (uint32_t file = 0; file < sizes.size(); ++file) {
      files_.emplace_back();
      for (uint32_t cell = 0; cell < sizes[file]; ++cell) files_[file].push_back(Initial(cell, file));
    }
  }
  const std::vector<CellValue>& file(uint32_t file) const { return files_[file]; }

  void Apply(OperationEvent* event) {
    const FileOperation& operation = event->operation;
    std::vector<CellValue>& file = files_[operation.file];
    const uint32_t end = operation.offset_cells + operation.length_cells;
    switch (operation.kind) {
      case FileOperationKind::kTruncate: file.resize(operation.offset_cells, Zero()); return;
      case FileOperationKind::kPunchHole:
        for (uint32_t cell = operation.offset_cells; cell < std::min<size_t>(end, file.size()); ++cell)
          file[cell] = Zero();
        return;
      case FileOperationKind::kWrite:
      case FileOperationKind::kDirectWrite: Write(event); return;
      default:
        event->completed_cells = 0;
        for (uint32_t cell = operation.offset_cells; cell < std::min<size_t>(end, file.size()); ++cell) {
          event->observed.push_back(file[cell]);
          ++event->completed_cells;
        }
        return;
    }
  }

 private:
  void Write(OperationEvent* event) {
    const FileOperation& operation = event->operation;
    std::vector<CellValue>& file = files_[operation.file];
    const bool mapped = operation.buffer_file != kAnonymousBuffer;
    for (uint32_t i = 0; i < event->completed_cells; ++i) {
      const uint32_t cell = operation.offset_cells + i;
      if (mapped && operation.buffer_offset_cells + i >= files_[operation.buffer_file].size()) {
        event->completed_cells = i;
        return;
      }
      if (cell >= file.size()) file.resize(cell + 1, Zero());
      const CellValue copied = mapped ? files_[operation.buffer_file][operation.buffer_offset_cells + i] : CellValue{};
      if (mapped) event->observed.push_back(copied);
      file[cell] = mapped && event->copies_values ? copied : Data(event->id, cell, operation.file);
    }
  }

  std::vector<std::vector<CellValue>> files_;
};

constexpr FileOperationKind kModelKinds[] = {FileOperationKind::kRead,       FileOperationKind::kRead,
                                             FileOperationKind::kDirectRead, FileOperationKind::kWrite,
                                             FileOperationKind::kWrite,      FileOperationKind::kDirectWrite,
                                             FileOperationKind::kTruncate,   FileOperationKind::kPunchHole};

OperationEvent RandomEvent(Prng& prng, uint32_t id, bool copies) {
  OperationEvent event;
  event.id = id;
  FileOperation& operation = event.operation;
  operation.kind = kModelKinds[prng.Below(std::size(kModelKinds))];
  operation.file = prng.Below(2);
  const uint32_t unit = NeedsPageAlignment(operation.kind) ? kPageCells : 1;
  operation.offset_cells = prng.Below(12 / unit) * unit;
  if (HasRange(operation.kind)) operation.length_cells = (1 + prng.Below(8 / unit)) * unit;
  if (copies && operation.kind == FileOperationKind::kWrite && prng.Below(3) == 0) {
    operation.buffer_file = prng.Below(2);
    operation.buffer_offset_cells = prng.Below(2) * kPageCells;
    event.copies_values = true;
  }
  event.completed_cells = operation.length_cells;
  if (operation.kind == FileOperationKind::kWrite && prng.Below(8) == 0) {
    event.completed_cells = prng.Below(operation.length_cells + 1);
  }
  return event;
}

// Operations take effect one after another, each at an instant inside its interval; intervals overlap `overlap` deep.
History RandomHistory(uint64_t seed, uint32_t overlap, bool copies = true) {
  Prng prng(seed);
  History history;
  history.initial_cells = {8, 6};
  NaiveFiles files(history.initial_cells);
  for (uint32_t i = 0; i < 20; ++i) {
    OperationEvent event = RandomEvent(prng, i + 1, copies);
    files.Apply(&event);
    const uint64_t instant = (uint64_t{i} + 5) * 100;
    event.start = instant - prng.Below(overlap * 100) - 1;
    event.end = instant + prng.Below(overlap * 100) + 1;
    if (overlap == 0) {
      event.start = instant;
      event.end = instant + 1;
    }
    history.events.push_back(event);
  }
  for (uint32_t file = 0; file < 2; ++file) {
    FinalState state;
    state.file = file;
    state.size_known = true;
    state.size_cells = static_cast<uint32_t>(files.file(file).size());
    state.disk = state.cached = state.direct = state.dropped = files.file(file);
    history.final_states.push_back(state);
  }
  return history;
}

std::string Dump(const History& history) {
  std::string text;
  for (const OperationEvent& event : history.events) text += ToString(event) + "\n";
  for (const DataViolation& violation : Judge(history)) text += Explain(history, violation);
  return text;
}

// One file of two pages, the second of which a collapse of the first moves down.
TEST(MovedCellsTest, ACollapseTakesItsDataAlong) {
  Past past;
  past.Add(FileOperationKind::kWrite, 4, 1, 1, 2);
  past.Add(FileOperationKind::kCollapseRange, 0, 4, 3, 4);
  past.Read(0, 5, 6, {Data(1, 4), Initial(5), Initial(6), Initial(7)});
  EXPECT_THAT(past.Signatures(), IsEmpty());
  past.Read(0, 7, 8, {Initial(0), Initial(5), Initial(5), Initial(3)});
  EXPECT_THAT(past.Signatures(), ElementsAre("stale: read vs collapse-range", "foreign: read vs collapse-range",
                                             "stale: read vs collapse-range"));
}

TEST(MovedCellsTest, WhatRunsBesideACollapseMayMoveAlongOrComeAfter) {
  for (const CellValue& first : {Initial(4), Data(1, 4)}) {
    for (const CellValue& second : {Initial(4), Zero(), Data(1, 4)}) {
      Past past;
      past.history.initial_cells = {12};
      past.Add(FileOperationKind::kWrite, 4, 1, 1, 6);
      past.Add(FileOperationKind::kCollapseRange, 0, 4, 2, 5);
      past.Read(0, 7, 8, {first});
      past.Read(4, 7, 8, {second == Zero() ? Initial(8) : second});
      const bool lost = second == Initial(4);
      EXPECT_EQ(past.Signatures().empty(), !lost);
    }
  }
}

TEST(MovedCellsTest, AnInsertLeavesZerosAndMovesUp) {
  Past past;
  past.Add(FileOperationKind::kInsertRange, 4, 4, 1, 2);
  past.Read(2, 3, 4, {Initial(2), Initial(3), Zero(), Zero(), Zero(), Zero(), Initial(4), Initial(5)});
  EXPECT_THAT(past.Signatures(), IsEmpty());
  past.Read(4, 5, 6, {Initial(4)});
  past.Read(8, 7, 8, {Zero()});
  EXPECT_THAT(past.Signatures(),
              ElementsAre("not-zero: read vs insert-range", "stale: read vs insert-range"));
}

TEST(MovedCellsTest, ARefusedCollapseChangesNothing) {
  Past past;
  past.Add(FileOperationKind::kCollapseRange, 4, 4, 1, 2).error = 22;
  past.Read(4, 3, 4, {Initial(4), Initial(5)});
  EXPECT_THAT(past.Signatures(), IsEmpty());
  past.Read(4, 5, 6, {Zero()});
  EXPECT_THAT(past.Signatures(), ElementsAre("unwritten-zero: read"));
}

TEST(ModelTest, AcceptsEverySequentialHistory) {
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    History history = RandomHistory(seed, 0);
    history.promises.atomic_calls = true;
    ASSERT_TRUE(Judge(history).empty()) << "seed " << seed << "\n" << Dump(history);
  }
}

TEST(ModelTest, AcceptsEveryHistoryOfInstants) {
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    History history = RandomHistory(seed, 1 + seed % 4);
    history.promises.atomic_calls = true;
    ASSERT_TRUE(Judge(history).empty()) << "seed " << seed << "\n" << Dump(history);
  }
}

// Goal: in a sequential history every single wrong value is found. Method: replace one observed value by another one.
TEST(ModelTest, FindsEveryWrongValueInSequentialHistories) {
  int found = 0;
  for (uint64_t seed = 0; seed < 500; ++seed) {
    History history = RandomHistory(seed, 0, false);
    Prng prng(seed);
    const CellValue wrong[] = {Zero(), Initial(3), Poison(), Data(1 + prng.Below(20), prng.Below(8)), Data(99, 0)};
    for (OperationEvent& event : history.events) {
      if (event.observed.empty() || event.operation.kind == FileOperationKind::kWrite) continue;
      CellValue& value = event.observed[prng.Below(static_cast<uint32_t>(event.observed.size()))];
      const CellValue right = value;
      value = wrong[prng.Below(5)];
      if (value == right) continue;
      ASSERT_FALSE(Judge(history).empty()) << "seed " << seed << "\n" << Dump(history);
      value = right;
      ++found;
    }
  }
  EXPECT_GT(found, 1000);
}

}  // namespace
}  // namespace ordeal
