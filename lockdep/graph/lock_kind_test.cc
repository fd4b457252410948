#include "lockdep/graph/lock_kind.h"

#include <gtest/gtest.h>

namespace ordeal::lockdep {
namespace {

TEST(LockKindTest, TablesAreSymmetric) {
  for (const LockKind* kind : {&kSixLock, &kTwoStateLock, &kDlmLock, &kGlock}) kind->CheckInvariants();
}

TEST(LockKindTest, SixReadersWaitForWritersAndForWhatWaitingWritersWaitFor) {
  EXPECT_EQ(kSixLock.BlockersOf(kSixShared), (1 << kSixShared) | (1 << kSixExclusive));
  EXPECT_EQ(kSixLock.BlockersOf(kSixIntent), 1 << kSixIntent);
  EXPECT_EQ(kSixLock.BlockersOf(kSixExclusive), (1 << kSixShared) | (1 << kSixExclusive));
  EXPECT_EQ(kSixLock.GroupOf(kSixExclusive), kSixShared) << "the same holders make both wait";
  EXPECT_EQ(kSixLock.GroupOf(kSixIntent), kSixIntent);
}

TEST(LockKindTest, TwoStateHoldersGoWithTheirOwnState) {
  EXPECT_EQ(kTwoStateLock.BlockersOf(kTwoStateAdd), 1 << kTwoStateBlock);
  EXPECT_EQ(kTwoStateLock.BlockersOf(kTwoStateBlock), 1 << kTwoStateAdd);
}

TEST(LockKindTest, DlmRequestsQueueAndNullBlocksNobody) {
  for (int mode = kDlmConcurrentRead; mode <= kDlmExclusive; ++mode) {
    EXPECT_EQ(kDlmLock.BlockersOf(mode), 0b111110);
    EXPECT_EQ(kDlmLock.GroupOf(mode), kDlmConcurrentRead);
  }
  EXPECT_EQ(kDlmLock.BlockersOf(kDlmNull), 0);
}

}  // namespace
}  // namespace ordeal::lockdep
