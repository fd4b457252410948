// Turning validation off and on, the handler, threads and their names.

#include "lockdep/locks/validation.h"

#include <atomic>

#include "lockdep/locks/findings_for_test.h"
#include "lockdep/runtime/validator.h"

namespace ordeal::lockdep {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class ValidationTest : public FindingsTest {};

void TakeBoth(Mutex& first, Mutex& second) {
  const MutexLock outer(first);
  const MutexLock inner(second);
}

TEST_F(ValidationTest, OffSeesNothingAndOnSeesAgain) {
  Mutex a("off a"), b("off b");
  SetValidation(false);
  InTurn({[&] { TakeBoth(a, b); }, [&] { TakeBoth(b, a); }});
  EXPECT_THAT(Found(), IsEmpty());
  SetValidation(true);
  InTurn({[&] { TakeBoth(a, b); }, [&] { TakeBoth(b, a); }});
  EXPECT_THAT(Found(), SizeIs(1));
}

// Every kind of lock, acquired on one side of the switch and released on the other, in both directions.
TEST_F(ValidationTest, LocksHeldAcrossASwitchAreBalanced) {
  for (const bool first : {false, true}) {
    InTurn({[first] {
      Mutex mutex("switched");
      SharedMutex shared("switched shared");
      RecursiveMutex recursive("switched recursive");
      SpinLock spin("switched spin");
      SetValidation(first);
      mutex.Lock();
      shared.ReaderLock();
      recursive.Lock();
      recursive.Lock();
      spin.Lock();
      SetValidation(!first);
      spin.Unlock();
      recursive.Lock();
      recursive.Unlock();
      recursive.Unlock();
      recursive.Unlock();
      shared.ReaderUnlock();
      mutex.Unlock();
      mutex.Lock();
      mutex.Unlock();
      SetValidation(first);
      mutex.Lock();
      mutex.Unlock();
      SetValidation(true);
    }});
    EXPECT_THAT(Found(), IsEmpty());
  }
}

TEST_F(ValidationTest, AConditionWaitAcrossASwitchIsBalanced) {
  for (const bool first : {false, true}) {
    Mutex mutex("switched by waiter");
    ConditionVariable switched("switched");
    bool done = false;
    SetValidation(first);
    Together({[&] {
                const MutexLock lock(mutex);
                while (!done) switched.Wait(mutex);
              },
              [&] {
                const MutexLock lock(mutex);
                SetValidation(!first);
                done = true;
                switched.NotifyAll();
              }});
    SetValidation(true);
    InTurn({[&] { const MutexLock lock(mutex); }});
    EXPECT_THAT(Found(), IsEmpty());
  }
}

TEST_F(ValidationTest, SwitchingWhileThreadsRunReportsNothing) {
  Mutex a("flicker a"), b("flicker b");
  SharedMutex c("flicker c");
  std::atomic<bool> stop{false};
  const auto work = [&] {
    while (!stop) {
      const MutexLock x(a);
      const ReaderLock y(c);
      const MutexLock z(b);
    }
  };
  Together({work, work, [&] {
              for (int i = 0; i < 2000; ++i) SetValidation(i % 2 == 0);
              stop = true;
            }});
  SetValidation(true);
  EXPECT_THAT(Found(), IsEmpty());
}

TEST_F(ValidationTest, AHandlerMayTakeLocksAndIsCalledOnceForEachViolation) {
  Mutex log("log"), a("handler a"), b("handler b");
  int calls = 0;
  SetViolationHandler([&](const Violation&) {
    const MutexLock lock(log);
    ++calls;
  });
  for (int i = 0; i < 3; ++i) InTurn({[&] { TakeBoth(a, b); }, [&] { TakeBoth(b, a); }, [&] { TakeBoth(log, a); }});
  EXPECT_EQ(calls, 1);
}

TEST_F(ValidationTest, ThreadsHaveTheNamesTheyAreGiven) {
  Mutex a("named a"), b("named b");
  InTurn({[&] { SetThreadName("reader"); TakeBoth(a, b); },
          [&] {
            EXPECT_TRUE(SetThreadName("writer"));
            TakeBoth(b, a);
            const MutexLock lock(a);
            EXPECT_FALSE(SetThreadName("too late"));
          }});
  const std::vector<Violation> found = Violations();
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].task, "writer");
  EXPECT_EQ(found[0].cycle[0].task, "reader");
}

TEST_F(ValidationTest, AThreadsStateIsUsedAgainByLaterThreads) {
  Mutex a("many threads");
  const uint64_t before = ProcessValidator().stats().tasks;
  for (int i = 0; i < 200; ++i) InTurn({[&] { const MutexLock lock(a); }});
  EXPECT_EQ(ProcessValidator().stats().tasks, before);
  EXPECT_THAT(Found(), IsEmpty());
}

// The validator's mutex is taken for what is new, and for nothing else: not for known orders, nor for new locks of a known
// class, in whatever thread.
TEST_F(ValidationTest, KnownOrdersTakeNoMutex) {
  const auto work = [] {
    for (int i = 0; i < 1000; ++i) {
      Mutex a("warm a"), b("warm b");
      SharedMutex c("warm c");
      const MutexLock x(a);
      const ReaderLock y(c);
      const std::lock_guard z(b);
    }
  };
  InTurn({work});
  const uint64_t before = ProcessValidator().stats().slow_acquires;
  Together({work, work});
  EXPECT_EQ(ProcessValidator().stats().slow_acquires, before);
  EXPECT_THAT(Found(), IsEmpty());
}

// A lock taken by a thread_local destructor, behind which the thread's state goes.
TEST_F(ValidationTest, ThreadLocalDestructorsMayLock) {
  static Mutex mutex("by destructor");
  struct Locks {
    ~Locks() { const MutexLock lock(mutex); }
    int touched = 0;
  };
  InTurn({[] { static thread_local Locks locks; locks.touched = 1; const MutexLock lock(mutex); }});
  EXPECT_THAT(Found(), IsEmpty());
}

void DieOfAViolation() {
  SetViolationHandler(nullptr);
  SetAbortOnViolation(true);
  Mutex a("death a"), b("death b");
  TakeBoth(a, b);
  TakeBoth(b, a);
}

TEST_F(ValidationTest, WithoutAHandlerTheSplatGoesToStderrAndAbortEndsTheProcess) {
  EXPECT_DEATH(DieOfAViolation(), "possible circular locking dependency detected");
}

TEST_F(ValidationTest, ABackTraceIsKeptWhenAskedFor) {
  SetBacktraces(true);
  Mutex a("trace a"), b("trace b");
  InTurn({[&] { TakeBoth(a, b); }, [&] { TakeBoth(b, a); }});
  SetBacktraces(false);
  const std::vector<Violation> found = Violations();
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_THAT(found[0].acquiring.backtrace, testing::Contains(HasSubstr("TakeBoth")));
}

}  // namespace
}  // namespace ordeal::lockdep
