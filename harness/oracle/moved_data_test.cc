// Data that moves: copies between a file and a mapping, cells that collapse and insert shift.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/oracle/oracle_test_fixture.h"

namespace ordeal {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

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

}  // namespace
}  // namespace ordeal
