// Which pages must have blocks in the end: each rule broken once and nearly broken once.
#include "harness/oracle/block_shadow.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/oracle/oracle_test_fixture.h"

namespace ordeal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr PageSpace kHole = PageSpace::kHole;
constexpr PageSpace kAllocated = PageSpace::kAllocated;

// Of file 0, which begins with blocks for two pages.
std::vector<std::string> Signatures(Past past, std::vector<PageSpace> pages) {
  FinalState& state = past.history.final_states.emplace_back();
  state.pages = std::move(pages);
  std::vector<std::string> signatures;
  for (const DataViolation& violation : JudgeBlocks(past.history)) signatures.push_back(violation.signature);
  return signatures;
}

TEST(BlockShadowTest, WhatNobodyChangesStaysAsItWas) {
  EXPECT_THAT(Signatures({}, {kAllocated, kAllocated, kHole}), IsEmpty());
  EXPECT_THAT(Signatures({}, {kAllocated, kHole, kAllocated}),
              ElementsAre("lost-block: final extent map", "leaked-block: final extent map"));
  EXPECT_THAT(Signatures({}, {PageSpace::kUnknown, PageSpace::kUnknown}), IsEmpty());
}

TEST(BlockShadowTest, APunchedPageKeepsNoBlock) {
  Past past;
  past.Add(FileOperationKind::kPunchHole, 4, 4, 1, 2);
  EXPECT_THAT(Signatures(past, {kAllocated, kHole}), IsEmpty());
  EXPECT_THAT(Signatures(past, {kAllocated, kAllocated}), ElementsAre("leaked-block: final extent map vs punch-hole"));
}

TEST(BlockShadowTest, APunchThatFailedObligesNobody) {
  Past past;
  past.Add(FileOperationKind::kPunchHole, 4, 4, 1, 2).error = 5;
  EXPECT_THAT(Signatures(past, {kAllocated, kHole}), IsEmpty());
  EXPECT_THAT(Signatures(past, {kAllocated, kAllocated}), IsEmpty());
}

TEST(BlockShadowTest, WhatIsWrittenAfterAPunchHasABlock) {
  Past past;
  past.Add(FileOperationKind::kPunchHole, 0, 8, 1, 2);
  past.Add(FileOperationKind::kStore, 5, 1, 3, 4);
  EXPECT_THAT(Signatures(past, {kHole, kAllocated}), IsEmpty());
  EXPECT_THAT(Signatures(past, {kHole, kHole}), ElementsAre("lost-block: final extent map vs store"));
}

TEST(BlockShadowTest, OperationsThatOverlapMayHaveComeInEitherOrder) {
  Past past;
  past.Add(FileOperationKind::kPunchHole, 0, 8, 1, 4);
  past.Add(FileOperationKind::kWrite, 5, 1, 3, 6);
  EXPECT_THAT(Signatures(past, {kHole, kAllocated}), IsEmpty());
  EXPECT_THAT(Signatures(past, {kHole, kHole}), IsEmpty());
}

TEST(BlockShadowTest, ATruncateFreesWhatLiesBehindItsPage) {
  Past past;
  past.Add(FileOperationKind::kTruncate, 1, 0, 1, 2);
  EXPECT_THAT(Signatures(past, {kAllocated, kHole}), IsEmpty());
  EXPECT_THAT(Signatures(past, {kHole, kAllocated}),
              ElementsAre("lost-block: final extent map", "leaked-block: final extent map vs truncate"));
}

TEST(BlockShadowTest, ATruncateThatMakesTheFileLongerLeavesWhatAFailedWriteLeft) {
  Past past;
  past.Add(FileOperationKind::kDirectWrite, 12, 4, 1, 2).error = 5;
  past.Add(FileOperationKind::kTruncate, 9, 0, 3, 4);
  EXPECT_THAT(Signatures(past, {kAllocated, kAllocated, kHole, kAllocated}), IsEmpty());
  EXPECT_THAT(Signatures(past, {kAllocated, kAllocated, kHole, kHole}), IsEmpty());
}

TEST(BlockShadowTest, AReplacedFileHasNoBlocks) {
  Past past;
  past.Add(FileOperationKind::kReplace, 0, 0, 1, 2);
  EXPECT_THAT(Signatures(past, {kHole, kHole}), IsEmpty());
  EXPECT_THAT(Signatures(past, {kAllocated, kHole}), ElementsAre("leaked-block: final extent map vs replace"));
}

TEST(BlockShadowTest, FallocateGivesBlocksAndWhatMovesExtentsMakesNothingSure) {
  Past past;
  past.Add(FileOperationKind::kAllocate, 6, 4, 1, 2);
  EXPECT_THAT(Signatures(past, {kAllocated, kAllocated, kHole}), ElementsAre("lost-block: final extent map vs allocate"));
  past.Add(FileOperationKind::kCollapseRange, 0, 4, 3, 4);
  EXPECT_THAT(Signatures(past, {kAllocated, kAllocated, kHole}), IsEmpty());
  EXPECT_THAT(Signatures(past, {kHole, kAllocated, kAllocated}), IsEmpty());
}

TEST(BlockShadowTest, AShortWriteObligesForWhatItWrote) {
  Past past;
  past.Add(FileOperationKind::kDirectWrite, 8, 8, 1, 2).completed_cells = 4;
  EXPECT_THAT(Signatures(past, {kAllocated, kAllocated, kAllocated, kHole}), IsEmpty());
  EXPECT_THAT(Signatures(past, {kAllocated, kAllocated, kAllocated, kAllocated}), IsEmpty());
  EXPECT_THAT(Signatures(past, {kAllocated, kAllocated, kHole, kHole}),
              ElementsAre("lost-block: final extent map vs direct-write"));
}

TEST(BlockShadowTest, AReadIntoAMappingMayGiveTheMappingsFileABlock) {
  Past past;
  OperationEvent& read = past.Read(0, 1, 2, {Initial(0, 1)});
  read.operation.file = 1;
  read.operation.buffer_file = 0;
  read.operation.buffer_offset_cells = 8;
  EXPECT_THAT(Signatures(past, {kAllocated, kAllocated, kAllocated}), IsEmpty());
  EXPECT_THAT(Signatures(past, {kAllocated, kAllocated, kHole}), IsEmpty());
}

TEST(BlockShadowTest, AFindingNamesThePageAndTheOperation) {
  Past past;
  past.Add(FileOperationKind::kPunchHole, 4, 4, 1, 2);
  past.history.final_states.emplace_back().pages = {kAllocated, kAllocated};
  const std::vector<DataViolation> violations = JudgeBlocks(past.history);
  ASSERT_EQ(violations.size(), 1u);
  EXPECT_EQ(violations[0].message,
            "leaked-block: page 1 of file 0 has a block after punch-hole (operation 1), which came last");
  EXPECT_THAT(Explain(past.history, violations[0]), HasSubstr("punch-hole file 0 cells [4, 8)"));
}

}  // namespace
}  // namespace ordeal
