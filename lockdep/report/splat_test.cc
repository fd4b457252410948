// The texts are golden and whole: what a kernel developer recognises is the whole form.

#include "lockdep/report/splat.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lockdep/runtime/validator.h"

namespace ordeal::lockdep {
namespace {

using ::testing::HasSubstr;

class SplatTest : public ::testing::Test {
 protected:
  LockMap NewLock(const char* name, const char* instance = "", uint32_t number = 0) {
    return validator_.NewMap(validator_.RegisterClass(name), instance, number);
  }
  LockMap NewSpinlock(const char* name) {
    return validator_.NewMap(validator_.RegisterClass(name, {.inner = WaitType::kConfig}));
  }
  void Take(TaskContext& task, const LockMap& lock, int line, Mode mode = Mode::kExclusive) {
    validator_.Acquire(task, lock, mode, {.site = {"x.cc", line}});
  }
  void EnterHardirq(TaskContext& task) {
    validator_.EnterHardirq(task);
    validator_.DisableHardirqs(task);
  }
  // One task takes two locks, at `line` and the next, and releases them.
  void Nest(const char* name, const LockMap& outer, const LockMap& inner, int line, Mode inner_mode = Mode::kExclusive) {
    TaskContext task(name);
    Take(task, outer, line);
    Take(task, inner, line + 1, inner_mode);
    validator_.Release(task, inner);
    validator_.Release(task, outer);
  }
  const Violation& Only() {
    EXPECT_EQ(validator_.violations().size(), 1u);
    return validator_.violations().at(0);
  }

  Validator validator_;
};

TEST_F(SplatTest, ShowsACycleOfThreeWithBothSitesOfEachDependency) {
  const LockMap a = NewLock("A", "a", 1);
  const LockMap b = NewLock("B", "b", 2);
  const LockMap c = NewLock("C", "c", 3);
  Nest("one", a, b, 10, Mode::kShared);
  Nest("two", b, c, 20, Mode::kShared);
  EXPECT_TRUE(validator_.violations().empty());
  Nest("three", c, a, 30, Mode::kShared);
  EXPECT_EQ(Only().signature, "circular: A > B > C");
  EXPECT_EQ(RenderSplat(Only()), R"(======================================================
WARNING: possible circular locking dependency detected
ordeal circular
------------------------------------------------------
three is trying to acquire lock:
a 1 (A){++++}-{4:4}, at: x.cc:31 (shared)

but task is already holding lock:
c 3 (C){++++}-{4:4}, at: x.cc:30

which lock already depends on the new lock.


the existing dependency chain (in reverse order) is:

-> #2 (C):
       acquired at x.cc:21 (shared) by two
       while holding B, acquired at x.cc:20

-> #1 (B):
       acquired at x.cc:11 (shared) by one
       while holding A, acquired at x.cc:10

-> #0 (A):
       acquired at x.cc:31 (shared) by three
       while holding C, acquired at x.cc:30

other info that might help us debug this:

Chain exists of:
  A --> B --> C

 Possible unsafe locking scenario:

       CPU0                    CPU1                    CPU2
       ----                    ----                    ----
  lock(C);
                               lock(A);
                                                       lock(B);
                               rlock(B);
                                                       rlock(C);
  rlock(A);

 *** DEADLOCK ***

2 locks held by three:
 #0: c 3 (C){++++}-{4:4}, at: x.cc:30
 #1: a 1 (A){++++}-{4:4}, at: x.cc:31 (shared)

grade: order
)");
  EXPECT_EQ(SummarizeViolation(Only()), "lock order cycle A > B > C > A");
}

// The two columns of the kernel, to the blank.
TEST_F(SplatTest, ShowsTwoColumnsAndWhatTheKernelDoesNot) {
  const LockMap a = NewLock("&a->mutex");
  const LockMap b = NewLock("&b->mutex");
  Nest("first", a, b, 10);
  Nest("second", b, a, 20);
  Violation violation = Only();
  violation.grade = Grade::kConfirmed;
  violation.grade_reason = "schedule found";
  violation.instances = {"1 x first", "1 x second"};
  violation.hint = "47 of 48 sites take &a->mutex before &b->mutex; the odd one is x.cc:21";
  violation.corpus_file = "corpora/x.txtpb";
  violation.acquiring.backtrace = {"Lock() x.cc:21", "main() x.cc:99"};
  violation.cycle[0].backtrace = {"Lock() x.cc:11"};
  EXPECT_EQ(RenderSplat(violation), R"(======================================================
WARNING: possible circular locking dependency detected
ordeal circular
------------------------------------------------------
second is trying to acquire lock:
(&a->mutex){+.+.}-{4:4}, at: x.cc:21

but task is already holding lock:
(&b->mutex){+.+.}-{4:4}, at: x.cc:20

which lock already depends on the new lock.


the existing dependency chain (in reverse order) is:

-> #1 (&b->mutex):
       acquired at x.cc:11 by first
         Lock() x.cc:11
       while holding &a->mutex, acquired at x.cc:10

-> #0 (&a->mutex):
       acquired at x.cc:21 by second
       while holding &b->mutex, acquired at x.cc:20

other info that might help us debug this:

 Possible unsafe locking scenario:

       CPU0                    CPU1
       ----                    ----
  lock(&b->mutex);
                               lock(&a->mutex);
                               lock(&b->mutex);
  lock(&a->mutex);

 *** DEADLOCK ***

2 locks held by second:
 #0: (&b->mutex){+.+.}-{4:4}, at: x.cc:20
 #1: (&a->mutex){+.+.}-{4:4}, at: x.cc:21

grade: confirmed (schedule found)
needs: 1 x first, 1 x second
hint: 47 of 48 sites take &a->mutex before &b->mutex; the odd one is x.cc:21
replay: ordeal replay corpora/x.txtpb

stack backtrace:
 Lock() x.cc:21
 main() x.cc:99
)");
}

TEST_F(SplatTest, ShowsRecursion) {
  const LockMap first = NewLock("i_rwsem", "inode", 1);
  const LockMap second = NewLock("i_rwsem", "inode", 2);
  TaskContext task("rename");
  Take(task, first, 1);
  Take(task, second, 2);
  EXPECT_EQ(RenderSplat(Only()), R"(============================================
WARNING: possible recursive locking detected
ordeal recursive
--------------------------------------------
rename is trying to acquire lock:
inode 2 (i_rwsem){+.+.}-{4:4}, at: x.cc:2

but task is already holding lock:
inode 1 (i_rwsem){+.+.}-{4:4}, at: x.cc:1

other info that might help us debug this:
 Possible unsafe locking scenario:

       CPU0
       ----
  lock(i_rwsem);
  lock(i_rwsem);

 *** DEADLOCK ***

 May be due to missing lock nesting notation

2 locks held by rename:
 #0: inode 1 (i_rwsem){+.+.}-{4:4}, at: x.cc:1
 #1: inode 2 (i_rwsem){+.+.}-{4:4}, at: x.cc:2

grade: order
)");
}

TEST_F(SplatTest, ShowsAnInconsistentState) {
  const LockMap lock = NewSpinlock("lock");
  TaskContext handler("handler");
  EnterHardirq(handler);
  Take(handler, lock, 1);
  validator_.Release(handler, lock);
  validator_.LeaveHardirq(handler);
  TaskContext task("task");
  Take(task, lock, 5);
  EXPECT_EQ(RenderSplat(Only()), R"(================================
WARNING: inconsistent lock state
ordeal inconsistent-state
--------------------------------
inconsistent {IN-HARDIRQ-W} -> {HARDIRQ-ON-W} usage.
task [HC0[0]:SC0[0]:HE1:SE1] takes:
(lock){?...}-{3:3}, at: x.cc:5
{IN-HARDIRQ-W} state was registered at:
  x.cc:1 by handler

other info that might help us debug this:
 Possible unsafe locking scenario:

       CPU0
       ----
  lock(lock);
  <Interrupt>
    lock(lock);

 *** DEADLOCK ***

1 lock held by task:
 #0: (lock){?...}-{3:3}, at: x.cc:5

grade: order
)");
}

TEST_F(SplatTest, ShowsAnIrqOrder) {
  const LockMap safe = NewSpinlock("safe");
  const LockMap middle = NewSpinlock("middle");
  const LockMap unsafe = NewSpinlock("unsafe");
  TaskContext handler("handler");
  validator_.EnterSoftirq(handler);
  validator_.DisableSoftirqs(handler);
  Take(handler, safe, 1);
  validator_.Release(handler, safe);
  validator_.LeaveSoftirq(handler);
  TaskContext task("task");
  Take(task, unsafe, 4);
  validator_.Release(task, unsafe);
  validator_.DisableSoftirqs(task);
  Take(task, middle, 6);
  Take(task, unsafe, 7);
  validator_.Release(task, unsafe);
  validator_.Release(task, middle);
  Take(task, safe, 10);
  Take(task, middle, 11);
  EXPECT_EQ(RenderSplat(Only()), R"(===========================================================
WARNING: SOFTIRQ-safe -> SOFTIRQ-unsafe lock order detected
ordeal irq-order(soft)
-----------------------------------------------------------
task [HC0[0]:SC0[0]:HE1:SE0] is trying to acquire:
(middle){+...}-{3:3}, at: x.cc:11

and this task is already holding:
(safe){+.-.}-{3:3}, at: x.cc:10
which would create a new lock dependency:
 (safe){+.-.}-{3:3} -> (middle){+...}-{3:3}

but this new dependency connects a SOFTIRQ-irq-safe lock:
 (safe)

... which became SOFTIRQ-irq-safe at:
  x.cc:1 by handler

to a SOFTIRQ-irq-unsafe lock:
 (unsafe)

... which became SOFTIRQ-irq-unsafe at:
  x.cc:4 by task

other info that might help us debug this:

Chain exists of:
  safe --> middle --> unsafe

 Possible interrupt unsafe locking scenario:

       CPU0                    CPU1                    CPU2
       ----                    ----                    ----
  lock(unsafe);
                               local_irq_disable();
                               lock(safe);
                                                       lock(middle);
                               lock(middle);
                                                       lock(unsafe);
  <Interrupt>
    lock(safe);

 *** DEADLOCK ***

2 locks held by task:
 #0: (safe){+.-.}-{3:3}, at: x.cc:10
 #1: (middle){+...}-{3:3}, at: x.cc:11

the dependencies between SOFTIRQ-irq-safe lock and the holding lock:
none: it is the holding lock

the dependencies between the lock to be acquired
 and SOFTIRQ-irq-unsafe lock:
-> (unsafe):
       acquired at x.cc:7 by task
       while holding middle, acquired at x.cc:6

grade: order
)");
}

TEST_F(SplatTest, ShowsAnIrqInversion) {
  const LockMap inner = NewSpinlock("inner");
  const LockMap outer = NewSpinlock("outer");
  TaskContext task("task");
  validator_.DisableHardirqs(task);
  Take(task, outer, 1);
  Take(task, inner, 2);
  validator_.Release(task, inner);
  validator_.Release(task, outer);
  validator_.EnableHardirqs(task);
  Take(task, inner, 5);
  validator_.Release(task, inner);
  TaskContext handler("handler");
  EnterHardirq(handler);
  Take(handler, outer, 9);
  EXPECT_EQ(RenderSplat(Only()), R"(========================================================
WARNING: possible irq lock inversion dependency detected
ordeal irq-inversion
--------------------------------------------------------
handler just changed the state of lock:
(outer){-...}-{3:3}, at: x.cc:9
but this lock took another, HARDIRQ-unsafe lock in the past:
 (inner)

... which became so at:
  x.cc:5 by task

and interrupts could create inverse lock ordering between them.


other info that might help us debug this:
 Possible interrupt unsafe locking scenario:

       CPU0                    CPU1
       ----                    ----
  lock(inner);
                               local_irq_disable();
                               lock(outer);
                               lock(inner);
  <Interrupt>
    lock(outer);

 *** DEADLOCK ***

1 lock held by handler:
 #0: (outer){-...}-{3:3}, at: x.cc:9

the shortest dependencies between 2nd lock and 1st lock:
-> (inner):
       acquired at x.cc:2 by task
       while holding outer, acquired at x.cc:1

grade: order
)");
}

// The rest: no scenario, one fact.
TEST_F(SplatTest, ShowsWhatHappened) {
  const LockMap lock = NewLock("lock", "it");
  TaskContext task("task");
  validator_.Release(task, lock, {"x.cc", 1});
  EXPECT_EQ(RenderSplat(Only()), R"(=====================================
WARNING: bad unlock balance detected!
ordeal bad-unlock
-------------------------------------
task is trying to release lock (lock) at:
x.cc:1
but there are no more locks to release!

other info that might help us debug this:
no locks held by task.
)");
  const LockMap spin = NewSpinlock("spin");
  Take(task, spin, 2);
  Take(task, lock, 3);
  EXPECT_EQ(RenderSplat(validator_.violations().at(1)), R"(=============================
[ BUG: Invalid wait context ]
ordeal wait-context
-----------------------------
task is trying to lock:
it (lock){....}-{4:4}, at: x.cc:3
other info that might help us debug this:
context-{3:3}
made by holding:
(spin){+.+.}-{3:3}, at: x.cc:2
2 locks held by task:
 #0: (spin){+.+.}-{3:3}, at: x.cc:2
 #1: it (lock){....}-{4:4}, at: x.cc:3
)");
}

// What is neither a lock nor plainly shared: events, waits for holders, the modes of a lock kind.
TEST_F(SplatTest, NamesEventsAndModes) {
  const LockMap lock = NewLock("dlm");
  const LockMap event = validator_.NewMap(validator_.RegisterClass("io done", {.is_event = true}));
  TaskContext waiter("waiter");
  Take(waiter, lock, 1);
  validator_.Wait(waiter, event, {.site = {"x.cc", 2}});
  validator_.Release(waiter, lock);
  TaskContext worker("worker");
  validator_.Owe(worker, event, {"x.cc", 5});
  Take(worker, lock, 6);
  Violation violation = Only();
  violation.acquiring.mode_name = violation.cycle.back().to_mode_name = "PR";
  const std::string text = RenderSplat(violation);
  EXPECT_THAT(text, HasSubstr("(dlm){+.+.}-{4:4}, at: x.cc:6 (PR)\n"));
  EXPECT_THAT(text, HasSubstr("       waited for at x.cc:2 by waiter\n       while holding dlm, acquired at x.cc:1\n"));
  EXPECT_THAT(text, HasSubstr("       acquired at x.cc:6 (PR) by worker\n"
                              "       while owing io done, owed or triggered at x.cc:5\n"));
  EXPECT_THAT(text, HasSubstr(R"(
  owes(io done);
                               lock(dlm);
                               wait(io done);
  lock(dlm, PR);
)"));
}

TEST_F(SplatTest, EveryKindHasATitleBetweenRulesOfItsLengthAndASummary) {
  for (int kind = 0; kind <= static_cast<int>(ViolationKind::kApiAssert); ++kind) {
    Violation violation;
    violation.kind = static_cast<ViolationKind>(kind);
    violation.task = "task";
    violation.acquiring.node = "lock";
    violation.message = "it is so";
    violation.variant = "hard";
    for (UsageReport* usage : {&violation.safe, &violation.unsafe}) *usage = {"lock", "", {"x.cc", 1}, "task"};
    violation.cycle = {{.from = "lock", .to = "other", .task = "task"}, {.from = "other", .to = "lock", .task = "task"}};
    violation.safe.state = "IN-HARDIRQ-W";
    violation.unsafe.state = "HARDIRQ-ON-W";
    const std::string text = RenderSplat(violation);
    const size_t title = text.find('\n') + 1;
    const size_t length = text.find('\n', title) - title;
    EXPECT_EQ(text.substr(0, title), std::string(length, '=') + "\n");
    EXPECT_THAT(text, HasSubstr("\nordeal " + violation.KindText() + "\n" + std::string(length, '-') + "\n"));
    EXPECT_THAT(text, HasSubstr("held"));
    EXPECT_NE(SummarizeViolation(violation), "lock rule broken");
    EXPECT_EQ(text.find(" \n"), std::string::npos) << text;
  }
}

}  // namespace
}  // namespace ordeal::lockdep
