// Waits and events: each bug with its clean twin, each from one benign execution that runs to its end.
//
// The order of the calls is the order of the execution; nobody is ever blocked in it.
#include "lockdep/runtime/event.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "lockdep/runtime/event_fixture_for_test.h"
#include "lockdep/runtime/history.h"

namespace ordeal::lockdep {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class EventTest : public EventFixture {};

// ---- the trigger's window (scenario 12 of the survey)

TEST_F(EventTest, ATriggerAfterALockThatTheWaiterHolds) {
  Visit(one_, a_);
  e_.Trigger(one_);
  Take(two_, a_);
  Await(two_, e_);
  Drop(two_, a_);
  EXPECT_THAT(Found(), ElementsAre("circular: A > E"));
}

TEST_F(EventTest, TheLockIsTakenOnlyAfterTheTrigger) {
  e_.Trigger(one_);
  Visit(one_, a_);
  Take(two_, a_);
  Await(two_, e_);
  Drop(two_, a_);
  EXPECT_THAT(Found(), IsEmpty());
}

TEST_F(EventTest, TheWaiterDoesNotHoldTheLock) {
  Visit(one_, a_);
  e_.Trigger(one_);
  Visit(two_, a_);
  Await(two_, e_);
  EXPECT_THAT(Found(), IsEmpty());
}

TEST_F(EventTest, TheTriggerComesWhileTheWaiterWaits) {
  Visit(one_, a_);
  Take(two_, a_);
  e_.BeginWait(two_);
  e_.Trigger(one_);
  e_.EndWait(two_);
  Drop(two_, a_);
  EXPECT_THAT(Found(), ElementsAre("circular: A > E"));
}

TEST_F(EventTest, TheWaiterWaitsForAnotherTrigger) {
  Visit(one_, a_);
  Take(two_, a_);
  e_.BeginWait(two_);
  e_.Trigger(three_);
  e_.EndWait(two_);
  Drop(two_, a_);
  e_.Trigger(one_);
  EXPECT_THAT(Found(), IsEmpty());
}

TEST_F(EventTest, OneCallBeforeTheTrigger) {
  Visit(one_, a_);
  Take(two_, a_);
  e_.Wait(two_);
  e_.Trigger(one_);
  Drop(two_, a_);
  EXPECT_THAT(Found(), ElementsAre("circular: A > E"));
}

TEST_F(EventTest, OneCallBeforeATriggerThatIsFree) {
  Take(two_, a_);
  e_.Wait(two_);
  e_.Trigger(one_);
  Drop(two_, a_);
  Visit(one_, a_);
  e_.Trigger(one_);
  EXPECT_THAT(Found(), IsEmpty());
}

TEST_F(EventTest, OneCallAfterTheTrigger) {
  Visit(one_, a_);
  e_.Trigger(one_);
  Take(two_, a_);
  e_.Wait(two_);
  Drop(two_, a_);
  EXPECT_THAT(Found(), ElementsAre("circular: A > E"));
}

TEST_F(EventTest, OneCallEndsWithTheTasksNextEvent) {
  Take(two_, a_);
  e_.Wait(two_);  // somebody unknown satisfies it
  Drop(two_, a_);
  f_.Trigger(two_);
  Visit(one_, a_);
  e_.Trigger(one_);
  EXPECT_THAT(Found(), IsEmpty());
}

TEST_F(EventTest, ALoopTakesTheLockBeforeItsSecondTrigger) {
  e_.Trigger(one_);
  Visit(one_, a_);
  e_.Trigger(one_);
  Take(two_, a_);
  Await(two_, e_);
  Drop(two_, a_);
  EXPECT_THAT(Found(), ElementsAre("circular: A > E"));
}

TEST_F(EventTest, TheWindowBeginsAtTheLastTriggerOfTheClass) {
  Event other(validator_, EventClass("E"), "other");
  Visit(one_, a_);
  other.Trigger(one_);
  e_.Trigger(one_);
  Take(two_, a_);
  Await(two_, e_);
  Drop(two_, a_);
  EXPECT_THAT(Found(), IsEmpty());
  Await(three_, other);
  EXPECT_THAT(Found(), IsEmpty());
}

TEST_F(EventTest, TheTriggersOfOtherClassesDoNotEndTheWindow) {
  Visit(one_, a_);
  f_.Trigger(one_);
  e_.Trigger(one_);
  Take(two_, a_);
  Await(two_, e_);
  Drop(two_, a_);
  EXPECT_THAT(Found(), ElementsAre("circular: A > E"));
}

TEST_F(EventTest, AnotherInstanceOfTheEventIsAnotherEvent) {
  Event other(validator_, EventClass("E"), "other");
  Visit(one_, a_);
  e_.Trigger(one_);
  other.Trigger(three_);
  Take(two_, a_);
  Await(two_, other);
  Drop(two_, a_);
  EXPECT_THAT(Found(), IsEmpty());
}

TEST_F(EventTest, AcquisitionsAreForgottenUnlessAskedFor) {
  Validator validator;
  TaskContext one("one"), two("two");
  LockMap a = validator.NewMap(validator.RegisterClass("A"), "a");
  Event e(validator, validator.RegisterClass("E", {.is_event = true}));
  for (const bool remember : {false, true}) {
    validator.BeginRun();
    one.Reset("one");
    two.Reset("two");
    if (remember) validator.RememberAcquisitions(one);
    validator.Acquire(one, a, Mode::kExclusive, {});
    validator.Release(one, a);
    e.Trigger(one);
    validator.Acquire(two, a, Mode::kExclusive, {});
    e.Wait(two);
    validator.Release(two, a);
    EXPECT_EQ(validator.violations().size(), remember ? 1u : 0u);
  }
}

// ---- what another schedule cannot change: fork, join, other events, arming

TEST_F(EventTest, TheLockIsTakenAfterAnEarlierWaitForTheSameEvent) {
  Visit(one_, a_);
  e_.Trigger(one_);
  Await(two_, e_);
  Take(two_, a_);
  Await(two_, e_);
  Drop(two_, a_);
  EXPECT_THAT(Found(), IsEmpty());
}

TEST_F(EventTest, TheEarlierWaitCameAfterATriggerBeforeTheLock) {
  e_.Trigger(one_);
  Await(two_, e_);
  Visit(one_, a_);
  e_.Trigger(one_);
  Take(two_, a_);
  Await(two_, e_);
  Drop(two_, a_);
  EXPECT_THAT(Found(), ElementsAre("circular: A > E"));
}

TEST_F(EventTest, AnotherEventOrdersTheLocks) {
  Visit(one_, a_);
  f_.Trigger(one_);
  e_.Trigger(one_);
  Await(two_, f_);
  Take(two_, a_);
  Await(two_, e_);
  Drop(two_, a_);
  EXPECT_THAT(Found(), IsEmpty());
}

TEST_F(EventTest, TheOtherEventDoesNotOrderThem) {
  f_.Trigger(one_);
  Visit(one_, a_);
  e_.Trigger(one_);
  Await(two_, f_);
  Take(two_, a_);
  Await(two_, e_);
  Drop(two_, a_);
  EXPECT_THAT(Found(), ElementsAre("circular: A > E"));
}

TEST_F(EventTest, AChainOfEventsOrdersTheLocks) {
  Visit(one_, a_);
  f_.Trigger(one_);
  Await(three_, f_);
  g_.Trigger(three_);
  Await(two_, g_);
  e_.Trigger(one_);
  Take(two_, a_);
  Await(two_, e_);
  Drop(two_, a_);
  EXPECT_THAT(Found(), IsEmpty());
}

TEST_F(EventTest, ForkOrdersTheLocks) {
  Visit(one_, a_);
  validator_.Fork(one_, 2);
  e_.Trigger(one_);
  Take(two_, a_);
  Await(two_, e_);
  Drop(two_, a_);
  EXPECT_THAT(Found(), IsEmpty());
}

TEST_F(EventTest, AForkBeforeTheLockDoesNot) {
  validator_.Fork(one_, 2);
  Visit(one_, a_);
  e_.Trigger(one_);
  Take(two_, a_);
  Await(two_, e_);
  Drop(two_, a_);
  EXPECT_THAT(Found(), ElementsAre("circular: A > E"));
}

TEST_F(EventTest, JoinOrdersTheLocks) {
  Visit(one_, a_);
  e_.Trigger(one_);
  validator_.Join(two_, 1);
  Take(two_, a_);
  Await(two_, e_);
  Drop(two_, a_);
  EXPECT_THAT(Found(), IsEmpty());
}

TEST_F(EventTest, AJoinOfAnotherTaskDoesNot) {
  Visit(one_, a_);
  e_.Trigger(one_);
  validator_.Join(two_, 3);
  Take(two_, a_);
  Await(two_, e_);
  Drop(two_, a_);
  EXPECT_THAT(Found(), ElementsAre("circular: A > E"));
}

// A bit that the task sets after it has been in the lock: whoever waits for it finds it set, so the lock is behind.
TEST_F(EventTest, WhatCameBeforeTheEventWasArmedCannotDelayIt) {
  Visit(one_, a_);
  e_.Arm(one_);
  e_.Trigger(one_);
  Take(two_, a_);
  Await(two_, e_);
  Drop(two_, a_);
  EXPECT_THAT(Found(), IsEmpty());
}

TEST_F(EventTest, WhatCameAfterCan) {
  e_.Arm(one_);
  Visit(one_, a_);
  e_.Trigger(one_);
  Take(two_, a_);
  Await(two_, e_);
  Drop(two_, a_);
  EXPECT_THAT(Found(), ElementsAre("circular: A > E"));
}

TEST_F(EventTest, ArmedAnewTheOldTriggerSatisfiesNobody) {
  Visit(one_, a_);
  e_.Trigger(one_);
  e_.Arm(three_);
  Take(two_, a_);
  e_.BeginWait(two_);
  e_.Trigger(three_);
  e_.EndWait(two_);
  Drop(two_, a_);
  EXPECT_THAT(Found(), IsEmpty());
}

TEST_F(EventTest, AnEventForgottenAndMadeAgainAtItsPlaceStartsAfresh) {
  auto event = std::make_unique<Event>(validator_, EventClass("E"));
  Visit(one_, a_);
  event->Trigger(one_);
  validator_.ForgetEvent(event->map());
  Take(two_, a_);
  Await(two_, *event);
  Drop(two_, a_);
  EXPECT_THAT(Found(), IsEmpty());
}

TEST_F(EventTest, ATaskIsNotInItsOwnWay) {
  Visit(one_, a_);
  e_.Trigger(one_);
  Take(one_, a_);
  Await(one_, e_);
  Drop(one_, a_);
  EXPECT_THAT(Found(), IsEmpty());
}

// A wait that holds nothing, or other locks, does not make the trigger's window a dependency of those that follow.
TEST_F(EventTest, EachWaitIsJudgedByWhatItHoldsItself) {
  Visit(one_, a_);
  e_.Trigger(one_);
  Take(two_, b_);
  Await(two_, e_);
  Drop(two_, b_);
  Take(two_, a_);
  Await(two_, e_);
  Drop(two_, a_);
  EXPECT_THAT(Found(), IsEmpty());
}

// ---- memory and threads

TEST_F(EventTest, AMillionAcquisitionsOfFewLocksLoseNothing) {
  Visit(one_, a_);
  for (int i = 0; i < 1'000'000; ++i) Visit(one_, i % 2 == 0 ? b_ : a_);
  Visit(one_, b_);
  e_.Trigger(one_);
  EXPECT_EQ(validator_.stats().forgotten, 0u);
  Take(two_, a_);
  Await(two_, e_);
  Drop(two_, a_);
  EXPECT_THAT(Found(), ElementsAre("circular: A > E"));
}

TEST(AcquisitionHistoryTest, KeepsTheNewestOfEachLockAndThenOfEachClass) {
  AcquisitionHistory history;
  std::vector<LockMap> maps(3 * AcquisitionHistory::kEntriesMax);
  HeldLock held;
  for (const LockMap& map : maps) {
    held.map = &map;
    held.word = ChainWord(NodeOf(LockClassId{1}, 0), Mode::kExclusive);
    history.Add(held);
  }
  EXPECT_LE(history.Since(0).size(), AcquisitionHistory::kEntriesMax);
  EXPECT_EQ(history.Since(0).back().map, &maps.back());
  EXPECT_GT(history.TakeForgotten(), 0u);
  EXPECT_EQ(history.TakeForgotten(), 0u);
  EXPECT_EQ(history.count(), maps.size());
}

TEST(AcquisitionHistoryTest, DropsTheOldestOfTooManyClasses) {
  AcquisitionHistory history;
  const LockMap map;
  HeldLock held;
  held.map = &map;
  const uint32_t classes = 3 * AcquisitionHistory::kEntriesMax;
  for (uint32_t i = 1; i <= classes; ++i) {
    held.word = ChainWord(NodeOf(LockClassId{i}, 0), Mode::kExclusive);
    history.Add(held);
  }
  const auto kept = history.Since(0);
  EXPECT_LE(kept.size(), AcquisitionHistory::kEntriesMax);
  EXPECT_EQ(kept.size() + history.TakeForgotten(), classes);
  EXPECT_EQ(kept.back().number, classes);
}

TEST(AcquisitionHistoryTest, WhatDidNotWaitIsNotKept) {
  AcquisitionHistory history;
  const LockMap map;
  HeldLock held;
  held.map = &map;
  for (const uint64_t how : {kTrylock, kUnchecked, kTrylock | kOwed}) {
    held.word = ChainWord(NodeOf(LockClassId{1}, 0), Mode::kExclusive) | how;
    history.Add(held);
  }
  EXPECT_THAT(history.Since(0), IsEmpty());
}

TEST(EventThreadsTest, ManyThreadsTriggerAndWait) {
  constexpr int kThreads = 4;
  Validator validator;
  const LockClassId lock_class = validator.RegisterClass("lock");
  const LockClassId event_class = validator.RegisterClass("event", {.is_event = true});
  std::vector<std::unique_ptr<Event>> events;
  for (int i = 0; i < kThreads; ++i) events.push_back(std::make_unique<Event>(validator, event_class, "event", i));
  std::vector<std::thread> threads;
  for (uint32_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      TaskContext task("thread", t + 1);
      validator.Attach(task);
      validator.RememberAcquisitions(task);
      const LockMap own = validator.NewMap(lock_class, "own", t);
      for (int i = 0; i < 2000; ++i) {
        validator.Acquire(task, own, Mode::kExclusive, {});
        validator.Release(task, own);
        events[t]->Trigger(task);
        events[(t + 1) % kThreads]->Wait(task);
      }
      validator.Detach(task);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(validator.Violations(), IsEmpty());
}

// Graded while it runs, a cycle of more than one edge gets the same answers.
TEST(EventGradeTest, ACycleByWayOfAnEventIsFeasible) {
  Validator validator({.grade_online = true});
  TaskContext one("one", 1), two("two", 2), three("three", 3);
  for (TaskContext* task : {&one, &two, &three}) {
    validator.Attach(*task);
    validator.RememberAcquisitions(*task);
  }
  const LockMap a = validator.NewMap(validator.RegisterClass("A"), "a");
  const LockMap b = validator.NewMap(validator.RegisterClass("B"), "b");
  Event e(validator, validator.RegisterClass("E", {.is_event = true}));
  validator.Acquire(one, b, Mode::kExclusive, {});
  validator.Release(one, b);
  e.Trigger(one);
  validator.Acquire(two, a, Mode::kExclusive, {});
  e.Wait(two);
  validator.Release(two, a);
  validator.Acquire(three, b, Mode::kExclusive, {});
  validator.Acquire(three, a, Mode::kExclusive, {});
  validator.Release(three, a);
  validator.Release(three, b);
  ASSERT_THAT(validator.violations(), SizeIs(1));
  EXPECT_EQ(validator.violations()[0].grade, Grade::kFeasible);
  for (TaskContext* task : {&one, &two, &three}) validator.Detach(*task);
}

}  // namespace
}  // namespace ordeal::lockdep
