// What a nest lock and the options of a lock class allow, and assertions: each rule kept and broken.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <string>
#include <vector>

#include "lockdep/runtime/validator_fixture_for_test.h"

namespace ordeal::lockdep {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class ClassRulesTest : public ValidatorFixture {};

// ---- nest locks

TEST_F(ClassRulesTest, ANestLockSerialisesItsClass) {
  std::deque<LockMap> many(3000, Map("vma"));
  Lock(a_);
  for (const LockMap& one : many) Under(a_, one);
  EXPECT_THAT(Kinds(), IsEmpty());
  EXPECT_EQ(task_.held().size(), 3001u);
  for (const LockMap& one : many) Unlock(one);
  Unlock(a_);
  EXPECT_EQ(task_.chain_key(), kEmptyChainKey);
  Lock(many[0]);
  Lock(many[1]);  // the control
  EXPECT_THAT(Kinds(), ElementsAre("recursive"));
}

TEST_F(ClassRulesTest, ANestLockThatIsNotHeldIsReported) {
  Under(a_, b_);
  EXPECT_THAT(Kinds(), ElementsAre("nest-not-held"));
}

TEST_F(ClassRulesTest, ANestLockTakenTooLateSerialisesNothing) {
  const LockMap first = Map("Y");
  const LockMap second = Map("Y");
  Lock(first);
  Lock(a_);
  Under(a_, second);
  EXPECT_EQ(Kinds().front(), "recursive");
}

TEST_F(ClassRulesTest, ANestLockIsReleasedAfterWhatItSerialises) {
  Lock(a_);
  Under(a_, b_);
  Unlock(b_);
  Unlock(a_);
  EXPECT_THAT(Kinds(), IsEmpty());
  Lock(a_);
  Under(a_, b_);
  Unlock(a_);
  EXPECT_THAT(Kinds(), ElementsAre("nest-not-held"));
  Unlock(b_);
}

TEST_F(ClassRulesTest, WhichLockIsTheNestLockSurvivesAReleaseBelowIt) {
  Lock(c_);
  Lock(a_);
  Under(a_, b_);
  Unlock(c_);
  EXPECT_THAT(Kinds(), IsEmpty());
  Unlock(a_);
  EXPECT_THAT(Kinds(), ElementsAre("nest-not-held"));
  Unlock(b_);
}

// Y1 -> A and A -> Y2 are no cycle: the nest lock keeps anybody else from being between the two.
TEST_F(ClassRulesTest, ALockBetweenTwoOfANestedClassIsNoCycle) {
  const LockMap y1 = Map("Y");
  const LockMap y2 = Map("Y");
  Lock(a_);
  Under(a_, y1);
  Lock(b_);
  Under(a_, y2);
  UnlockAll();
  EXPECT_THAT(Kinds(), IsEmpty());
  Nest({&b_, &y1});  // the control: nothing serialises this
  EXPECT_THAT(Kinds(), ElementsAre("circular"));
}

// The kernel adds no dependency at all when a class nests: here C -> Y would be lost, as Y1 was taken by an attempt.
TEST_F(ClassRulesTest, LocksHeldBelowANestedClassAreOrderedBeforeIt) {
  const LockMap y1 = Map("Y");
  const LockMap y2 = Map("Y");
  Lock(c_);
  Lock(a_);
  validator_.Acquire(task_, y1, Mode::kExclusive, {.trylock = true, .nest = &a_});
  Under(a_, y2);
  UnlockAll();
  EXPECT_THAT(Kinds(), IsEmpty());
  Nest({&y1, &c_});
  EXPECT_THAT(Kinds(), ElementsAre("circular"));
}

// ---- class rules

TEST_F(ClassRulesTest, ANoValidateClassHasNoOrder) {
  const LockMap x1 = Map("X", {.no_validate = true});
  const LockMap x2 = Map("X", {.no_validate = true});
  Nest({&x1, &x2});
  Nest({&a_, &x1});
  Nest({&x1, &a_});
  EXPECT_THAT(Kinds(), IsEmpty());
  Unlock(x1);  // the rules that stay: balance
  EXPECT_THAT(Kinds(), ElementsAre("bad-unlock"));
}

TEST_F(ClassRulesTest, ANoValidateClassKeepsItsWaitType) {
  const LockMap spin = Map("spin", {.inner = WaitType::kConfig});
  const LockMap x = Map("X", {.no_validate = true});
  Lock(x);
  Unlock(x);
  EXPECT_THAT(Kinds(), IsEmpty());
  Lock(spin);
  Lock(x);
  EXPECT_THAT(Kinds(), ElementsAre("wait-context"));
}

// When a rule is first broken, what the run has seen so far is gathered again, those locks among it.
TEST_F(ClassRulesTest, ANoValidateClassIsLeftOutWhenARunIsJudgedAnew) {
  const LockMap last = Map("Z, the class with the highest number", {.no_validate = true});
  Nest({&last});
  Nest({&a_, &b_});
  Nest({&b_, &a_});
  EXPECT_THAT(Kinds(), ElementsAre("circular"));
}

TEST_F(ClassRulesTest, ANoCheckRecursionClassNestsButHasAnOrder) {
  const LockMap x1 = Map("X", {.no_check_recursion = true});
  const LockMap x2 = Map("X", {.no_check_recursion = true});
  Nest({&x1, &x2});
  Nest({&x2, &x1});
  Nest({&a_, &x1});
  EXPECT_THAT(Kinds(), IsEmpty());
  Nest({&x2, &a_});
  EXPECT_THAT(Kinds(), ElementsAre("circular"));
}

TEST_F(ClassRulesTest, AWaitOverrideReplacesTheContextBelowIt) {
  const LockMap raw = Map("raw", {.inner = WaitType::kSpin});
  const LockMap sleeps = Map("sleeps", {.wait_override = true, .inner = WaitType::kSleep, .outer = WaitType::kUnchecked});
  Lock(raw);
  Try(sleeps);  // an override is always an attempt: it is nothing to wait for
  Lock(a_);
  UnlockAll();
  EXPECT_THAT(Kinds(), IsEmpty());
  Lock(raw);
  Lock(a_);
  EXPECT_THAT(Kinds(), ElementsAre("wait-context"));
}

// ---- assertions

TEST_F(ClassRulesTest, AssertionsHoldWhenWhatTheySayIsTrue) {
  Lock(a_);
  Lock(b_, Mode::kShared);
  EXPECT_TRUE(validator_.AssertHeld(task_, a_));
  EXPECT_TRUE(validator_.AssertHeldExclusive(task_, a_));
  EXPECT_TRUE(validator_.AssertHeldShared(task_, b_));
  EXPECT_TRUE(validator_.AssertHeldOnce(task_, a_));
  EXPECT_TRUE(validator_.AssertNotHeld(task_, c_));
  EXPECT_TRUE(validator_.AssertClassNotHeld(task_, c_.lock_class));
  EXPECT_TRUE(Validator::IsClassHeld(task_, a_.lock_class));
  EXPECT_FALSE(Validator::IsClassHeld(task_, c_.lock_class));
  EXPECT_THAT(Kinds(), IsEmpty());
}

TEST_F(ClassRulesTest, AssertionsFailWhenItIsNot) {
  Lock(a_);
  Lock(b_, Mode::kShared);
  EXPECT_FALSE(validator_.AssertHeld(task_, c_));
  EXPECT_FALSE(validator_.AssertHeldExclusive(task_, b_));
  EXPECT_FALSE(validator_.AssertHeldShared(task_, a_));
  EXPECT_FALSE(validator_.AssertHeldOnce(task_, d_));
  EXPECT_FALSE(validator_.AssertNotHeld(task_, a_));
  EXPECT_FALSE(validator_.AssertClassNotHeld(task_, b_.lock_class));
  EXPECT_THAT(Kinds(), ElementsAre("assert-held", "assert-held", "assert-held", "assert-held", "assert-not-held",
                                   "assert-not-held"));
}

TEST_F(ClassRulesTest, HeldTwiceIsNotHeldOnce) {
  Lock(a_, Mode::kSharedRecursive);
  EXPECT_TRUE(validator_.AssertHeldOnce(task_, a_));
  Lock(a_, Mode::kSharedRecursive);
  EXPECT_FALSE(validator_.AssertHeldOnce(task_, a_));
}

}  // namespace
}  // namespace ordeal::lockdep
