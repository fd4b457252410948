// Kinds of acquisitions in a trigger's window, longer cycles, reports and runs: each bug with its clean twin, each from one
// benign execution that runs to its end.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "lockdep/runtime/event.h"
#include "lockdep/runtime/event_fixture_for_test.h"

namespace ordeal::lockdep {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class EventCycleTest : public EventFixture {};

// ---- kinds of acquisitions

TEST_F(EventCycleTest, ATrylockInTheWindowDelaysNothing) {
  for (const bool trylock : {true, false}) {
    validator_.Acquire(one_, a_, Mode::kExclusive, {.trylock = trylock});
    Drop(one_, a_);
    e_.Trigger(one_);
    Take(two_, a_);
    Await(two_, e_);
    Drop(two_, a_);
    EXPECT_THAT(Found(), SizeIs(trylock ? 0 : 1));
  }
}

TEST_F(EventCycleTest, ATrylockOfTheWaiterIsHeldLikeAnyLock) {
  Visit(one_, a_);
  e_.Trigger(one_);
  validator_.Acquire(two_, a_, Mode::kExclusive, {.trylock = true});
  Await(two_, e_);
  Drop(two_, a_);
  EXPECT_THAT(Found(), ElementsAre("circular: A > E"));
}

TEST_F(EventCycleTest, ARecursiveReaderIsNotHeldUpByAReader) {
  for (const Mode mode : {Mode::kSharedRecursive, Mode::kShared}) {
    Take(one_, a_, mode);
    Drop(one_, a_);
    e_.Trigger(one_);
    Take(two_, a_, Mode::kSharedRecursive);
    Await(two_, e_);
    Drop(two_, a_);
    EXPECT_THAT(Found(), SizeIs(mode == Mode::kShared ? 1 : 0)) << "a writer may queue between two plain readers";
  }
}

TEST_F(EventCycleTest, AWaitForAllHoldersIsInTheWindow) {
  for (const bool sync : {false, true}) {
    if (sync) validator_.Sync(one_, a_, Mode::kExclusive, {});
    e_.Trigger(one_);
    Take(two_, a_);
    Await(two_, e_);
    Drop(two_, a_);
    EXPECT_THAT(Found(), SizeIs(sync ? 1 : 0));
  }
}

TEST_F(EventCycleTest, InstancesOfAnOrderedClassAreNotTakenForOneAnother) {
  const LockClassId folio = validator_.RegisterClass("folio", {.ordered_by_key = true});
  const LockMap low = validator_.NewMap(folio, "folio", 1, 1), high = validator_.NewMap(folio, "folio", 2, 2);
  for (const LockMap* taken : {&high, &low}) {
    Visit(one_, *taken);
    e_.Trigger(one_);
    Take(two_, low);
    Await(two_, e_);
    Drop(two_, low);
    EXPECT_THAT(Found(), SizeIs(taken == &low ? 1 : 0));
  }
}

TEST_F(EventCycleTest, OtherInstancesOfAClassWithoutOrderAreOnlyAnOrderReport) {
  const LockClassId inode = validator_.RegisterClass("inode");
  const LockMap first = validator_.NewMap(inode, "first"), second = validator_.NewMap(inode, "second");
  Visit(one_, first);
  e_.Trigger(one_);
  Take(two_, second);
  Await(two_, e_);
  Drop(two_, second);
  ASSERT_THAT(Found(), ElementsAre("circular: E > inode"));
  EXPECT_EQ(validator_.violations()[0].grade, Grade::kOrder);
  EXPECT_EQ(validator_.violations()[0].grade_reason, "the locks were different ones of their class");
}

// ---- longer cycles

TEST_F(EventCycleTest, ThreeTasksAndTwoLocks) {
  Visit(one_, b_);
  e_.Trigger(one_);
  Take(two_, a_);
  Await(two_, e_);
  Drop(two_, a_);
  EXPECT_THAT(Found(), IsEmpty());
  Take(three_, b_);
  Visit(three_, a_);
  Drop(three_, b_);
  EXPECT_THAT(Found(), ElementsAre("circular: A > E > B"));
}

TEST_F(EventCycleTest, ThreeTasksInOneOrder) {
  Visit(one_, b_);
  e_.Trigger(one_);
  Take(two_, a_);
  Await(two_, e_);
  Drop(two_, a_);
  Take(three_, a_);
  Visit(three_, b_);
  Drop(three_, a_);
  EXPECT_THAT(Found(), IsEmpty());
}

TEST_F(EventCycleTest, ATriggerThatAwaitsATriggerThatAwaitsTheLock) {
  Visit(one_, a_);
  f_.Trigger(one_);
  Await(three_, f_);
  e_.Trigger(three_);
  Take(two_, a_);
  Await(two_, e_);
  Drop(two_, a_);
  ASSERT_THAT(Found(), ElementsAre("circular: A > E > F"));
  const std::vector<DependencyReport>& cycle = validator_.violations()[0].cycle;
  ASSERT_THAT(cycle, SizeIs(3));
  EXPECT_EQ(cycle[0].task, "two");
  EXPECT_EQ(cycle[1].task, "three");
  EXPECT_EQ(cycle[2].task, "one");
  EXPECT_EQ(cycle[2].from, "F");
  EXPECT_EQ(cycle[2].to, "A");
}

TEST_F(EventCycleTest, TheChainIsBrokenByATriggerBeforeTheWait) {
  Visit(one_, a_);
  f_.Trigger(one_);
  e_.Trigger(three_);
  Await(three_, f_);
  Take(two_, a_);
  Await(two_, e_);
  Drop(two_, a_);
  EXPECT_THAT(Found(), IsEmpty());
}

TEST_F(EventCycleTest, TheWaiterMadeTheRequestThatTheServerWaitedFor) {
  // One queues work under A without waiting; two queues work under A and waits for the server, which two itself has woken.
  Take(one_, a_);
  f_.Trigger(one_);
  Drop(one_, a_);
  Take(two_, a_);
  e_.BeginWait(two_);
  f_.Trigger(two_);
  Drop(two_, a_);
  Await(three_, f_);
  e_.Trigger(three_);
  e_.EndWait(two_);
  EXPECT_THAT(Found(), IsEmpty());
}

TEST_F(EventCycleTest, TwoEventsTriggeredCrosswise) {
  // Each waits for the other's event before it triggers its own; both had been triggered before.
  e_.Trigger(three_);
  f_.Trigger(three_);
  e_.Owe(one_);
  Await(one_, f_);
  e_.Trigger(one_);
  f_.Owe(two_);
  Await(two_, e_);
  f_.Trigger(two_);
  EXPECT_THAT(Found(), ElementsAre("circular: E > F"));
}

TEST_F(EventCycleTest, TwoEventsInOneDirection) {
  f_.Trigger(three_);
  e_.Owe(one_);
  Await(one_, f_);
  e_.Trigger(one_);
  f_.Owe(two_);
  f_.Trigger(two_);
  Await(two_, e_);
  EXPECT_THAT(Found(), IsEmpty());
}

TEST_F(EventCycleTest, RequestAndReplyInTurn) {
  for (int round = 0; round < 20; ++round) {
    Take(one_, a_);
    f_.Trigger(one_);
    Await(two_, f_);
    Visit(two_, b_);
    e_.Trigger(two_);
    Await(one_, e_);
    Drop(one_, a_);
  }
  EXPECT_THAT(Found(), IsEmpty());
}

TEST_F(EventCycleTest, RequestAndReplyWithTheRequestersLock) {
  for (int round = 0; round < 2; ++round) {
    f_.Trigger(one_);
    Await(two_, f_);
    Visit(two_, a_);
    e_.Trigger(two_);
    Take(one_, a_);
    Await(one_, e_);
    Drop(one_, a_);
  }
  EXPECT_THAT(Found(), ElementsAre("circular: A > E"));
}

// ---- reports and runs

TEST_F(EventCycleTest, AReportNamesBothTasksAndAllFourSites) {
  Visit(one_, a_, {"one.cc", 1});
  e_.Trigger(one_, {"one.cc", 2});
  Take(two_, a_, Mode::kExclusive, {"two.cc", 1});
  Await(two_, e_, {"two.cc", 2});
  ASSERT_THAT(Found(), SizeIs(1));
  const Violation& violation = validator_.violations()[0];
  EXPECT_EQ(violation.kind, ViolationKind::kCircular);
  EXPECT_EQ(violation.task, "one");
  EXPECT_EQ(violation.acquiring.node, "A");
  EXPECT_EQ(violation.conflicting.node, "E");
  EXPECT_TRUE(violation.conflicting.event);
  EXPECT_EQ(violation.grade, Grade::kFeasible);
  EXPECT_THAT(violation.instances, ElementsAre("1 x two", "1 x one"));
  ASSERT_THAT(violation.cycle, SizeIs(2));
  const DependencyReport& wait = violation.cycle[0];
  EXPECT_EQ(wait.from + wait.to + wait.task, "AEtwo");
  EXPECT_TRUE(wait.to_event);
  EXPECT_EQ(wait.from_site.ToString(), "two.cc:1");
  EXPECT_EQ(wait.to_site.ToString(), "two.cc:2");
  const DependencyReport& trigger = violation.cycle[1];
  EXPECT_EQ(trigger.from + trigger.to + trigger.task, "EAone");
  EXPECT_TRUE(trigger.from_event);
  EXPECT_EQ(trigger.from_site.ToString(), "one.cc:2");
  EXPECT_EQ(trigger.to_site.ToString(), "one.cc:1");
}

TEST_F(EventCycleTest, EachRunIsJudgedByItself) {
  for (int run = 0; run < 4; ++run) {
    const bool bug = run % 2 == 1;
    SetUpAgain();
    Visit(one_, b_);
    if (bug) Visit(one_, a_);
    e_.Trigger(one_);
    Take(two_, a_);
    Await(two_, e_);
    Drop(two_, a_);
    EXPECT_THAT(Found(), SizeIs(bug ? 1 : 0)) << run;
  }
}

TEST_F(EventCycleTest, ALongCycleIsFoundInEachRunThatHasBothHalves) {
  for (int run = 0; run < 6; ++run) {
    SetUpAgain();
    if (run % 3 != 1) {
      Visit(one_, b_);
      e_.Trigger(one_);
      Take(two_, a_);
      Await(two_, e_);
      Drop(two_, a_);
    }
    if (run % 3 != 0) {
      Take(three_, b_);
      Visit(three_, a_);
      Drop(three_, b_);
    }
    EXPECT_THAT(Found(), SizeIs(run % 3 == 2 ? 1 : 0)) << run;
  }
}

TEST_F(EventCycleTest, OneSightingIsReportedOnce) {
  for (int i = 0; i < 5; ++i) {
    Visit(one_, a_);
    e_.Trigger(one_);
    Take(two_, a_);
    Await(two_, e_);
    Drop(two_, a_);
  }
  EXPECT_THAT(Found(), SizeIs(1));
}

}  // namespace
}  // namespace ordeal::lockdep
