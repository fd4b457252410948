// What one operation may see: each rule has a history that breaks it and one that nearly does.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/oracle/oracle_test_fixture.h"

namespace ordeal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

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

TEST(JudgeTest, AReplacedFileIsEmptyButWhoHasTheOldOneOpenMaySeeIt) {
  Past past;
  past.Add(FileOperationKind::kReplace, 0, 0, 2, 4);
  past.Read(0, 1, 6, {Initial(0), Initial(1)});
  past.Add(FileOperationKind::kWrite, 0, 2, 3, 7);  // into the old one, perhaps
  past.Read(0, 8, 9, {}).operation.length_cells = 2;
  EXPECT_THAT(past.Signatures(), IsEmpty());
  past.Read(0, 10, 11, {Initial(0)});
  EXPECT_THAT(past.Signatures(), ElementsAre("not-zero: read vs replace"));
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

TEST(JudgeTest, WhatWasStoredBehindTheEndIsGoneWhenTheFileHasGrownOverIt) {
  Past past;
  past.Add(FileOperationKind::kStore, 9, 1, 1, 2);
  past.Add(FileOperationKind::kTruncate, 12, 0, 3, 6);
  past.Read(8, 7, 8, {Zero(), Data(1, 9)});
  EXPECT_THAT(past.Signatures(), IsEmpty());  // not promised everywhere
  past.history.promises.zeroes_tail = true;
  EXPECT_THAT(past.Signatures(), ElementsAre("exposure: read"));
  past.history.events[0].end = 4;  // it may have come after the zeroing
  EXPECT_THAT(past.Signatures(), IsEmpty());
  past.history.events[0].end = 2;
  past.history.events[1].operation.offset_cells = 9;  // to the cell before it
  past.history.events[2].observed.pop_back();
  past.history.events[2].completed_cells = past.history.events[2].operation.length_cells = 1;
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
  past.history.promises.whole_writes = false;  // but where a write is done in parts (GFS2)
  EXPECT_THAT(past.Signatures(), IsEmpty());
  past.history.promises.whole_writes = true;
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

}  // namespace
}  // namespace ordeal
