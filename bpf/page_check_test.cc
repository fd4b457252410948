// The decision of page_check.h, by hand: which additions of pages are findings. kernel side: probe_drive_test.cc.
#include "bpf/page_check.h"

#include <gtest/gtest.h>

namespace ordeal::bpf {
namespace {

constexpr uint32_t kHolder = 10;
constexpr uint32_t kOther = 11;

class PageCheckTest : public ::testing::Test {
 protected:
  PageCheckTest() { ordeal_hold_begin(&hold_, kHolder, 0); }

  ordeal_add_verdict Add(uint32_t adder, bool writer = false) { return ordeal_hold_add(&hold_, adder, writer, &slot_); }
  // As the probe does with a suspect.
  void Keep(uint64_t when_ns) {
    hold_.suspects[slot_].when_ns = when_ns;
    hold_.suspects[slot_].ready = 1;
  }
  int Proven() {
    int proven = 0;
    for (uint32_t i = 0; i < ORDEAL_SUSPECTS_MAX; ++i) proven += ordeal_hold_take_suspect(&hold_, i);
    return proven;
  }

  ordeal_hold hold_ = {};
  uint32_t slot_ = 0;
};

TEST_F(PageCheckTest, AnAdditionBetweenTwoSignsOfTheHolderIsProven) {
  ordeal_hold_grant(&hold_, 100);
  EXPECT_EQ(Add(kOther), ORDEAL_ADD_SUSPECT);
  Keep(150);
  EXPECT_EQ(Proven(), 1);
  EXPECT_EQ(Proven(), 0) << "a suspect is taken once";
}

TEST_F(PageCheckTest, TheHolderMayAdd) {
  ordeal_hold_grant(&hold_, 100);
  EXPECT_EQ(Add(kHolder), ORDEAL_ADD_BY_HOLDER);
  EXPECT_EQ(Proven(), 0);
}

TEST_F(PageCheckTest, AWriterMayAdd) {
  ordeal_hold_grant(&hold_, 100);
  EXPECT_EQ(Add(kOther, /*writer=*/true), ORDEAL_ADD_BY_WRITER);
  EXPECT_EQ(Proven(), 0);
}

TEST_F(PageCheckTest, WhatIsOnlyAskedForIsNotHeld) {
  EXPECT_EQ(Add(kOther), ORDEAL_ADD_NOT_YET_HELD);
  ordeal_hold_grant(&hold_, 100);
  EXPECT_EQ(Proven(), 0);
}

TEST_F(PageCheckTest, ASuspectIsNotProvenBeforeItIsComplete) {
  ordeal_hold_grant(&hold_, 100);
  EXPECT_EQ(Add(kOther), ORDEAL_ADD_SUSPECT);
  EXPECT_EQ(Proven(), 0);
}

TEST_F(PageCheckTest, ASuspectOfAnEarlierHoldIsNotProven) {
  ordeal_hold_grant(&hold_, 100);
  EXPECT_EQ(Add(kOther), ORDEAL_ADD_SUSPECT);
  ordeal_hold_begin(&hold_, kHolder, 0);  // the memory is used again while the adder still writes
  ordeal_hold_grant(&hold_, 200);
  Keep(150);
  EXPECT_EQ(Proven(), 0);
}

TEST_F(PageCheckTest, TheFirstGrantCounts) {
  ordeal_hold_grant(&hold_, 100);
  ordeal_hold_grant(&hold_, 200);
  EXPECT_EQ(hold_.granted_ns, 100u);
}

TEST_F(PageCheckTest, MoreSuspectsThanThereIsRoomForAreToldApart) {
  ordeal_hold_grant(&hold_, 100);
  for (int i = 0; i < ORDEAL_SUSPECTS_MAX; ++i) {
    EXPECT_EQ(Add(kOther), ORDEAL_ADD_SUSPECT);
    Keep(150);
  }
  EXPECT_EQ(Add(kOther), ORDEAL_ADD_NO_ROOM);
  EXPECT_EQ(Proven(), ORDEAL_SUSPECTS_MAX);
}

TEST_F(PageCheckTest, TheRangeOfRemovedPagesGrows) {
  EXPECT_GT(hold_.removed_first, hold_.removed_last) << "none yet";
  for (const uint64_t index : {7, 3, 5}) ordeal_hold_remove(&hold_, index);
  EXPECT_EQ(hold_.removed_first, 3u);
  EXPECT_EQ(hold_.removed_last, 7u);
}

}  // namespace
}  // namespace ordeal::bpf
