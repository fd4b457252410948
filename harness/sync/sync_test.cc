#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "harness/sync/mutex.h"
#include "harness/sync/page_lock.h"
#include "harness/sync/rw_semaphore.h"
#include "harness/sync/spinlock.h"
#include "harness/sync/sync_test_fixture.h"
#include "harness/sync/wait_queue.h"

namespace ordeal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST_F(SyncTest, MutexExcludesInEverySchedule) {
  SeededSource source(1);
  for (int run = 0; run < 500; ++run) {
    int inside = 0;
    int entered = 0;
    const RunEnd end = Run(source, [&] {
      auto mutex = std::make_unique<Mutex>(sim_, sim_.Class("mutex"));
      for (int task = 0; task < 3; ++task) {
        sim_.scheduler().Spawn("task", [&, mutex = mutex.get()] {
          for (int i = 0; i < 3; ++i) {
            mutex->Lock();
            ASSERT_EQ(++inside, 1);
            Pause();
            --inside;
            ++entered;
            mutex->Unlock();
          }
        });
      }
      return mutex;
    });
    ASSERT_EQ(end.kind, RunEndKind::kCompleted);
    ASSERT_EQ(entered, 9);
    ASSERT_THAT(Violations(), IsEmpty());
  }
}

TEST_F(SyncTest, MutexReportsUnlockByAnother) {
  QuietSource quiet;
  Run(quiet, [&] {
    auto mutex = std::make_unique<Mutex>(sim_, sim_.Class("mutex"));
    sim_.scheduler().Spawn("owner", [&, mutex = mutex.get()] {
      mutex->Lock();
      sim_.scheduler().Sleep(kStepNs);
      mutex->Unlock();
    });
    sim_.scheduler().Spawn("other", [mutex = mutex.get()] { mutex->Unlock(); });
    return mutex;
  });
  EXPECT_THAT(Violations(), ElementsAre("bad-unlock: mutex"));
}

TEST_F(SyncTest, LockHeldAtTheEndOfATaskIsReported) {
  QuietSource quiet;
  Run(quiet, [&] {
    auto mutex = std::make_unique<Mutex>(sim_, sim_.Class("mutex"));
    sim_.scheduler().Spawn("forgets", [mutex = mutex.get()] { mutex->Lock(); });
    return mutex;
  });
  EXPECT_THAT(Violations(), ElementsAre("held-at-exit: mutex"));
}

TEST_F(SyncTest, RecursiveLockIsADeadlockAndAViolation) {
  QuietSource quiet;
  const RunEnd end = Run(quiet, [&] {
    auto mutex = std::make_unique<Mutex>(sim_, sim_.Class("mutex"), "journal", 2);
    sim_.scheduler().Spawn("twice", [mutex = mutex.get()] {
      mutex->Lock();
      mutex->Lock();
    });
    return mutex;
  });
  EXPECT_EQ(end.kind, RunEndKind::kDeadlock);
  ASSERT_EQ(sim_.scheduler().deadlock().cycle.size(), 1u);
  EXPECT_EQ(sim_.scheduler().deadlock().cycle[0].object, "journal 2");
  EXPECT_THAT(sim_.scheduler().deadlock().cycle[0].site.ToString(), HasSubstr("harness/sync/sync_test.cc:"));
  EXPECT_THAT(Violations(), ElementsAre("recursive: mutex"));
}

TEST_F(SyncTest, AbbaIsSeenByTheValidatorEvenWhereItDoesNotBlock) {
  QuietSource quiet;
  const RunEnd end = Run(quiet, [&] {
    auto locks = std::make_unique<std::pair<Mutex, Mutex>>(
        std::piecewise_construct, std::forward_as_tuple(sim_, sim_.Class("a")),
        std::forward_as_tuple(sim_, sim_.Class("b")));
    for (const bool reverse : {false, true}) {
      sim_.scheduler().Spawn("task", [locks = locks.get(), reverse] {
        Mutex& first = reverse ? locks->second : locks->first;
        Mutex& second = reverse ? locks->first : locks->second;
        first.Lock();
        second.Lock();
        second.Unlock();
        first.Unlock();
      });
    }
    return locks;
  });
  EXPECT_EQ(end.kind, RunEndKind::kCompleted) << "the calm schedule does not block";
  EXPECT_THAT(Violations(), ElementsAre("circular: a > b"));
}

TEST_F(SyncTest, SpinlockForbidsSleepingUnderIt) {
  QuietSource quiet;
  Run(quiet, [&] {
    auto spin = std::make_shared<Spinlock>(sim_, sim_.Class("i_pages", {.inner = lockdep::WaitType::kConfig}));
    auto mutex = std::make_shared<Mutex>(sim_, sim_.Class("mutex"));
    sim_.scheduler().Spawn("sleeps", [spin, mutex] {
      spin->Lock();
      mutex->Lock();
      mutex->Unlock();
      spin->Unlock();
    });
    return std::make_pair(spin, mutex);
  });
  EXPECT_THAT(Violations(), ElementsAre("wait-context: i_pages > mutex"));
}

// --- rw-semaphore ---

TEST_F(SyncTest, RwSemaphoreExcludesWritersInEverySchedule) {
  for (const StealRule steal : {StealRule::kNever, StealRule::kLegal}) {
    SeededSource source(2);
    for (int run = 0; run < 500; ++run) {
      int readers = 0;
      int writers = 0;
      const RunEnd end = Run(source, [&] {
        auto lock = std::make_unique<RwSemaphore>(sim_, sim_.Class("rwsem"), "rwsem", 0, steal);
        for (int task = 0; task < 4; ++task) {
          sim_.scheduler().Spawn("task", [&, lock = lock.get(), task] {
            for (int i = 0; i < 2; ++i) {
              if (task < 2) {
                lock->LockShared();
                ++readers;
                ASSERT_EQ(writers, 0);
                Pause();
                --readers;
                lock->UnlockShared();
              } else {
                lock->LockExclusive();
                ASSERT_EQ(++writers, 1);
                ASSERT_EQ(readers, 0);
                Pause();
                --writers;
                lock->Downgrade();
                ++readers;
                Pause();
                --readers;
                lock->UnlockShared();
              }
            }
          });
        }
        return lock;
      });
      ASSERT_EQ(end.kind, RunEndKind::kCompleted);
      ASSERT_THAT(Violations(), IsEmpty());
    }
    EXPECT_EQ(source.steals_asked > 0, steal == StealRule::kLegal);
  }
}

TEST_F(SyncTest, TwoReadersShare) {
  SeededSource source(3);
  int most = 0;
  for (int run = 0; run < 50; ++run) {
    int readers = 0;
    Run(source, [&] {
      auto lock = std::make_unique<RwSemaphore>(sim_, sim_.Class("rwsem"));
      for (int task = 0; task < 2; ++task) {
        sim_.scheduler().Spawn("reader", [&, lock = lock.get()] {
          lock->LockShared();
          most = std::max(most, ++readers);
          Pause();
          --readers;
          lock->UnlockShared();
        });
      }
      return lock;
    });
  }
  EXPECT_EQ(most, 2);
}

// Reader, queued writer, second read by the task that the first reader waits for: protocols 1.1.1 rule 1.
class NestedReadTest : public SyncTest {
 protected:
  int Deadlocks(StealRule steal, bool with_writer) {
    SeededSource source(4);
    int deadlocks = 0;
    for (int run = 0; run < 300; ++run) {
      const RunEnd end = Run(source, [&] {
        auto lock = std::make_unique<RwSemaphore>(sim_, sim_.Class("mmap_lock"), "mmap_lock", 0, steal);
        sim_.scheduler().Spawn("nested reader", [&, lock = lock.get()] {
          lock->LockShared();
          Pause(2);
          lock->LockShared(1);
          lock->UnlockShared();
          lock->UnlockShared();
        });
        if (with_writer) {
          sim_.scheduler().Spawn("writer", [lock = lock.get()] {
            lock->LockExclusive();
            lock->UnlockExclusive();
          });
        }
        return lock;
      });
      deadlocks += end.kind == RunEndKind::kDeadlock;
    }
    return deadlocks;
  }
};

TEST_F(NestedReadTest, DeadlocksWithAQueuedWriterWhenFair) { EXPECT_GT(Deadlocks(StealRule::kNever, true), 20); }
TEST_F(NestedReadTest, IsHarmlessWithoutAWriter) { EXPECT_EQ(Deadlocks(StealRule::kNever, false), 0); }
TEST_F(NestedReadTest, DeadlocksLessOftenWhenReadersMaySteal) {
  const int stealing = Deadlocks(StealRule::kLegal, true);
  EXPECT_GT(stealing, 0);
  EXPECT_LT(stealing, Deadlocks(StealRule::kNever, true));
}

TEST_F(SyncTest, WritersAreServedInOrderOfArrival) {
  QuietSource quiet;
  std::string order;
  Run(quiet, [&] {
    auto lock = std::make_unique<RwSemaphore>(sim_, sim_.Class("rwsem"));
    sim_.scheduler().Spawn("holder", [&, lock = lock.get()] {
      lock->LockShared();
      sim_.scheduler().Sleep(50 * kStepNs);
      lock->UnlockShared();
    });
    for (const char* name : {"1", "2", "3"}) {
      sim_.scheduler().Spawn(name, [&, lock = lock.get(), name] {
        lock->LockExclusive();
        order += name;
        lock->UnlockExclusive();
      });
    }
    return lock;
  });
  EXPECT_EQ(order, "123");
}

TEST_F(SyncTest, TryLockNeverWaits) {
  QuietSource quiet;
  std::vector<bool> got;
  Run(quiet, [&] {
    auto lock = std::make_unique<RwSemaphore>(sim_, sim_.Class("rwsem"));
    sim_.scheduler().Spawn("task", [&, lock = lock.get()] {
      got.push_back(lock->TryLockExclusive());
      got.push_back(lock->TryLockShared());
      lock->UnlockExclusive();
      got.push_back(lock->TryLockShared());
      lock->UnlockShared();
    });
    return lock;
  });
  EXPECT_THAT(got, ElementsAre(true, false, true));
  EXPECT_THAT(Violations(), IsEmpty());
}

// --- page lock ---

TEST_F(SyncTest, PageLockIsReleasedByTheIoThatOwnsIt) {
  SeededSource source(5);
  for (int run = 0; run < 200; ++run) {
    bool filled = false;
    const RunEnd end = Run(source, [&] {
      auto lock = std::make_unique<PageLock>(sim_, sim_.Class("folio_lock"));
      auto submitted = std::make_shared<Completion>(sim_, sim_.Class("submitted", {.is_event = true}));
      sim_.scheduler().Spawn("reader", [&, lock = lock.get(), submitted] {
        lock->Lock();
        lock->HandOverToIo();
        submitted->Complete();
        lock->Lock();
        ASSERT_TRUE(filled);
        ASSERT_EQ(lock->owner(), PageLock::Owner::kTask);
        lock->Unlock();
      });
      sim_.scheduler().Spawn("waiter", [&, lock = lock.get(), submitted] {
        submitted->Wait();
        lock->WaitUnlocked();
        ASSERT_TRUE(filled);
      });
      sim_.scheduler().Spawn("device", [&, lock = lock.get(), submitted] {
        submitted->Wait();
        filled = true;
        lock->UnlockFromIo();
      });
      return lock;
    });
    ASSERT_EQ(end.kind, RunEndKind::kCompleted);
    ASSERT_THAT(Violations(), IsEmpty());
  }
}

TEST_F(SyncTest, FoliosOfOneMappingAreLockedUpwards) {
  QuietSource quiet;
  const auto nest = [&](bool upwards) {
    Run(quiet, [&] {
      const lockdep::LockClassId folio = sim_.Class("folio", {.ordered_by_key = true});
      auto low = std::make_shared<PageLock>(sim_, folio, "folio", 1, 1);
      auto high = std::make_shared<PageLock>(sim_, folio, "folio", 2, 2);
      sim_.scheduler().Spawn("task", [low, high, upwards] {
        PageLock& first = upwards ? *low : *high;
        PageLock& second = upwards ? *high : *low;
        first.Lock();
        second.Lock();
        second.Unlock();
        first.Unlock();
      });
      return std::make_pair(low, high);
    });
    return Violations();
  };
  EXPECT_THAT(nest(true), IsEmpty());
  EXPECT_THAT(nest(false), ElementsAre("recursive: folio"));
}

TEST_F(SyncTest, AFolioOwnedByIoHasNoTaskToWaitFor) {
  QuietSource quiet;
  const RunEnd end = Run(quiet, [&] {
    auto lock = std::make_unique<PageLock>(sim_, sim_.Class("folio_lock"));
    sim_.scheduler().Spawn("task", [lock = lock.get()] {
      lock->Lock();
      lock->HandOverToIo();
      lock->Lock();
    });
    return lock;
  });
  EXPECT_EQ(end.kind, RunEndKind::kDeadlock) << "nothing completes the request";
  EXPECT_FALSE(sim_.scheduler().deadlock().is_cycle);
}

// --- events ---

TEST_F(SyncTest, CompletionWakesEveryWaiterInEverySchedule) {
  SeededSource source(6);
  for (int run = 0; run < 200; ++run) {
    int done = 0;
    const RunEnd end = Run(source, [&] {
      auto completion = std::make_unique<Completion>(sim_, sim_.Class("done", {.is_event = true}));
      for (int task = 0; task < 3; ++task) {
        sim_.scheduler().Spawn("waiter", [&, completion = completion.get()] {
          completion->Wait();
          ++done;
        });
      }
      sim_.scheduler().Spawn("completer", [completion = completion.get()] { completion->Complete(); });
      return completion;
    });
    ASSERT_EQ(end.kind, RunEndKind::kCompleted);
    ASSERT_EQ(done, 3);
  }
}

TEST_F(SyncTest, WaitingForACompletionOfAKnownTriggerClosesACycle) {
  QuietSource quiet;
  const RunEnd end = Run(quiet, [&] {
    auto completion = std::make_shared<Completion>(sim_, sim_.Class("done", {.is_event = true}), "flush");
    auto mutex = std::make_shared<Mutex>(sim_, sim_.Class("mutex"));
    const TaskId completer = sim_.scheduler().Spawn("completer", [&, completion, mutex] {
      sim_.scheduler().Sleep(100 * kStepNs);
      mutex->Lock();
      completion->Complete();
      mutex->Unlock();
    });
    completion->queue().set_trigger(completer);
    sim_.scheduler().Spawn("waiter", [completion, mutex] {
      mutex->Lock();
      completion->Wait();
      mutex->Unlock();
    });
    return std::make_pair(completion, mutex);
  });
  EXPECT_EQ(end.kind, RunEndKind::kDeadlock);
  EXPECT_TRUE(sim_.scheduler().deadlock().is_cycle);
  EXPECT_EQ(sim_.scheduler().deadlock().cycle.size(), 2u);
}

TEST_F(SyncTest, WritebackMayBeSetAgainBeforeTheWaiterRuns) {
  SeededSource source(7);
  for (int run = 0; run < 200; ++run) {
    bool clear_when_seen = true;
    const RunEnd end = Run(source, [&] {
      auto bit = std::make_unique<WritebackBit>(sim_, sim_.Class("writeback", {.is_event = true}));
      bit->Set();
      sim_.scheduler().Spawn("waiter", [&, bit = bit.get()] {
        bit->WaitClear();
        clear_when_seen = !bit->is_set();
      });
      sim_.scheduler().Spawn("flusher", [&, bit = bit.get()] {
        bit->Clear();
        Pause();
        bit->Set();
        Pause();
        bit->Clear();
      });
      return bit;
    });
    ASSERT_EQ(end.kind, RunEndKind::kCompleted);
    ASSERT_TRUE(clear_when_seen);
  }
}

TEST_F(SyncTest, DrainWaitsForAllThatBegan) {
  SeededSource source(8);
  for (int run = 0; run < 200; ++run) {
    int in_flight = 2;
    const RunEnd end = Run(source, [&] {
      auto drain = std::make_unique<CounterDrain>(sim_, sim_.Class("inode_dio", {.is_event = true}));
      drain->Begin();
      drain->Begin();
      for (int io = 0; io < 2; ++io) {
        sim_.scheduler().Spawn("io", [&, drain = drain.get()] {
          Pause();
          --in_flight;
          drain->End();
        });
      }
      sim_.scheduler().Spawn("truncate", [&, drain = drain.get()] {
        drain->WaitZero();
        ASSERT_EQ(in_flight, 0);
      });
      return drain;
    });
    ASSERT_EQ(end.kind, RunEndKind::kCompleted);
  }
}

TEST_F(SyncTest, AWaitUnderALockIsInTheGraph) {
  QuietSource quiet;
  Run(quiet, [&] {
    auto drain = std::make_shared<CounterDrain>(sim_, sim_.Class("inode_dio", {.is_event = true}));
    auto lock = std::make_shared<RwSemaphore>(sim_, sim_.Class("i_rwsem"));
    sim_.scheduler().Spawn("truncate", [drain, lock] {
      lock->LockExclusive();
      drain->WaitZero();
      lock->UnlockExclusive();
    });
    return std::make_pair(drain, lock);
  });
  const lockdep::DependencyGraph& graph = sim_.validator().graph();
  ASSERT_EQ(graph.size(), 1u);
  const lockdep::Edge& edge = graph.edge(lockdep::EdgeId{0});
  EXPECT_EQ(sim_.validator().classes().NodeName(edge.from), "i_rwsem");
  EXPECT_EQ(sim_.validator().classes().NodeName(edge.to), "inode_dio");
}

}  // namespace
}  // namespace ordeal
