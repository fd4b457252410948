// Each rule of the protocol twice: broken, and kept by what nearly breaks it.
#include "lockdep/runtime/wound_wait.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace ordeal::lockdep {
namespace {

using ::testing::ElementsAre;

class WoundWaitTest : public ::testing::Test {
 protected:
  std::vector<std::string> Kinds() const {
    std::vector<std::string> kinds;
    for (const Violation& violation : validator_.violations()) kinds.push_back(violation.KindText());
    return kinds;
  }
  // "another" holds `mutex` under `context`.
  void LockByAnother(WoundWaitMutex& mutex, AcquireContext& context) {
    if (context.nest == nullptr) ww_.Init(another_, context, class_);
    ASSERT_EQ(ww_.Lock(another_, mutex, &context), WoundWaitResult::kAcquired);
  }

  Validator validator_;
  WoundWait ww_{validator_};
  WoundWaitClass class_ = ww_.NewClass("ww");
  TaskContext task_{"task"};
  TaskContext another_{"another"};
  WoundWaitMutex a_ = ww_.NewMutex(class_, "a");
  WoundWaitMutex b_ = ww_.NewMutex(class_, "b");
  WoundWaitMutex c_ = ww_.NewMutex(class_, "c");
  AcquireContext mine_;
  AcquireContext other_;
};

TEST_F(WoundWaitTest, MutexesOfAContextAreTakenInAnyOrder) {
  ww_.Init(task_, mine_, class_);
  EXPECT_EQ(ww_.Lock(task_, a_, &mine_), WoundWaitResult::kAcquired);
  EXPECT_EQ(ww_.Lock(task_, b_, &mine_), WoundWaitResult::kAcquired);
  EXPECT_EQ(ww_.Lock(task_, a_, &mine_), WoundWaitResult::kAlready);
  ww_.Done(task_, mine_);
  ww_.Unlock(task_, a_);
  ww_.Unlock(task_, b_);
  ww_.Fini(task_, mine_);
  ww_.Init(task_, mine_, class_);
  ww_.Lock(task_, b_, &mine_);
  ww_.Lock(task_, a_, &mine_);
  ww_.Unlock(task_, a_);
  ww_.Unlock(task_, b_);
  ww_.Fini(task_, mine_);
  EXPECT_THAT(Kinds(), ElementsAre());
  EXPECT_TRUE(task_.held().empty());
}

TEST_F(WoundWaitTest, WithoutAContextTwoMutexesAreRecursion) {
  ww_.Lock(task_, a_, nullptr);
  EXPECT_THAT(Kinds(), ElementsAre());
  ww_.Lock(task_, b_, nullptr);
  EXPECT_THAT(Kinds(), ElementsAre("recursive"));
}

TEST_F(WoundWaitTest, TwoContextsOfOneClassDoNotNest) {
  WoundWaitClass elsewhere = ww_.NewClass("elsewhere");
  AcquireContext of_another_class;
  ww_.Init(task_, mine_, class_);
  ww_.Init(task_, of_another_class, elsewhere);
  ww_.Fini(task_, of_another_class);
  EXPECT_THAT(Kinds(), ElementsAre());
  ww_.Init(task_, other_, class_);
  EXPECT_THAT(Kinds(), ElementsAre("recursive"));
}

TEST_F(WoundWaitTest, TheYoungerBacksOffAndTakesTheContendedMutexFirst) {
  LockByAnother(b_, other_);
  ww_.Init(task_, mine_, class_);  // younger
  ww_.Lock(task_, a_, &mine_);
  EXPECT_EQ(ww_.Lock(task_, b_, &mine_), WoundWaitResult::kDeadlock);
  EXPECT_EQ(mine_.contending, &b_);
  ww_.Unlock(task_, a_);
  EXPECT_EQ(ww_.LockSlow(task_, b_, mine_), WoundWaitResult::kWait);
  ww_.Unlock(another_, b_);
  EXPECT_EQ(ww_.Retry(task_, b_, &mine_), WoundWaitResult::kAcquired);
  EXPECT_EQ(ww_.Lock(task_, a_, &mine_), WoundWaitResult::kAcquired);
  ww_.Unlock(task_, a_);
  ww_.Unlock(task_, b_);
  ww_.Fini(task_, mine_);
  ww_.Fini(another_, other_);
  EXPECT_THAT(Kinds(), ElementsAre());
}

TEST_F(WoundWaitTest, TheOlderWaits) {
  ww_.Init(task_, mine_, class_);
  LockByAnother(b_, other_);  // younger
  ww_.Lock(task_, a_, &mine_);
  EXPECT_EQ(ww_.Lock(task_, b_, &mine_), WoundWaitResult::kWait);
  EXPECT_FALSE(other_.wounded);  // wait-die: it will die by itself if it ever wants `a`
  ww_.GiveUp(task_, b_);
  EXPECT_FALSE(task_.Holds(b_.map));
  EXPECT_THAT(Kinds(), ElementsAre());
}

TEST_F(WoundWaitTest, WoundWaitWoundsTheYoungerHolderInsteadOfWaitingForIt) {
  WoundWaitClass wounding = ww_.NewClass("wounding", WoundWaitAlgorithm::kWoundWait);
  WoundWaitMutex d = ww_.NewMutex(wounding, "d");
  WoundWaitMutex e = ww_.NewMutex(wounding, "e");
  WoundWaitMutex f = ww_.NewMutex(wounding, "f");
  ww_.Init(task_, mine_, wounding);
  ww_.Init(another_, other_, wounding);  // younger
  ww_.Lock(another_, e, &other_);
  ww_.Lock(task_, d, &mine_);
  ww_.Lock(task_, f, &mine_);
  EXPECT_EQ(ww_.Lock(another_, f, &other_), WoundWaitResult::kWait);  // the younger waits while it is not wounded
  EXPECT_EQ(ww_.Lock(task_, e, &mine_), WoundWaitResult::kWait);
  EXPECT_TRUE(other_.wounded);
  EXPECT_EQ(ww_.Retry(another_, f, &other_), WoundWaitResult::kDeadlock);
  ww_.Unlock(another_, e);
  EXPECT_EQ(ww_.Retry(task_, e, &mine_), WoundWaitResult::kAcquired);
  EXPECT_EQ(ww_.LockSlow(another_, f, other_), WoundWaitResult::kWait);
  EXPECT_FALSE(other_.wounded);
  EXPECT_THAT(Kinds(), ElementsAre());
}

class AfterDeadlockTest : public WoundWaitTest {
 protected:
  void SetUp() override {
    LockByAnother(b_, other_);
    ww_.Init(task_, mine_, class_);
    ww_.Lock(task_, a_, &mine_);
    ASSERT_EQ(ww_.Lock(task_, b_, &mine_), WoundWaitResult::kDeadlock);
    ww_.Unlock(another_, b_);
    ASSERT_THAT(Kinds(), ElementsAre());
  }
};

TEST_F(AfterDeadlockTest, TheOthersMustBeReleased) {
  ww_.Lock(task_, b_, &mine_);
  EXPECT_THAT(Kinds(), ElementsAre("api-assert"));
}

TEST_F(AfterDeadlockTest, TheContendedMutexMustBeNext) {
  ww_.Unlock(task_, a_);
  ww_.Lock(task_, c_, &mine_);
  EXPECT_THAT(Kinds(), ElementsAre("api-assert"));
}

TEST_F(AfterDeadlockTest, TheOrdinaryPathWillDo) {
  ww_.Unlock(task_, a_);
  ww_.Lock(task_, b_, &mine_);
  ww_.Lock(task_, c_, &mine_);
  EXPECT_THAT(Kinds(), ElementsAre());
}

TEST_F(AfterDeadlockTest, ASecondOneMustNotHappen) {
  LockByAnother(c_, other_);
  EXPECT_EQ(ww_.Lock(task_, c_, &mine_), WoundWaitResult::kDeadlock);
  EXPECT_THAT(Kinds(), ElementsAre("api-assert"));
}

TEST_F(WoundWaitTest, TheSlowPathNeedsAContendedMutex) {
  ww_.Init(task_, mine_, class_);
  ww_.LockSlow(task_, a_, mine_);
  EXPECT_THAT(Kinds(), ElementsAre("api-assert"));
}

TEST_F(WoundWaitTest, NothingIsAcquiredAfterDone) {
  ww_.Init(task_, mine_, class_);
  ww_.Lock(task_, a_, &mine_);
  ww_.Done(task_, mine_);
  EXPECT_THAT(Kinds(), ElementsAre());
  ww_.Lock(task_, b_, &mine_);
  EXPECT_THAT(Kinds(), ElementsAre("api-assert"));
}

TEST_F(WoundWaitTest, DoneIsSaidOnce) {
  ww_.Init(task_, mine_, class_);
  ww_.Done(task_, mine_);
  ww_.Done(task_, mine_);
  EXPECT_THAT(Kinds(), ElementsAre("api-assert"));
}

TEST_F(WoundWaitTest, DoneOfAContextThatHasEnded) {
  ww_.Init(task_, mine_, class_);
  ww_.Fini(task_, mine_);
  EXPECT_THAT(Kinds(), ElementsAre());
  ww_.Done(task_, mine_);
  EXPECT_THAT(Kinds(), ElementsAre("assert-held"));
}

TEST_F(WoundWaitTest, AContextEndsOnce) {
  ww_.Init(task_, mine_, class_);
  ww_.Fini(task_, mine_);
  ww_.Fini(task_, mine_);
  EXPECT_THAT(Kinds(), ElementsAre("bad-unlock"));
}

TEST_F(WoundWaitTest, AContextEndsAfterItsMutexes) {
  ww_.Init(task_, mine_, class_);
  ww_.Lock(task_, a_, &mine_);
  ww_.Fini(task_, mine_);
  EXPECT_THAT(Kinds(), ElementsAre("nest-not-held", "api-assert"));
}

TEST_F(WoundWaitTest, MutexAndContextAreOfOneClass) {
  WoundWaitClass elsewhere = ww_.NewClass("elsewhere");
  ww_.Init(task_, mine_, elsewhere);
  ww_.Lock(task_, a_, &mine_);
  EXPECT_THAT(Kinds(), ElementsAre("api-assert"));
}

TEST_F(WoundWaitTest, AMutexReleasedPastTheProtocolIsNoticed) {
  ww_.Init(task_, mine_, class_);
  ww_.Lock(task_, a_, &mine_);
  ww_.UnlockBase(task_, a_);
  EXPECT_THAT(Kinds(), ElementsAre());
  AcquireContext* const stale = a_.context;
  EXPECT_EQ(stale, &mine_);
  ww_.Fini(task_, mine_);
  ww_.Init(task_, other_, class_);
  ww_.Lock(task_, a_, &other_);
  EXPECT_THAT(Kinds(), ElementsAre("api-assert", "api-assert"));
}

TEST_F(WoundWaitTest, AnAttemptNeverWaitsSoItNeedsNoContext) {
  ww_.Lock(task_, a_, nullptr);
  EXPECT_TRUE(ww_.TryLock(task_, b_, nullptr));
  EXPECT_FALSE(ww_.TryLock(another_, b_, nullptr));
  EXPECT_THAT(Kinds(), ElementsAre());
}

TEST_F(WoundWaitTest, AnAttemptUnderAContextIsCounted) {
  ww_.Init(task_, mine_, class_);
  EXPECT_TRUE(ww_.TryLock(task_, a_, &mine_));
  EXPECT_EQ(mine_.acquired, 1u);
  EXPECT_EQ(a_.context, &mine_);
  ww_.Unlock(task_, a_);
  EXPECT_EQ(mine_.acquired, 0u);
  ww_.Fini(task_, mine_);
  EXPECT_THAT(Kinds(), ElementsAre());
}

TEST_F(WoundWaitTest, BlockingUnderAContextThatBeganAfterAPlainMutexIsRecursion) {
  EXPECT_TRUE(ww_.TryLock(task_, a_, nullptr));
  ww_.Init(task_, mine_, class_);
  EXPECT_THAT(Kinds(), ElementsAre());
  ww_.Lock(task_, b_, &mine_);
  EXPECT_EQ(Kinds().front(), "recursive");
}

TEST_F(WoundWaitTest, AReleaseTwiceIsABadUnlock) {
  ww_.Lock(task_, a_, nullptr);
  ww_.Unlock(task_, a_);
  EXPECT_THAT(Kinds(), ElementsAre());
  ww_.Unlock(task_, a_);
  EXPECT_THAT(Kinds(), ElementsAre("bad-unlock"));
}

}  // namespace
}  // namespace ordeal::lockdep
