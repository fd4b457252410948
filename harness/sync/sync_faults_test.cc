// Faults and unfairness of the primitives: each happens where it is switched on, and never where it is not.

#include <gmock/gmock.h>

#include <functional>
#include <memory>
#include <set>

#include "harness/sync/mutex.h"
#include "harness/sync/rw_semaphore.h"
#include "harness/sync/spinlock.h"
#include "harness/sync/sync_test_fixture.h"
#include "harness/sync/two_state_lock.h"
#include "harness/sync/wait_queue.h"

namespace ordeal {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class SyncFaultsTest : public SyncTest {
 protected:
  // 100 runs of one task over `Lock`; how often `attempt` said no.
  template <typename Lock>
  int Refusals(FaultSet faults, lockdep::LockClassOptions options, std::function<bool(Lock&)> attempt) {
    SeededSource source(1);
    int refused = 0;
    for (int run = 0; run < 100; ++run) {
      const RunEnd end = Run(source, [&] {
        const bool spins = options.inner == lockdep::WaitType::kConfig;
        auto lock = std::make_unique<Lock>(sim_, sim_.Class(spins ? "spinlock" : "lock", options));
        sim_.scheduler().Spawn("task", [&, lock = lock.get()] { refused += !attempt(*lock); });
        return lock;
      }, faults);
      EXPECT_EQ(end.kind, RunEndKind::kCompleted);
      EXPECT_THAT(Violations(), IsEmpty());
    }
    return refused;
  }
};

TEST_F(SyncFaultsTest, ATrylockOfAFreeLockFailsOnlyAsAFault) {
  const auto mutex = [](Mutex& lock) {
    if (!lock.TryLock()) return false;
    lock.Unlock();
    return true;
  };
  const auto shared = [](RwSemaphore& lock) {
    if (!lock.TryLockShared()) return false;
    lock.UnlockShared();
    return true;
  };
  const auto exclusive = [](RwSemaphore& lock) {
    if (!lock.TryLockExclusive()) return false;
    lock.UnlockExclusive();
    return true;
  };
  const FaultSet on{ChoiceKind::kTrylock};
  EXPECT_EQ(Refusals<Mutex>({}, {}, mutex), 0);
  EXPECT_GT(Refusals<Mutex>(on, {}, mutex), 10);
  EXPECT_EQ(Refusals<RwSemaphore>({}, {}, shared), 0);
  EXPECT_GT(Refusals<RwSemaphore>(on, {}, shared), 10);
  EXPECT_EQ(Refusals<RwSemaphore>({}, {}, exclusive), 0);
  EXPECT_GT(Refusals<RwSemaphore>(on, {}, exclusive), 10);
  EXPECT_EQ(Refusals<Spinlock>(on, {.inner = lockdep::WaitType::kConfig}, mutex), 0) << "a spinlock's never does";
}

// --- signals ---

// Contended killable locks: exclusion holds, nobody is lost, and signals end waits only as a fault.
class KillableTest : public SyncFaultsTest {
 protected:
  template <typename Lock>
  int Killed(FaultSet faults, std::function<bool(Lock&)> lock_killable, std::function<void(Lock&)> unlock) {
    SeededSource source(2);
    int killed = 0;
    for (int run = 0; run < 300; ++run) {
      int inside = 0;
      const RunEnd end = Run(source, [&] {
        auto lock = std::make_unique<Lock>(sim_, sim_.Class("lock"));
        for (int task = 0; task < 4; ++task) {
          sim_.scheduler().Spawn("task", [&, lock = lock.get()] {
            for (int i = 0; i < 3; ++i) {
              if (!lock_killable(*lock)) {
                ++killed;
                continue;
              }
              ASSERT_EQ(++inside, 1);
              Pause();
              --inside;
              unlock(*lock);
            }
          });
        }
        return lock;
      }, faults);
      EXPECT_EQ(end.kind, RunEndKind::kCompleted);
      EXPECT_THAT(Violations(), IsEmpty());
    }
    return killed;
  }
};

TEST_F(KillableTest, ASignalEndsTheWaitForAMutexOnlyAsAFault) {
  const auto lock = [](Mutex& m) { return m.LockKillable(); };
  const auto unlock = [](Mutex& m) { m.Unlock(); };
  EXPECT_EQ(Killed<Mutex>({}, lock, unlock), 0);
  EXPECT_GT(Killed<Mutex>({ChoiceKind::kSignal}, lock, unlock), 100);
}
TEST_F(KillableTest, ASignalEndsTheWaitForARwSemaphoreOnlyAsAFault) {
  const auto lock = [](RwSemaphore& m) { return m.LockExclusiveKillable(); };
  const auto unlock = [](RwSemaphore& m) { m.UnlockExclusive(); };
  EXPECT_EQ(Killed<RwSemaphore>({}, lock, unlock), 0);
  EXPECT_GT(Killed<RwSemaphore>({ChoiceKind::kSignal}, lock, unlock), 100);
}

// A queued writer keeps readers out; when a signal takes it away they must get in.
TEST_F(KillableTest, ReadersBehindAKilledWriterGoOn) {
  SeededSource source(3);
  int killed = 0;
  for (int run = 0; run < 100; ++run) {
    const int killed_before = killed;
    const RunEnd end = Run(source, [&] {
      auto lock = std::make_shared<RwSemaphore>(sim_, sim_.Class("lock"));
      auto reader_in = std::make_shared<Completion>(sim_, sim_.Class("reader in", {.is_event = true}));
      sim_.scheduler().Spawn("first reader", [=] {
        lock->LockShared();
        reader_in->Wait();  // needs the second one, which queues behind the writer
        lock->UnlockShared();
      });
      sim_.scheduler().Spawn("writer", [&, lock] {
        sim_.scheduler().Sleep(20 * kStepNs);
        if (lock->LockExclusiveKillable()) {
          lock->UnlockExclusive();
        } else {
          ++killed;
        }
      });
      sim_.scheduler().Spawn("second reader", [&, lock, reader_in] {
        sim_.scheduler().Sleep(25 * kStepNs);
        if (!lock->LockSharedKillable()) return reader_in->Complete();
        reader_in->Complete();
        lock->UnlockShared();
      });
      return std::make_pair(lock, reader_in);
    }, {ChoiceKind::kSignal});
    if (killed > killed_before) {
      ASSERT_EQ(end.kind, RunEndKind::kCompleted);
    }
  }
  EXPECT_GT(killed, 20);
}

TEST_F(SyncFaultsTest, ASignalEndsAnInterruptibleWaitOnlyAsAFault) {
  SeededSource source(4);
  const auto interrupted = [&](FaultSet faults) {
    int count = 0;
    for (int run = 0; run < 200; ++run) {
      bool condition = false;
      const RunEnd end = Run(source, [&] {
        auto queue = std::make_unique<WaitQueue>(sim_, sim_.Class("event", {.is_event = true}));
        sim_.scheduler().Spawn("waiter", [&, queue = queue.get()] {
          if (queue->WaitUntilInterruptible([&] { return condition; })) {
            EXPECT_TRUE(condition);
          } else {
            ++count;
          }
        });
        sim_.scheduler().Spawn("waker", [&, queue = queue.get()] {
          Pause(3);
          condition = true;
          queue->WakeOne();
        });
        return queue;
      }, faults);
      EXPECT_EQ(end.kind, RunEndKind::kCompleted);
    }
    return count;
  };
  EXPECT_EQ(interrupted({}), 0);
  EXPECT_GT(interrupted({ChoiceKind::kSignal}), 20);
}

// --- spurious wake-ups ---

TEST_F(SyncFaultsTest, AWaiterWakesWithoutItsConditionOnlyAsAFault) {
  SeededSource source(5);
  const auto tests_max = [&](FaultSet faults) {
    int most = 0;
    for (int run = 0; run < 200; ++run) {
      bool condition = false;
      int tests = 0;
      const RunEnd end = Run(source, [&] {
        auto queue = std::make_unique<WaitQueue>(sim_, sim_.Class("event", {.is_event = true}));
        sim_.scheduler().Spawn("waiter", [&, queue = queue.get()] {
          queue->WaitUntil([&] { return ++tests, condition; });
          EXPECT_TRUE(condition);
        });
        sim_.scheduler().Spawn("waker", [&, queue = queue.get()] {
          sim_.scheduler().Sleep(100 * kStepNs);
          condition = true;
          queue->WakeOne();
        });
        return queue;
      }, faults);
      EXPECT_EQ(end.kind, RunEndKind::kCompleted);
      most = std::max(most, tests);
    }
    return most;
  };
  EXPECT_EQ(tests_max({}), 2) << "once before it sleeps, once when it is woken";
  EXPECT_EQ(tests_max({ChoiceKind::kSpuriousWake}), 2 + kSpuriousWakesMax);
}

// --- who is woken, who may trigger ---

TEST_F(SyncFaultsTest, OnlyAnUnorderedQueueWakesOutOfOrder) {
  SeededSource source(6);
  const auto orders = [&](bool unordered) {
    std::set<std::string> seen;
    for (int run = 0; run < 100; ++run) {
      std::string order;
      int tokens = 0;
      Run(source, [&] {
        auto queue = std::make_unique<WaitQueue>(sim_, sim_.Class("event", {.is_event = true}));
        queue->set_unordered(unordered);
        for (int i = 0; i < 3; ++i) {
          sim_.scheduler().Spawn("waiter", [&, queue = queue.get(), i] {
            sim_.scheduler().Sleep((10 + 10 * i) * kStepNs);
            queue->WaitUntil([&] { return tokens > 0; });
            --tokens;
            order += std::to_string(i);
          });
        }
        sim_.scheduler().Spawn("waker", [&, queue = queue.get()] {
          for (int i = 0; i < 3; ++i) {
            sim_.scheduler().Sleep(100 * kStepNs);
            ++tokens;
            queue->WakeOne();
          }
        });
        return queue;
      });
      seen.insert(order);
    }
    return seen;
  };
  EXPECT_THAT(orders(false), ElementsAre("012"));
  EXPECT_THAT(orders(true), SizeIs(6));
}

// A waiter for memory holds a mutex. kswapd needs it; whether the flusher, or the device, would do as well is the question.
class AnyTriggerTest : public SyncFaultsTest {
 protected:
  RunEndKind WaitForMemory(bool flusher_needs_it, bool device_too) {
    QuietSource quiet;
    return Run(quiet, [&] {
      auto mutex = std::make_shared<Mutex>(sim_, sim_.Class("mutex"));
      auto memory = std::make_shared<WaitQueue>(sim_, sim_.Class("memory", {.is_event = true}));
      auto free_pages = std::make_shared<int>(0);
      const auto reclaim = [this, memory, mutex, free_pages](bool needs_it) {
        return [=, this] {
          sim_.scheduler().Sleep(50 * kStepNs);
          if (needs_it) mutex->Lock();
          ++*free_pages;
          if (needs_it) mutex->Unlock();
          memory->WakeAll();
        };
      };
      sim_.scheduler().Spawn("allocator", [=] {
        mutex->Lock();
        memory->WaitUntil([=] { return *free_pages > 0; });
        mutex->Unlock();
      });
      const TaskId kswapd = sim_.scheduler().Spawn("kswapd", reclaim(true), TaskKind::kDaemon);
      const TaskId flusher = sim_.scheduler().Spawn("flusher", reclaim(flusher_needs_it), TaskKind::kDaemon);
      memory->set_any_trigger({kswapd, flusher}, device_too);
      if (device_too) {
        sim_.scheduler().Spawn("device", [=, this] {
          sim_.scheduler().Sleep(500 * kStepNs);
          ++*free_pages;
          memory->WakeAll();
        }, TaskKind::kDaemon);
      }
      return std::make_tuple(mutex, memory, free_pages);
    }).kind;
  }
};
TEST_F(AnyTriggerTest, OneThatCanRunWillDo) { EXPECT_EQ(WaitForMemory(false, false), RunEndKind::kCompleted); }
TEST_F(AnyTriggerTest, SoWillTheDevice) { EXPECT_EQ(WaitForMemory(true, true), RunEndKind::kCompleted); }
TEST_F(AnyTriggerTest, AllStuckIsADeadlock) {
  EXPECT_EQ(WaitForMemory(true, false), RunEndKind::kDeadlock);
  EXPECT_TRUE(sim_.scheduler().deadlock().is_cycle);
  EXPECT_THAT(sim_.scheduler().deadlock().knot, SizeIs(1));
}

// --- B76: one state starves the other ---

class TwoStateStarvationTest : public ::testing::Test {
 protected:
  int Starved(int adders) {
    Simulation sim({.bypasses_max = 30});
    RandomWalk source(7);
    ChoiceRecorder choices;
    int starved = 0;
    for (uint64_t run = 0; run < 50; ++run) {
      source.BeginRun(run);
      choices.Begin(&source);
      sim.BeginRun(&choices);
      TwoStateLock lock(sim, sim.Class("pagecache_lock", {.kind = &lockdep::kTwoStateLock}), "pagecache_lock");
      for (int adder = 0; adder < adders; ++adder) {
        sim.scheduler().Spawn("fault", [&] {
          for (int i = 0; i < 120 / adders; ++i) {
            lock.Lock(TwoState::kAdd);
            for (int step = 0; step < 4; ++step) sim.scheduler().Point(OperationKind::kYield, kNoObject);
            lock.Unlock(TwoState::kAdd);
          }
        });
      }
      sim.scheduler().Spawn("truncate", [&] {
        lock.Lock(TwoState::kBlock);
        lock.Unlock(TwoState::kBlock);
      });
      const RunEnd end = sim.scheduler().Run();
      if (end.kind == RunEndKind::kStarvation) {
        ++starved;
        EXPECT_EQ(sim.scheduler().starvation().waiter.task_name, "truncate");
      }
      sim.EndRun();
    }
    return starved;
  }
};
TEST_F(TwoStateStarvationTest, OverlappingHoldersStarveTheOtherState) { EXPECT_GT(Starved(4), 20); }
TEST_F(TwoStateStarvationTest, OneHolderAtATimeDoesNot) { EXPECT_EQ(Starved(1), 0); }

}  // namespace
}  // namespace ordeal
