// What threads wait for, in pairs: the wait that can last for ever is found from a run in which it did not, and the clean
// twin is silent.

#include <atomic>
#include <chrono>
#include <memory>
#include <queue>

#include "lockdep/locks/findings_for_test.h"

namespace ordeal::lockdep {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using namespace std::chrono_literals;

class EventTest : public FindingsTest {
 protected:
  template <class First, class Second>
  static void AcquireBoth(First& first, Second& second) {
    first.Acquire();
    second.Acquire();
    second.Release();
    first.Release();
  }
};

TEST_F(EventTest, BinarySemaphoresUsedAsLocksInOppositeOrdersAreFound) {
  Semaphore a(1, "sem a"), b(1, "sem b");
  InTurn({[&] { AcquireBoth(a, b); }, [&] { AcquireBoth(b, a); }});
  EXPECT_THAT(Found(), ElementsAre("circular: sem a > sem b"));
}

TEST_F(EventTest, BinarySemaphoresUsedAsLocksInOneOrderAreSilent) {
  Semaphore a(1, "sem2 a"), b(1, "sem2 b");
  InTurn({[&] { AcquireBoth(a, b); }, [&] { AcquireBoth(a, b); }, [&] { AcquireBoth(a, b); }});
  EXPECT_THAT(Found(), IsEmpty());
}

TEST_F(EventTest, ASemaphoreAndAMutexInOppositeOrdersAreFound) {
  Semaphore a(1, "sem3");
  Mutex b("mutex3");
  const auto semaphore_first = [&] {
    a.Acquire();
    { const MutexLock inner(b); }
    a.Release();
  };
  const auto mutex_first = [&] {
    const MutexLock outer(b);
    a.Acquire();
    a.Release();
  };
  InTurn({semaphore_first, semaphore_first});
  EXPECT_THAT(Found(), IsEmpty());
  InTurn({mutex_first});
  EXPECT_THAT(Found(), ElementsAre("circular: mutex3 > sem3"));
}

// A bounded buffer: each semaphore is acquired by one thread and released by the other, and the mutex nests in both.
TEST_F(EventTest, ABoundedBufferIsSilent) {
  Semaphore spaces(2, "spaces"), items(0, "items");
  Mutex mutex("buffer");
  std::queue<int> buffer;
  int sum = 0;
  const auto produce = [&] {
    for (int i = 1; i <= 100; ++i) {
      spaces.Acquire();
      { const MutexLock lock(mutex); buffer.push(i); }
      items.Release();
    }
  };
  const auto consume = [&] {
    for (int i = 1; i <= 100; ++i) {
      items.Acquire();
      { const MutexLock lock(mutex); sum += buffer.front(); buffer.pop(); }
      spaces.Release();
    }
  };
  Together({produce, consume});
  EXPECT_EQ(sum, 5050);
  EXPECT_THAT(Found(), IsEmpty());
}

// One token that goes round between two threads, as a baton and not as a lock.
TEST_F(EventTest, ABinarySemaphoreThatAnotherThreadReleasesIsSilent) {
  Semaphore ping(1, "ping"), pong(0, "pong");
  Mutex mutex("table");
  int turns = 0;
  const auto play = [&](Semaphore& mine, Semaphore& other) {
    for (int i = 0; i < 50; ++i) {
      mine.Acquire();
      { const MutexLock lock(mutex); ++turns; }
      other.Release();
    }
  };
  Together({[&] { play(ping, pong); }, [&] { play(pong, ping); }});
  EXPECT_EQ(turns, 100);
  EXPECT_THAT(Found(), IsEmpty());
}

// The acquirer of a learned lock outlives the semaphore, whose token another thread brought back.
TEST_F(EventTest, ASemaphoreMayGoBeforeItsLastAcquirer) {
  Mutex mutex("outlives");
  auto baton = std::make_unique<Semaphore>(1, "short-lived baton");
  InTurn({[&] {
    baton->Acquire();
    baton->Release();
    baton->Acquire();
    std::thread([&] { baton->Release(); }).join();
    baton.reset();
    { const MutexLock lock(mutex); }
    mutex.Unlock();  // the report lists what the thread holds
  }});
  EXPECT_THAT(Found(), ElementsAre("bad-unlock: outlives"));
}

TEST_F(EventTest, APoolThatIsDeclaredALockIsHeldBetweenAcquireAndRelease) {
  Semaphore pool(4, "pool", SemaphoreUse::kLock);
  Mutex mutex("pool mutex");
  InTurn({[&] { pool.Acquire(); { const MutexLock lock(mutex); } pool.Release(); }});
  EXPECT_THAT(Found(), IsEmpty());
  InTurn({[&] { const MutexLock lock(mutex); pool.Acquire(); pool.Release(); }});
  EXPECT_THAT(Found(), ElementsAre("circular: pool > pool mutex"));
}

// T1 needs A before it completes; T2 waits with A held. This time T1 came first.
TEST_F(EventTest, WaitingForACompletionWithALockThatItsCompleterNeedsIsFound) {
  Completion done("done");
  Mutex a("done a");
  InTurn({[&] { { const MutexLock lock(a); } done.Complete(); }, [&] { const MutexLock lock(a); done.Wait(); }});
  EXPECT_THAT(Found(), SizeIs(1));
}

TEST_F(EventTest, WaitingForACompletionWithALockThatItsCompleterDoesNotNeedIsSilent) {
  Completion done("done2"), timed("done3");
  Mutex a("done2 a"), b("done2 b");
  InTurn({[&] { { const MutexLock lock(b); } done.Complete(); }, [&] { const MutexLock lock(a); done.Wait(); }});
  EXPECT_THAT(Found(), IsEmpty());
  InTurn({[&] { { const MutexLock lock(a); } timed.Complete(); },
          [&] { const MutexLock lock(a); EXPECT_TRUE(timed.WaitFor(10s)); }});
  EXPECT_THAT(Found(), IsEmpty());  // it would have ended by itself
}

TEST_F(EventTest, WhatAParentDidBeforeItStartedTheWaiterCannotDelayIt) {
  Mutex a("startup");
  { const MutexLock lock(a); }
  Completion go("go");
  Thread waiter("waiter", [&] { const MutexLock lock(a); go.Wait(); });
  go.Complete();
  waiter.Join();
  EXPECT_THAT(Found(), IsEmpty());
}

TEST_F(EventTest, ACompletionLetsOnePassOrAll) {
  Completion one("one"), all("all");
  one.Complete();
  one.Wait();
  EXPECT_FALSE(one.TryWait());
  all.CompleteAll();
  all.Wait();
  EXPECT_TRUE(all.TryWait());
  all.Reset();
  EXPECT_FALSE(all.WaitFor(1ms));
  EXPECT_THAT(Found(), IsEmpty());
}

// The notifier was done with `outer` before the waiter took it: luck, for nothing ordered them. `held`: what the waiter holds.
void WaitUnder(Mutex& held, Mutex& outer, Mutex& mutex, ConditionVariable& opened) {
  bool waits = false, open = false;
  std::atomic<bool> notifier_was_there{false};
  std::thread notifier([&] {
    { const MutexLock lock(outer); }
    notifier_was_there = true;
    while (!open) {
      const MutexLock lock(mutex);
      if (!waits) continue;
      open = true;
      opened.NotifyAll();
    }
  });
  while (!notifier_was_there) std::this_thread::yield();
  {
    const MutexLock lock(held);
    const MutexLock inner(mutex);
    waits = true;
    opened.Wait(mutex, [&] { return open; });
  }
  notifier.join();
}

TEST_F(EventTest, WaitingOnAConditionUnderALockThatTheNotifierNeedsIsFound) {
  Mutex outer("outer"), mutex("gate");
  ConditionVariable opened("opened");
  InTurn({[&] { WaitUnder(outer, outer, mutex, opened); }});
  const std::vector<Violation> found = Violations();
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].kind, ViolationKind::kCircular);
}

TEST_F(EventTest, WaitingOnAConditionUnderAnotherLockIsSilent) {
  Mutex held("held 2"), outer("outer 2"), mutex("gate 2");
  ConditionVariable opened("opened 2");
  InTurn({[&] { WaitUnder(held, outer, mutex, opened); }});
  EXPECT_THAT(Found(), IsEmpty());
}

TEST_F(EventTest, AProducerAndAConsumerWithTwoConditionsAreSilent) {
  Mutex mutex("queue");
  ConditionVariable not_empty("not empty"), not_full("not full");
  std::queue<int> queue;
  int sum = 0;
  const auto produce = [&] {
    for (int i = 1; i <= 200; ++i) {
      const MutexLock lock(mutex);
      not_full.Wait(mutex, [&] { return queue.size() < 2; });
      queue.push(i);
      not_empty.NotifyOne();
    }
  };
  const auto consume = [&] {
    for (int i = 1; i <= 200; ++i) {
      const MutexLock lock(mutex);
      not_empty.Wait(mutex, [&] { return !queue.empty(); });
      sum += queue.front();
      queue.pop();
      not_full.NotifyOne();
    }
  };
  Together({produce, consume});
  EXPECT_EQ(sum, 20100);
  EXPECT_THAT(Found(), IsEmpty());
}

// Taking the mutex again behind the wait is an acquisition under the locks that the waiter kept.
TEST_F(EventTest, TakingTheMutexAgainUnderAnotherLockIsADependency) {
  Mutex mutex("retaken"), kept("kept");
  ConditionVariable never("never");
  InTurn({[&] {
    const MutexLock lock(mutex);
    const MutexLock inner(kept);  // mutex -> kept
    EXPECT_FALSE(never.WaitFor(mutex, 1ms));
  }});
  EXPECT_THAT(Found(), ElementsAre("circular: kept > retaken"));
}

TEST_F(EventTest, WaitingOnAConditionWithoutItsMutexIsFound) {
  auto* mutex = new Mutex("not taken");
  ConditionVariable condition("condition");
  InTurn({[&] { const MutexLock lock(*mutex); EXPECT_FALSE(condition.WaitFor(*mutex, 1ms)); }});
  EXPECT_THAT(Found(), IsEmpty());
  InTurn({[&] {
    mutex->native().lock();
    EXPECT_FALSE(condition.WaitFor(*mutex, 1ms));
    mutex->native().unlock();
  }});
  EXPECT_THAT(Found(), ElementsAre("bad-unlock: not taken"));
  delete mutex;
}

TEST_F(EventTest, ALockHeldAtABarrierThatAnotherThreadNeedsToArriveIsFound) {
  Barrier barrier(2, "barrier");
  Mutex a("barrier a");
  Completion first("first at barrier");
  Together({[&] { { const MutexLock lock(a); } first.Complete(); barrier.ArriveAndWait(); },
            [&] {
              while (!first.TryWait()) std::this_thread::yield();  // a trial orders nothing
              const MutexLock lock(a);
              barrier.ArriveAndWait();
            }});
  EXPECT_THAT(Found(), SizeIs(1));
}

TEST_F(EventTest, ALockHeldAtABarrierByOneThreadAloneIsSilent) {
  Barrier barrier(3, "barrier2");
  Mutex a("barrier2 a"), b("barrier2 b");
  const auto with_b = [&] {
    for (int i = 0; i < 5; ++i) {
      { const MutexLock lock(b); }
      barrier.ArriveAndWait();
    }
  };
  Together({with_b, with_b, [&] {
              for (int i = 0; i < 5; ++i) {
                const MutexLock lock(a);
                barrier.ArriveAndWait();
              }
            }});
  EXPECT_THAT(Found(), IsEmpty());
}

TEST_F(EventTest, ASleepUnderASpinLockIsFoundEvenIfItIsTimed) {
  Completion done("slept for");
  SpinLock spin("spinning");
  InTurn({[&] { const MutexLock lock(spin); EXPECT_FALSE(done.WaitFor(1ms)); }});
  EXPECT_THAT(Found(), ElementsAre("wait-context: spinning > slept for"));
}

}  // namespace
}  // namespace ordeal::lockdep
