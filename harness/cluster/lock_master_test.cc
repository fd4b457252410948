#include "harness/cluster/lock_master.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace ordeal {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr NodeId kN1{1}, kN2{2}, kN3{3}, kN4{4};
constexpr DlmMode kNL = lockdep::kDlmNull, kCR = lockdep::kDlmConcurrentRead, kCW = lockdep::kDlmConcurrentWrite,
                  kPR = lockdep::kDlmProtectedRead, kPW = lockdep::kDlmProtectedWrite, kEX = lockdep::kDlmExclusive;

// What the master answers, as text: "1 granted PR", "2 blocking EX".
class LockMasterTest : public ::testing::Test {
 protected:
  std::vector<std::string> Answers() {
    std::vector<std::string> texts;
    for (const Answer& answer : out_) {
      const bool blocking = answer.message.kind == MessageKind::kBlocking;
      texts.push_back(absl::StrCat(Index(answer.to), " ", blocking ? "blocking" : DlmStatusName(answer.message.status), " ",
                                   DlmModeName(answer.message.mode)));
    }
    out_.clear();
    return texts;
  }
  std::vector<std::string> Request(NodeId node, DlmMode mode, bool no_queue = false) {
    master_.Request(node, mode, no_queue, &out_);
    return Answers();
  }
  std::vector<std::string> Lower(NodeId node, DlmMode mode) {
    master_.Lower(node, mode, nullptr, &out_);
    return Answers();
  }

  LockMaster master_;
  Outbox out_;
};

// The table of the VMS lock manager, written out by hand: the code's one is lockdep's.
TEST_F(LockMasterTest, GrantsWhatTheModeTableAllowsAndNothingElse) {
  const char* const expected[6] = {
      // NL CR CW PR PW EX of the holder
      "yyyyyy",  // NL
      "yyyyyn",  // CR
      "yyynnn",  // CW
      "yynynn",  // PR
      "yynnnn",  // PW
      "ynnnnn",  // EX
  };
  for (DlmMode requested = kNL; requested <= kEX; ++requested) {
    for (DlmMode held = kNL; held <= kEX; ++held) {
      LockMaster master;
      Outbox out;
      master.Request(kN1, held, false, &out);
      out.clear();
      master.Request(kN2, requested, /*no_queue=*/true, &out);
      ASSERT_EQ(out.size(), 1u);
      const bool granted = out[0].message.status == DlmStatus::kGranted;
      EXPECT_EQ(granted, expected[requested][held] == 'y') << DlmModeName(requested) << " beside " << DlmModeName(held);
      EXPECT_EQ(master.granted(kN2), granted ? requested : kNoDlmMode);
    }
  }
}

// Two nodes that give PR down and want it again keep a third one from EX, unless who has NL queues.
TEST_F(LockMasterTest, AConversionFromNullPassesWhoWaitsUnlessItQueues) {
  for (const bool queues : {false, true}) {
    master_ = LockMaster(true, queues);
    Request(kN1, kPR);
    Request(kN2, kNL);
    EXPECT_THAT(Request(kN3, kEX), ElementsAre("1 blocking EX"));
    if (queues) {
      EXPECT_THAT(Request(kN2, kPR), IsEmpty());
      EXPECT_THAT(Lower(kN1, kNL), ElementsAre("3 granted EX", "3 blocking PR"));
      EXPECT_THAT(Lower(kN3, kPR), ElementsAre("2 granted PR"));
    } else {
      EXPECT_THAT(Request(kN2, kPR), ElementsAre("2 granted PR", "2 blocking EX"));
      EXPECT_THAT(Lower(kN1, kNL), IsEmpty());
    }
  }
}

TEST_F(LockMasterTest, NewRequestsDoNotPassEachOther) {
  Request(kN1, kPR);
  EXPECT_THAT(Request(kN2, kEX), ElementsAre("1 blocking EX"));
  EXPECT_THAT(Request(kN3, kPR), IsEmpty()) << "PR goes together with what is held, but not before the EX that waits";
  EXPECT_THAT(Lower(kN1, kNoDlmMode), ElementsAre("2 granted EX", "2 blocking PR"));
  EXPECT_THAT(Lower(kN2, kPR), ElementsAre("3 granted PR"));
}

TEST_F(LockMasterTest, ANewNullLockPassesTheQueue) {
  Request(kN1, kEX);
  Request(kN2, kEX);
  EXPECT_THAT(Request(kN3, kNL), ElementsAre("3 granted NL"));
}

TEST_F(LockMasterTest, ConversionsComeBeforeNewRequests) {
  Request(kN1, kPR);
  Request(kN2, kPR);
  EXPECT_THAT(Request(kN3, kEX), ElementsAre("1 blocking EX", "2 blocking EX"));
  EXPECT_THAT(Request(kN1, kEX), IsEmpty()) << "node 2 knows already";
  EXPECT_EQ(master_.ToString(), "granted 1:PR 2:PR, converting 1:EX, waiting 3:EX");
  EXPECT_THAT(Lower(kN2, kNL), ElementsAre("1 granted EX", "1 blocking EX"));
  EXPECT_THAT(Lower(kN1, kNL), ElementsAre("3 granted EX"));
}

TEST_F(LockMasterTest, ConversionsAreServedInOrderOfArrival) {
  Request(kN1, kNL);
  Request(kN2, kNL);
  Request(kN3, kEX);
  EXPECT_THAT(Request(kN1, kEX), ElementsAre("3 blocking EX"));
  EXPECT_THAT(Request(kN2, kPR), ElementsAre("3 blocking PR"));
  EXPECT_THAT(Lower(kN3, kPR), ElementsAre("3 blocking EX")) << "node 2's PR would go, but waits behind node 1's EX";
  EXPECT_THAT(Lower(kN3, kNL), ElementsAre("1 granted EX", "1 blocking PR"));
  EXPECT_THAT(Lower(kN1, kNL), ElementsAre("2 granted PR"));
}

TEST_F(LockMasterTest, TwoConversionsThatBlockEachOtherAreADeadlockOfTheSecond) {
  Request(kN1, kPR);
  Request(kN2, kPR);
  Request(kN1, kEX);
  EXPECT_THAT(Request(kN2, kEX), ElementsAre("2 deadlock EX"));
  EXPECT_EQ(master_.granted(kN2), kPR) << "a refused conversion keeps what it had";
  EXPECT_THAT(Lower(kN2, kNL), ElementsAre("1 granted EX"));
}

TEST_F(LockMasterTest, TwoConversionsOfModesThatGoTogetherAreNone) {
  Request(kN1, kCR);
  Request(kN2, kCR);
  Request(kN3, kPW);
  Request(kN1, kPR);
  EXPECT_THAT(Request(kN2, kPR), IsEmpty());
  EXPECT_THAT(Lower(kN3, kCR), ElementsAre("1 granted PR", "2 granted PR"));
}

TEST_F(LockMasterTest, DoesNotRefuseADeadlockWhenTold) {
  master_ = LockMaster(/*detects_conversion_deadlock=*/false);
  Request(kN1, kPR);
  Request(kN2, kPR);
  Request(kN1, kEX);
  EXPECT_THAT(Request(kN2, kEX), ElementsAre("1 blocking EX"));
  EXPECT_EQ(master_.NodesInTheWay(kN1), 0b0100u);
  EXPECT_EQ(master_.NodesInTheWay(kN2), 0b0110u) << "node 2's own lock is in the way of the one before it";
}

TEST_F(LockMasterTest, ARequestThatDoesNotQueueLeavesNoTrace) {
  Request(kN1, kPR);
  Request(kN2, kNL);
  EXPECT_THAT(Request(kN2, kEX, /*no_queue=*/true), ElementsAre("2 again EX"));
  EXPECT_THAT(Request(kN3, kEX, /*no_queue=*/true), ElementsAre("3 again EX"));
  EXPECT_THAT(Request(kN4, kPR), ElementsAre("4 granted PR"));
}

TEST_F(LockMasterTest, CancelTakesAWaitingRequestBackAndServesWhoWaitedBehindIt) {
  Request(kN1, kPR);
  Request(kN2, kEX);
  Request(kN3, kPR);
  master_.Cancel(kN2, &out_);
  EXPECT_THAT(Answers(), ElementsAre("2 canceled EX", "3 granted PR"));
  master_.Cancel(kN3, &out_);
  EXPECT_THAT(Answers(), IsEmpty()) << "it has been granted";
  EXPECT_EQ(master_.granted(kN3), kPR);
}

TEST_F(LockMasterTest, HoldersAreToldAgainAfterTheyHaveGivenDown) {
  Request(kN1, kEX);
  EXPECT_THAT(Request(kN2, kEX), ElementsAre("1 blocking EX"));
  EXPECT_THAT(Request(kN3, kEX), IsEmpty());
  EXPECT_THAT(Lower(kN1, kPR), ElementsAre("1 blocking EX"));
}

TEST_F(LockMasterTest, TheValueBlockIsWhatTheLastWriterGaveDown) {
  EXPECT_FALSE(master_.lvb_valid());
  Request(kN1, kEX);
  Lvb size{42};
  master_.Lower(kN1, kPR, &size, &out_);
  EXPECT_TRUE(master_.lvb_valid());
  out_.clear();
  master_.Request(kN2, kPR, false, &out_);
  EXPECT_TRUE(out_[0].message.lvb_valid);
  EXPECT_EQ(out_[0].message.lvb, size);
  size = {43};
  master_.Lower(kN1, kNL, &size, &out_);
  EXPECT_EQ(master_.lvb()[0], 42u) << "from PR nothing is written";
}

TEST_F(LockMasterTest, TheValueBlockDiesWithWhoMayHaveChangedIt) {
  const Lvb size{42};
  for (const DlmMode mode : {kCR, kPR, kCW, kPW, kEX}) {
    LockMaster master;
    master.Request(kN1, kEX, false, &out_);
    master.Lower(kN1, kNoDlmMode, &size, &out_);
    master.Request(kN2, mode, false, &out_);
    master.Drop(kN2);
    EXPECT_EQ(master.lvb_valid(), mode != kPW && mode != kEX) << DlmModeName(mode);
    EXPECT_EQ(master.granted(kN2), kNoDlmMode);
  }
}

TEST_F(LockMasterTest, DroppingANodeServesItsWaitersOnlyOnceToldTo) {
  Request(kN1, kEX);
  Request(kN2, kEX);
  Request(kN3, kPR);
  master_.Drop(kN1);
  EXPECT_EQ(master_.granted(kN2), kNoDlmMode);
  master_.GrantWaiting(&out_);
  EXPECT_THAT(Answers(), ElementsAre("2 granted EX", "2 blocking PR"));
  master_.Drop(kN2);
  master_.GrantWaiting(&out_);
  EXPECT_THAT(Answers(), ElementsAre("3 granted PR"));
}

TEST_F(LockMasterTest, ANewMasterBelievesTheStrongestSurvivorAboutTheValueBlock) {
  const auto report = [](DlmMode granted, uint64_t value, uint32_t sequence) {
    Message message{.kind = MessageKind::kReport, .granted = granted, .lvb_valid = true, .lvb_sequence = sequence};
    message.lvb = {value};
    return message;
  };
  master_.Restore(kN1, report(kCR, 9, 9));
  EXPECT_FALSE(master_.lvb_valid()) << "somebody with PW may have changed it, and be dead";
  master_.Restore(kN2, report(kPW, 5, 3));
  EXPECT_TRUE(master_.lvb_valid());
  EXPECT_EQ(master_.lvb()[0], 5u);

  LockMaster readers;
  readers.Restore(kN1, report(kPR, 1, 1));
  readers.Restore(kN2, report(kPR, 2, 2));
  readers.Restore(kN3, report(kPR, 1, 1));
  EXPECT_EQ(readers.lvb()[0], 2u);
}

TEST_F(LockMasterTest, FindsModesThatDoNotGoTogether) {
  PerNode<DlmMode> modes;
  modes.fill(kNoDlmMode);
  modes[1] = kPR;
  modes[3] = kPR;
  EXPECT_EQ(LockMaster::FindIncompatible(modes), std::nullopt);
  modes[3] = kCW;
  EXPECT_EQ(LockMaster::FindIncompatible(modes), std::make_pair(kN1, kN3));
}

TEST(DlmModeTest, CoversAndHighestCompatibleFollowTheTable) {
  EXPECT_TRUE(Covers(kEX, kPR));
  EXPECT_TRUE(Covers(kPW, kCW));
  EXPECT_FALSE(Covers(kPR, kCW));
  EXPECT_FALSE(Covers(kCW, kPR));
  EXPECT_FALSE(Covers(kNoDlmMode, kNL));
  EXPECT_EQ(HighestCompatible(kEX), kNL);
  EXPECT_EQ(HighestCompatible(kPR), kPR);
  EXPECT_EQ(HighestCompatible(kCW), kNL);
}

}  // namespace
}  // namespace ordeal
