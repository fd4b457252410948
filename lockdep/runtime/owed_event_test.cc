// Owed events, timed waits, locks that another context releases, cluster locks and work queues: each bug with its clean twin,
// each from one benign execution that runs to its end.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lockdep/runtime/event.h"
#include "lockdep/runtime/event_fixture_for_test.h"

namespace ordeal::lockdep {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class OwedEventTest : public EventFixture {};

// ---- owed events

TEST_F(OwedEventTest, WhatOwesTheEventTakesTheWaitersLock) {
  Take(two_, a_);
  Await(two_, e_);
  Drop(two_, a_);
  Owed promise(e_, one_);
  Visit(one_, a_);
  EXPECT_THAT(Found(), ElementsAre("circular: A > E"));
}

TEST_F(OwedEventTest, WhatOwesTheEventTakesTheLockAfterwards) {
  Take(two_, a_);
  Await(two_, e_);
  Drop(two_, a_);
  Owed promise(e_, one_);
  promise.Trigger();
  Visit(one_, a_);
  EXPECT_THAT(Found(), IsEmpty());
}

TEST_F(OwedEventTest, OwingUnderALockIsNoDependency) {
  Take(one_, a_);
  e_.Owe(one_);
  Drop(one_, a_);
  e_.Trigger(one_);
  Owed promise(e_, two_);
  Visit(two_, a_);
  EXPECT_THAT(Found(), IsEmpty()) << "nobody waits for E";
}

TEST_F(OwedEventTest, AnOwedEventNeedsNoHistory) {
  Validator validator;
  TaskContext one("one"), two("two");
  LockMap a = validator.NewMap(validator.RegisterClass("A"), "a");
  Event e(validator, validator.RegisterClass("E", {.is_event = true}));
  e.Owe(one);
  validator.Acquire(one, a, Mode::kExclusive, {});
  validator.Release(one, a);
  e.Trigger(one);
  validator.Acquire(two, a, Mode::kExclusive, {});
  e.Wait(two);
  EXPECT_THAT(validator.violations(), SizeIs(1));
}

TEST_F(OwedEventTest, TheOwerWaitsForItsOwnEvent) {
  e_.Owe(one_);
  Await(one_, e_);
  e_.Trigger(one_);
  EXPECT_THAT(Found(), ElementsAre("recursive: E"));
}

TEST_F(OwedEventTest, TheOwerWaitsForAnotherClass) {
  f_.Trigger(two_);
  e_.Owe(one_);
  Await(one_, f_);
  e_.Trigger(one_);
  EXPECT_THAT(Found(), IsEmpty());
}

TEST_F(OwedEventTest, AnEventStillOwedAtTheEndIsReported) {
  e_.Owe(one_);
  validator_.TaskExit(one_);
  EXPECT_THAT(Found(), ElementsAre("held-at-exit: E"));
}

TEST_F(OwedEventTest, AnEventHandedOverIsNotOwedAtTheEnd) {
  Owed promise(e_, one_);
  promise.HandOver();
  validator_.TaskExit(one_);
  EXPECT_THAT(Found(), IsEmpty());
}

TEST_F(OwedEventTest, OwedEventsAreTriggeredInAnyOrder) {
  Event other(validator_, EventClass("E"), "other");
  e_.Owe(one_);
  other.Owe(one_);
  e_.Trigger(one_);
  other.Trigger(one_);
  EXPECT_TRUE(one_.held().empty());
  EXPECT_THAT(Found(), IsEmpty());
}

TEST_F(OwedEventTest, AnOwedTriggerHasNoWindow) {
  Visit(one_, a_);
  e_.Owe(one_);
  e_.Trigger(one_);
  Take(two_, a_);
  Await(two_, e_);
  Drop(two_, a_);
  EXPECT_THAT(Found(), IsEmpty());
}

// ---- timed waits

TEST_F(OwedEventTest, AWaitThatGivesUpIsNoDependency) {
  Visit(one_, a_);
  e_.Trigger(one_);
  Take(two_, a_);
  e_.WaitTimed(two_);
  Drop(two_, a_);
  EXPECT_THAT(Found(), IsEmpty());
}

TEST_F(OwedEventTest, AWaitThatGivesUpDelaysNoTrigger) {
  for (const bool timed : {true, false}) {
    Visit(one_, a_);
    f_.Trigger(one_);
    if (timed) {
      f_.WaitTimed(three_);
    } else {
      f_.Wait(three_);
    }
    e_.Trigger(three_);
    Take(two_, a_);
    Await(two_, e_);
    Drop(two_, a_);
    EXPECT_THAT(Found(), SizeIs(timed ? 0 : 1));
    if (timed) SetUpAgain();
  }
}

TEST_F(OwedEventTest, AWaitThatGivesUpMustStillBeAllowedToSleep) {
  const LockMap spin = validator_.NewMap(validator_.RegisterClass("spin", {.inner = WaitType::kSpin}), "spin");
  Take(one_, spin);
  e_.WaitTimed(one_);
  Drop(one_, spin);
  EXPECT_THAT(Found(), ElementsAre("wait-context: spin > E"));
}

TEST_F(OwedEventTest, ATimedWaitThatWasSatisfiedOrdersWhatFollows) {
  for (const bool ordered : {true, false}) {
    Visit(one_, a_);
    f_.Trigger(one_);
    e_.Trigger(one_);
    if (ordered) f_.WaitTimed(two_);
    TaskContext& waiter = ordered ? two_ : three_;
    Take(waiter, a_);
    Await(waiter, e_);
    Drop(waiter, a_);
    EXPECT_THAT(Found(), SizeIs(ordered ? 0 : 1));
  }
}

// ---- locks that another context releases

TEST_F(OwedEventTest, APageLockThatTheCompletionReleases) {
  const LockMap page = Lock("page_lock");
  for (const bool takes_lock : {false, true}) {
    Take(one_, page);
    validator_.HandOver(one_, page);
    // The reader goes on to take the page lock, which the completion will release, under A.
    validator_.Owe(three_, page, Site::Here());
    if (takes_lock) Visit(three_, a_);
    validator_.Release(three_, page);
    Take(two_, a_);
    Visit(two_, page);
    Drop(two_, a_);
    EXPECT_THAT(Found(), SizeIs(takes_lock ? 1 : 0));
  }
}

TEST_F(OwedEventTest, APageLockHandedOverIsNoLongerHeld) {
  const LockMap page = Lock("page_lock");
  for (const bool hand_over : {true, false}) {
    Take(two_, a_);
    Visit(two_, page);
    Drop(two_, a_);
    Take(one_, page);
    if (hand_over) validator_.HandOver(one_, page);
    Visit(one_, a_);
    if (!hand_over) Drop(one_, page);
    EXPECT_THAT(Found(), SizeIs(hand_over ? 0 : 1));
  }
}

TEST_F(OwedEventTest, AWritebackBitSetUnderThePageLock) {
  Event writeback(validator_, EventClass("writeback"));
  const LockMap page = Lock("page_lock");
  for (const bool takes_page_lock : {false, true}) {
    Take(one_, page);
    writeback.Arm(one_);
    Drop(one_, page);
    writeback.Owe(three_);  // the completion
    if (takes_page_lock) Visit(three_, page);
    writeback.Trigger(three_);
    Take(two_, page);
    Await(two_, writeback);
    Drop(two_, page);
    EXPECT_THAT(Found(), SizeIs(takes_page_lock ? 1 : 0));
  }
}

TEST_F(OwedEventTest, ACounterIsDrainedByAllThatCountedUp) {
  Event drain(validator_, EventClass("drain"));
  for (const bool inside : {false, true}) {
    drain.Owe(one_);
    drain.Owe(three_);
    if (inside) Visit(three_, a_);
    drain.Trigger(three_);
    drain.Trigger(one_);
    if (!inside) Visit(three_, a_);
    Take(two_, a_);
    Await(two_, drain);
    Drop(two_, a_);
    EXPECT_THAT(Found(), SizeIs(inside ? 1 : 0));
  }
}

TEST_F(OwedEventTest, AnUnownedCounterIsArmedByEachThatCountsUp) {
  Event drain(validator_, EventClass("drain"));
  for (const bool inside : {false, true}) {
    if (!inside) Visit(one_, a_);
    drain.Arm(three_);
    drain.Arm(one_, false);
    if (inside) Visit(one_, a_);
    drain.Trigger(three_);
    drain.Trigger(one_);
    Take(two_, a_);
    Await(two_, drain);
    Drop(two_, a_);
    EXPECT_THAT(Found(), SizeIs(inside ? 1 : 0));
  }
}

// ---- cluster locks

// A grant waits for the holder's node, whose worker owes the downconversion and takes page locks for it (B46).
TEST_F(OwedEventTest, AGrantAwaitedUnderThePageLockThatTheDownconversionTakes) {
  Event unblocked(validator_, EventClass("dlm_unblocked"));
  const LockMap page = Lock("page_lock");
  unblocked.Owe(one_);
  Visit(one_, page);
  unblocked.Trigger(one_);
  Take(two_, page);
  Await(two_, unblocked);
  Drop(two_, page);
  EXPECT_THAT(Found(), ElementsAre("circular: dlm_unblocked > page_lock"));
}

TEST_F(OwedEventTest, AGrantAwaitedBeforeThePageLock) {
  Event unblocked(validator_, EventClass("dlm_unblocked"));
  const LockMap page = Lock("page_lock");
  unblocked.Owe(one_);
  Visit(one_, page);
  unblocked.Trigger(one_);
  Await(two_, unblocked);
  Visit(two_, page);
  EXPECT_THAT(Found(), IsEmpty());
}

// ---- work queues

class WorkTest : public EventFixture {
 protected:
  // Executes an item on `pool`; it waits for `inner` if there is one, and visits `lock` if there is one.
  void Execute(TaskContext& worker, WorkPool& pool, Event& done, Event* inner, const LockMap* lock) {
    WorkExecution execution(pool, done, worker);
    if (inner != nullptr) Await(worker, *inner);
    if (lock != nullptr) Visit(worker, *lock);
  }
  LockClassId SlotClass(const char* name) { return validator_.RegisterClass(name); }

  WorkPool pool_{validator_, SlotClass("pool"), false};
  WorkPool other_pool_{validator_, SlotClass("other pool"), false};
  WorkPool rescued_{validator_, SlotClass("rescued pool"), true};
};

TEST_F(WorkTest, AFlushUnderALockThatTheWorkTakes) {
  Execute(one_, pool_, e_, nullptr, &a_);
  Take(two_, a_);
  Await(two_, e_);
  Drop(two_, a_);
  EXPECT_THAT(Found(), ElementsAre("circular: A > E"));
}

TEST_F(WorkTest, AFlushWithoutTheLock) {
  Execute(one_, pool_, e_, nullptr, &a_);
  Visit(two_, a_);
  Await(two_, e_);
  EXPECT_THAT(Found(), IsEmpty());
}

TEST_F(WorkTest, AnItemThatFlushesItself) {
  Execute(one_, pool_, e_, &e_, nullptr);
  EXPECT_THAT(Found(), ElementsAre("recursive: E", "circular: E > pool")) << "the item itself, and its slot";
}

TEST_F(WorkTest, AnItemThatWaitsForAnotherOfItsPool) {
  Execute(one_, pool_, f_, nullptr, nullptr);
  Execute(two_, pool_, e_, &f_, nullptr);
  EXPECT_THAT(Found(), ElementsAre("circular: F > pool"));
}

TEST_F(WorkTest, AnItemThatWaitsForOneOfAnotherPool) {
  Execute(one_, other_pool_, f_, nullptr, nullptr);
  Execute(two_, pool_, e_, &f_, nullptr);
  EXPECT_THAT(Found(), IsEmpty());
}

TEST_F(WorkTest, AnItemThatWaitsForAnotherOfAPoolWithARescuer) {
  Execute(one_, rescued_, f_, nullptr, nullptr);
  Execute(two_, rescued_, e_, &f_, nullptr);
  EXPECT_THAT(Found(), IsEmpty());
}

TEST_F(WorkTest, TwoPoolsWaitForEachOther) {
  Execute(one_, other_pool_, f_, nullptr, nullptr);
  Execute(two_, pool_, e_, &f_, nullptr);
  Execute(three_, pool_, g_, nullptr, nullptr);
  Execute(one_, other_pool_, f_, &g_, nullptr);
  EXPECT_THAT(Found(), ElementsAre("circular: F > other pool > G > pool", "circular: F > G > pool"));
}

TEST_F(WorkTest, ALockHeldForAnItemOfAFullPoolWhoseItemsTakeIt) {
  // Two waits for an item that takes no lock; the items before it in the pool do.
  Execute(one_, pool_, e_, nullptr, nullptr);
  Execute(one_, pool_, f_, nullptr, &a_);
  Take(two_, a_);
  Await(two_, e_);
  Drop(two_, a_);
  EXPECT_THAT(Found(), ElementsAre("circular: A > E > pool"));
}

TEST_F(WorkTest, TheItemsBeforeItHaveAPoolOfTheirOwn) {
  Execute(one_, pool_, e_, nullptr, nullptr);
  Execute(one_, other_pool_, f_, nullptr, &a_);
  Take(two_, a_);
  Await(two_, e_);
  Drop(two_, a_);
  EXPECT_THAT(Found(), IsEmpty());
}

}  // namespace
}  // namespace ordeal::lockdep
