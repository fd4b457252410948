// What the kernel's lock self-test does not cover (N1..N18 of the validator survey): each rule with a control that is found
// and a neighbour that is silent.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "lockdep/runtime/validator_fixture_for_test.h"

namespace ordeal::lockdep {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class ValidatorRulesTest : public ValidatorFixture {};

// ---- N1: FN-1. A path of recursive readers reaches C before the strong path does.

class WeakPathTest : public ValidatorRulesTest, public ::testing::WithParamInterface<bool> {};

TEST_P(WeakPathTest, AWeakPathToALockDoesNotHideAStrongOne) {
  const LockMap x = Map("X");
  if (GetParam()) {
    Lock(a_);
    Lock(x, Mode::kSharedRecursive);
    UnlockAll();
    Lock(x, Mode::kSharedRecursive);
    Lock(d_, Mode::kSharedRecursive);
    UnlockAll();
  }
  Nest({&a_, &b_});
  Nest({&b_, &c_});
  Nest({&c_, &d_});
  EXPECT_THAT(Kinds(), IsEmpty());
  Nest({&d_, &a_});
  EXPECT_THAT(Kinds(), ElementsAre("circular"));
}
INSTANTIATE_TEST_SUITE_P(ControlAndDecoy, WeakPathTest, ::testing::Bool());

TEST_F(ValidatorRulesTest, TheWeakPathAloneIsNoDeadlock) {
  const LockMap x = Map("X");
  Lock(a_);
  Lock(x, Mode::kSharedRecursive);
  UnlockAll();
  Lock(x, Mode::kSharedRecursive);
  Lock(d_, Mode::kSharedRecursive);
  UnlockAll();
  Nest({&d_, &a_});
  EXPECT_THAT(Kinds(), IsEmpty());
}

// ---- N2: FN-2. The chain was seen before, under a nest lock.

class NestedBeforeTest : public ValidatorRulesTest, public ::testing::WithParamInterface<bool> {};

TEST_P(NestedBeforeTest, AChainSeenUnderANestLockIsJudgedAgainWithoutIt) {
  const LockMap x = Map("X");
  const LockMap y0 = Map("Y");
  const LockMap y1 = Map("Y");
  if (GetParam()) {
    Lock(x);
    Under(x, y0);
    Lock(a_);
    Under(x, y1);
    UnlockAll();
    EXPECT_THAT(Kinds(), IsEmpty());
  }
  Lock(x);
  Lock(y0);
  Lock(a_);
  Lock(y1);
  EXPECT_EQ(Kinds().front(), "recursive");
}
INSTANTIATE_TEST_SUITE_P(ControlAndDecoy, NestedBeforeTest, ::testing::Bool());

// ---- N3: FN-3. The right order was seen before.

int ByOrderKey(const LockMap& held, const LockMap& next) {
  return held.order_key < next.order_key ? -1 : held.order_key > next.order_key ? 1 : 0;
}

class ComparedBeforeTest : public ValidatorRulesTest, public ::testing::WithParamInterface<bool> {};

TEST_P(ComparedBeforeTest, TheRightOrderDoesNotHideTheWrongOne) {
  const LockClassOptions compared{.compare = ByOrderKey};
  const LockMap low = Map("node", compared, 1);
  const LockMap high = Map("node", compared, 2);
  if (GetParam()) {
    Nest({&low, &high});
    EXPECT_THAT(Kinds(), IsEmpty());
  }
  Nest({&high, &low});
  EXPECT_THAT(Kinds(), ElementsAre("recursive"));
}
INSTANTIATE_TEST_SUITE_P(ControlAndDecoy, ComparedBeforeTest, ::testing::Bool());

// The other things that the kernel leaves out of its chain key.
TEST_F(ValidatorRulesTest, AnAttemptSeenBeforeDoesNotHideABlockingAcquisition) {
  Nest({&a_, &b_});
  Lock(b_);
  Try(a_);
  UnlockAll();
  EXPECT_THAT(Kinds(), IsEmpty());
  Nest({&b_, &a_});
  EXPECT_THAT(Kinds(), ElementsAre("circular"));
}

TEST_F(ValidatorRulesTest, AnUncheckedAcquisitionSeenBeforeDoesNotHideACheckedOne) {
  Nest({&a_, &b_});
  Lock(b_);
  validator_.Acquire(task_, a_, Mode::kExclusive, {.check = false});
  UnlockAll();
  EXPECT_THAT(Kinds(), IsEmpty());
  Nest({&b_, &a_});
  EXPECT_THAT(Kinds(), ElementsAre("circular"));
}

// ---- N4: waiting for all holders without taking the lock.

TEST_F(ValidatorRulesTest, SyncIsADependencyAndHoldsNothing) {
  Lock(a_);
  validator_.Sync(task_, b_, Mode::kExclusive, {});
  EXPECT_EQ(task_.held().size(), 1u);
  Lock(c_);  // would depend on B if that were held
  UnlockAll();
  Nest({&c_, &b_});
  EXPECT_THAT(Kinds(), IsEmpty());
  Nest({&b_, &a_});
  EXPECT_THAT(Kinds(), ElementsAre("circular"));
  EXPECT_FALSE(validator_.violations()[0].cycle.back().to_sync);
}

TEST_F(ValidatorRulesTest, SyncThatClosesACycleIsFoundAndShownAsSuch) {
  Nest({&b_, &a_});
  Lock(a_);
  validator_.Sync(task_, b_, Mode::kExclusive, {});
  EXPECT_THAT(Kinds(), ElementsAre("circular"));
  EXPECT_TRUE(validator_.violations()[0].acquiring.sync);
}

// Readers of an SRCU domain do not wait for its writers, so only a section around the wait is a deadlock.
TEST_F(ValidatorRulesTest, SyncInTheReadSectionThatItWaitsForIsRecursion) {
  Lock(a_, Mode::kSharedRecursive);
  validator_.Sync(task_, a_, Mode::kExclusive, {});
  EXPECT_THAT(Kinds(), ElementsAre("recursive"));
}

TEST_F(ValidatorRulesTest, SyncAsAReaderDoesNotWaitForReaders) {
  Lock(a_, Mode::kSharedRecursive);
  validator_.Sync(task_, a_, Mode::kSharedRecursive, {});
  EXPECT_THAT(Kinds(), IsEmpty());
}

TEST_F(ValidatorRulesTest, ReadSectionsAroundALockAndASyncUnderItAreACycle) {
  Lock(a_, Mode::kSharedRecursive);
  Lock(b_);
  UnlockAll();
  Lock(b_);
  validator_.Sync(task_, a_, Mode::kSharedRecursive, {});
  EXPECT_THAT(Kinds(), IsEmpty());
  validator_.Sync(task_, a_, Mode::kExclusive, {});
  EXPECT_THAT(Kinds(), ElementsAre("circular"));
}

// ---- N5: downgrade, re-keying, pins.

TEST_F(ValidatorRulesTest, ADowngradedLockIsAReaderFromThenOn) {
  Lock(a_);
  validator_.Downgrade(task_, a_, Mode::kShared);
  EXPECT_TRUE(validator_.AssertHeldShared(task_, a_));
  EXPECT_THAT(Kinds(), IsEmpty());
  validator_.Downgrade(task_, a_, Mode::kShared);
  EXPECT_THAT(Kinds(), ElementsAre("api-assert"));
}

TEST_F(ValidatorRulesTest, ADowngradedHolderDoesNotBlockRecursiveReaders) {
  Lock(a_);
  validator_.Downgrade(task_, a_, Mode::kShared);
  Lock(b_);
  UnlockAll();
  Lock(b_);
  Lock(a_, Mode::kSharedRecursive);
  UnlockAll();
  EXPECT_THAT(Kinds(), IsEmpty());
  Nest({&a_, &b_});  // the control: not downgraded
  EXPECT_THAT(Kinds(), ElementsAre("circular"));
}

TEST_F(ValidatorRulesTest, DowngradeOfALockThatIsNotHeldIsReported) {
  validator_.Downgrade(task_, a_, Mode::kShared);
  EXPECT_THAT(Kinds(), ElementsAre("bad-unlock"));
}

TEST_F(ValidatorRulesTest, AHeldLockThatChangesItsClassIsJudgedInItsNewOne) {
  Nest({&d_, &b_});
  LockMap moved = Map("A");
  Lock(b_);
  Lock(moved);
  EXPECT_THAT(Kinds(), IsEmpty());
  validator_.SetClass(task_, moved, d_.lock_class, 0);
  EXPECT_THAT(Kinds(), ElementsAre("circular"));
}

TEST_F(ValidatorRulesTest, WhatIsHeldAboveALockThatChangesItsClassIsJudgedAgain) {
  Nest({&c_, &d_});
  LockMap moved = Map("A");
  Lock(moved);
  Lock(c_);
  EXPECT_THAT(Kinds(), IsEmpty());
  validator_.SetClass(task_, moved, d_.lock_class, 0);
  EXPECT_THAT(Kinds(), ElementsAre("circular"));
  EXPECT_EQ(validator_.violations()[0].conflicting.node, "D");
  UnlockAll();
  EXPECT_EQ(task_.chain_key(), kEmptyChainKey);
}

TEST_F(ValidatorRulesTest, ASubclassOfAHeldLockCanBeSetSoThatItsClassNests) {
  LockMap first = Map("A");
  const LockMap second = Map("A");
  Lock(first);
  validator_.SetClass(task_, first, first.lock_class, 1);
  Lock(second);
  EXPECT_THAT(Kinds(), IsEmpty());
}

TEST_F(ValidatorRulesTest, ALockThatIsNotHeldChangesItsClassInSilence) {
  Nest({&d_, &b_});
  LockMap moved = Map("A");
  validator_.SetClass(task_, moved, d_.lock_class, 0);
  EXPECT_THAT(Kinds(), IsEmpty());
  Nest({&b_, &moved});
  EXPECT_THAT(Kinds(), ElementsAre("circular"));
}

TEST_F(ValidatorRulesTest, APinnedLockMustNotBeReleased) {
  Lock(a_);
  const uint32_t cookie = validator_.Pin(task_, a_);
  validator_.Unpin(task_, a_, cookie);
  Unlock(a_);
  EXPECT_THAT(Kinds(), IsEmpty());
  Lock(a_);
  validator_.Pin(task_, a_);
  Unlock(a_);
  EXPECT_THAT(Kinds(), ElementsAre("pinned"));
  EXPECT_TRUE(task_.held().empty());
}

TEST_F(ValidatorRulesTest, PinsNestAndArePutBack) {
  Lock(a_);
  const uint32_t first = validator_.Pin(task_, a_);
  const uint32_t second = validator_.Pin(task_, a_);
  EXPECT_NE(first, second);
  validator_.Unpin(task_, a_, first);
  validator_.Repin(task_, a_, first);
  validator_.Unpin(task_, a_, second);
  validator_.Unpin(task_, a_, first);
  Unlock(a_);
  EXPECT_THAT(Kinds(), IsEmpty());
}

TEST_F(ValidatorRulesTest, PinsThatDoNotMatchAreReported) {
  validator_.Pin(task_, a_);  // not held
  EXPECT_EQ(Kinds().size(), 1u);
  Lock(a_);
  validator_.Unpin(task_, a_, 1);  // not pinned
  EXPECT_EQ(Kinds().size(), 2u);
  const uint32_t cookie = validator_.Pin(task_, a_);
  validator_.Unpin(task_, a_, cookie + 1);
  EXPECT_THAT(Kinds(), ElementsAre("pinned", "pinned", "pinned"));
}

// ---- N6: subclasses.

TEST_F(ValidatorRulesTest, SubclassesNestInOneOrderOnly) {
  const LockMap parent = Map("inode");
  const LockMap child = Map("inode");
  for (int subclass = 1; subclass < kSubclasses; ++subclass) {
    Lock(parent);
    validator_.Acquire(task_, child, Mode::kExclusive, {.subclass = subclass});
    UnlockAll();
  }
  EXPECT_THAT(Kinds(), IsEmpty());
  validator_.Acquire(task_, child, Mode::kExclusive, {.subclass = 3});
  Lock(parent);
  EXPECT_THAT(Kinds(), ElementsAre("circular"));
  EXPECT_EQ(validator_.violations()[0].acquiring.node, "inode");
  EXPECT_EQ(validator_.violations()[0].conflicting.node, "inode/3");
}

TEST_F(ValidatorRulesTest, OneSubclassDoesNotNestInItself) {
  const LockMap first = Map("inode");
  const LockMap second = Map("inode");
  validator_.Acquire(task_, first, Mode::kExclusive, {.subclass = 5});
  validator_.Acquire(task_, second, Mode::kExclusive, {.subclass = 5});
  EXPECT_THAT(Kinds(), ElementsAre("recursive"));
}

TEST_F(ValidatorRulesTest, ASubclassOutOfRangeIsABrokenRule) {
  validator_.Acquire(task_, a_, Mode::kExclusive, {.subclass = 7});
  EXPECT_THAT(Kinds(), IsEmpty());
  validator_.Acquire(task_, b_, Mode::kExclusive, {.subclass = 8});
  EXPECT_THAT(Kinds(), ElementsAre("api-assert"));
  UnlockAll();
}

// ---- N7: keys that come and go.

TEST_F(ValidatorRulesTest, AClassOfReusedKeyMemoryInheritsNothing) {
  const LockClassId old_class = validator_.RegisterKey(0x1000, "device");
  const LockMap old_lock = validator_.NewMap(old_class);
  Nest({&a_, &old_lock});
  validator_.UnregisterClass(task_, old_class);
  const LockClassId new_class = validator_.RegisterKey(0x1000, "driver");
  EXPECT_NE(new_class, old_class);
  const LockMap new_lock = validator_.NewMap(new_class);
  Nest({&new_lock, &a_});
  EXPECT_THAT(Kinds(), IsEmpty());
  Nest({&a_, &new_lock});  // the control: an inversion of the new class itself
  EXPECT_THAT(Kinds(), ElementsAre("circular"));
}

TEST_F(ValidatorRulesTest, AKeyThatStaysKeepsItsDependencies) {
  const LockMap lock = validator_.NewMap(validator_.RegisterKey(0x1000, "device"));
  Nest({&a_, &lock});
  const LockMap again = validator_.NewMap(validator_.RegisterKey(0x1000, "device"));
  Nest({&again, &a_});
  EXPECT_THAT(Kinds(), ElementsAre("circular"));
}

TEST_F(ValidatorRulesTest, OrdersThatPassedThroughAnUnregisteredClassStay) {
  const LockClassId passing = validator_.RegisterKey(0x2000, "passing");
  const LockMap middle = validator_.NewMap(passing);
  Nest({&a_, &middle, &b_});
  validator_.UnregisterClass(task_, passing);
  Nest({&b_, &a_});
  EXPECT_THAT(Kinds(), ElementsAre("circular"));
}

TEST_F(ValidatorRulesTest, KeysOfOneNameAreToldApart) {
  const LockMap first = validator_.NewMap(validator_.RegisterKey(0x1000, "queue"));
  const LockMap second = validator_.NewMap(validator_.RegisterKey(0x1008, "queue"));
  Nest({&first, &second});
  EXPECT_THAT(Kinds(), IsEmpty());
  Nest({&second, &first});
  ASSERT_THAT(Kinds(), ElementsAre("circular"));
  EXPECT_EQ(validator_.violations()[0].signature, "circular: queue > queue#2");
}

TEST_F(ValidatorRulesTest, AKeyMustNotGoAwayWhileALockOfItIsHeld) {
  const LockClassId keyed = validator_.RegisterKey(0x1000, "device");
  const LockMap lock = validator_.NewMap(keyed);
  Lock(lock);
  validator_.UnregisterClass(task_, keyed);
  EXPECT_THAT(Kinds(), ElementsAre("held-freed"));
  UnlockAll();
}

// ---- N8: release out of order.

TEST_F(ValidatorRulesTest, AfterAReleaseInTheMiddleTheChainIsThatOfTheRest) {
  Nest({&a_, &c_});
  Lock(a_);
  Lock(c_);
  const uint64_t key = task_.chain_key();
  UnlockAll();
  Lock(a_);
  Lock(b_);
  Lock(c_);
  Unlock(b_);
  EXPECT_EQ(task_.chain_key(), key);
  Unlock(a_);
  Unlock(c_);
  EXPECT_EQ(task_.chain_key(), kEmptyChainKey);
}

TEST_F(ValidatorRulesTest, ALockReleasedInTheMiddleMakesNoFurtherDependencies) {
  Lock(a_);
  Try(b_);
  Unlock(a_);
  Lock(c_);  // B -> C, not A -> C
  UnlockAll();
  Nest({&c_, &a_});
  EXPECT_THAT(Kinds(), IsEmpty());
  Nest({&c_, &b_});
  EXPECT_THAT(Kinds(), ElementsAre("circular"));
}

// ---- N9: attempts.

TEST_F(ValidatorRulesTest, ALockTakenByAttemptBlocksOthers) {
  Try(a_);
  Lock(b_);
  UnlockAll();
  EXPECT_THAT(Kinds(), IsEmpty());
  Nest({&b_, &a_});
  EXPECT_THAT(Kinds(), ElementsAre("circular"));
}

TEST_F(ValidatorRulesTest, AnAttemptWaitsForNobody) {
  Nest({&a_, &b_});
  Lock(b_);
  Try(a_);
  UnlockAll();
  EXPECT_THAT(Kinds(), IsEmpty());
}

// ---- N18: many reports, each once.

TEST_F(ValidatorRulesTest, EachViolationOfARunIsReportedOnce) {
  for (int i = 0; i < 3; ++i) {
    Nest({&a_, &b_});
    Nest({&b_, &a_});
    Nest({&c_, &d_});
    Nest({&d_, &c_});
    Unlock(a_);
  }
  EXPECT_THAT(Kinds(), ElementsAre("circular", "circular", "bad-unlock"));
  EXPECT_GE(validator_.stats().suppressed, 2u);
  validator_.BeginRun();
  EXPECT_THAT(Kinds(), IsEmpty());
  Nest({&a_, &b_});
  EXPECT_THAT(Kinds(), IsEmpty());
  Nest({&b_, &a_});
  EXPECT_THAT(Kinds(), ElementsAre("circular"));
}

}  // namespace
}  // namespace ordeal::lockdep
