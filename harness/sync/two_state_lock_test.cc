#include "harness/sync/two_state_lock.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <memory>

#include "harness/sync/mutex.h"
#include "harness/sync/rw_semaphore.h"
#include "harness/sync/sync_test_fixture.h"
#include "harness/sync/wait_queue.h"

namespace ordeal {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class TwoStateLockTest : public SyncTest {
 protected:
  std::unique_ptr<TwoStateLock> NewLock(const char* name = "pagecache_lock", uint32_t number = 0) {
    return std::make_unique<TwoStateLock>(sim_, sim_.Class(name, {.kind = &lockdep::kTwoStateLock}), name, number);
  }
};

// Random programs against the naive model: two counters, of which one is always 0.
TEST_F(TwoStateLockTest, AgreesWithTwoCountersInRandomPrograms) {
  SeededSource source(1);
  int together_max = 0;
  int failed_tries = 0;
  for (int run = 0; run < 400; ++run) {
    int model[2] = {0, 0};
    Prng program(DeriveSeed(77, static_cast<uint64_t>(run)));
    const RunEnd end = Run(source, [&] {
      auto lock = NewLock();
      for (int task = 0; task < 4; ++task) {
        sim_.scheduler().Spawn("task", [&, lock = lock.get(), seed = program.Next()] {
          Prng prng(seed);
          for (int i = 0; i < 4; ++i) {
            const TwoState state = prng.Below(2) == 0 ? TwoState::kAdd : TwoState::kBlock;
            const size_t mine = static_cast<size_t>(state);
            const int units = 1 + static_cast<int>(prng.Below(3));
            if (prng.Below(3) == 0) {
              if (!lock->TryLock(state, units)) {
                ++failed_tries;
                ASSERT_GT(model[1 - mine], 0) << "fails without a reason";
                continue;
              }
            } else {
              lock->Lock(state, units);
            }
            model[mine] += units;
            ASSERT_EQ(model[1 - mine], 0);
            ASSERT_EQ(lock->units(state), model[mine]);
            ASSERT_TRUE(lock->HeldByCurrent(state));
            together_max = std::max(together_max, model[mine]);
            lock->CheckInvariants();
            Pause(static_cast<int>(prng.Below(3)));
            for (int left = units; left > 0;) {  // in parts
              const int part = 1 + static_cast<int>(prng.Below(static_cast<uint32_t>(left)));
              lock->Unlock(state, part);  // the model follows before anybody else can run
              model[mine] -= part;
              left -= part;
              lock->CheckInvariants();
            }
          }
        });
      }
      return lock;
    });
    ASSERT_EQ(end.kind, RunEndKind::kCompleted);
    ASSERT_EQ(model[0] + model[1], 0);
    ASSERT_THAT(Violations(), IsEmpty());
  }
  EXPECT_GT(together_max, 3) << "holders of one state do not exclude each other";
  EXPECT_GT(failed_tries, 0);
}

TEST_F(TwoStateLockTest, AnArrivingHolderPassesTheWaiterOfTheOtherState) {
  QuietSource quiet;
  std::string order;
  Run(quiet, [&] {
    auto lock = NewLock();
    sim_.scheduler().Spawn("first", [&, lock = lock.get()] {
      lock->Lock(TwoState::kAdd);
      sim_.scheduler().Sleep(100 * kStepNs);
      lock->Unlock(TwoState::kAdd);
    });
    sim_.scheduler().Spawn("blocker", [&, lock = lock.get()] {
      lock->Lock(TwoState::kBlock);
      order += "block ";
      lock->Unlock(TwoState::kBlock);
    });
    sim_.scheduler().Spawn("late", [&, lock = lock.get()] {
      sim_.scheduler().Sleep(50 * kStepNs);
      EXPECT_TRUE(lock->has_waiters());
      EXPECT_FALSE(lock->TryLock(TwoState::kBlock));
      lock->Lock(TwoState::kAdd);
      order += "add ";
      lock->Unlock(TwoState::kAdd);
    });
    return lock;
  });
  EXPECT_EQ(order, "add block ");
}

// --- asynchronous I/O ---

// A direct write takes the block state and submits; its completion, another task, releases it.
class TwoStateAioTest : public TwoStateLockTest {
 protected:
  RunEnd DirectWrite(ChoiceSource& source, bool completion_needs_the_adders_mutex) {
    return Run(source, [&] {
      auto lock = std::shared_ptr<TwoStateLock>(NewLock());
      auto mutex = std::make_shared<Mutex>(sim_, sim_.Class("mutex"));
      auto submitted = std::make_shared<Completion>(sim_, sim_.Class("submitted", {.is_event = true}));
      sim_.scheduler().Spawn("writer", [lock, submitted] {
        lock->Lock(TwoState::kBlock);
        lock->HandOver(TwoState::kBlock);
        EXPECT_FALSE(lock->HeldByCurrent(TwoState::kBlock));
        EXPECT_EQ(lock->units(TwoState::kBlock), 1);
        submitted->Complete();
      });
      sim_.scheduler().Spawn("completion", [=] {
        submitted->Wait();
        lock->TakeOver(TwoState::kBlock);
        if (completion_needs_the_adders_mutex) mutex->Lock();
        lock->Unlock(TwoState::kBlock);
        if (completion_needs_the_adders_mutex) mutex->Unlock();
        lock->CheckInvariants();
      });
      sim_.scheduler().Spawn("adder", [=] {
        submitted->Wait();
        mutex->Lock();
        lock->Lock(TwoState::kAdd);
        lock->Unlock(TwoState::kAdd);
        mutex->Unlock();
      });
      return lock;
    });
  }
};

TEST_F(TwoStateAioTest, TheCompletionReleasesWhatTheWriterTook) {
  SeededSource source(2);
  for (int run = 0; run < 200; ++run) {
    ASSERT_EQ(DirectWrite(source, false).kind, RunEndKind::kCompleted);
    ASSERT_THAT(Violations(), IsEmpty());
  }
}

TEST_F(TwoStateAioTest, WhatTheCompletionWaitsForTheOtherStateWaitsFor) {
  SeededSource source(3);
  int deadlocks = 0;
  for (int run = 0; run < 200; ++run) {
    const RunEnd end = DirectWrite(source, true);
    ASSERT_THAT(Violations(), ElementsAre(::testing::StartsWith("circular:")));
    if (end.kind != RunEndKind::kDeadlock) continue;
    ++deadlocks;
    ASSERT_EQ(sim_.scheduler().deadlock().cycle.size(), 2u);
  }
  EXPECT_GT(deadlocks, 20);
}

TEST_F(TwoStateLockTest, AnIoThatNobodyCompletesIsNoTaskToWaitFor) {
  QuietSource quiet;
  const RunEnd end = Run(quiet, [&] {
    auto lock = NewLock();
    sim_.scheduler().Spawn("task", [lock = lock.get()] {
      lock->Lock(TwoState::kBlock, 2);
      lock->HandOver(TwoState::kBlock, 2);
      lock->Lock(TwoState::kAdd);
    });
    return lock;
  });
  EXPECT_EQ(end.kind, RunEndKind::kDeadlock);
  EXPECT_FALSE(sim_.scheduler().deadlock().is_cycle);
}

// --- recursion and order ---

TEST_F(TwoStateLockTest, OneStateTwiceIsCountedBothStatesAreADeadlockWithItself) {
  QuietSource quiet;
  const auto nest = [&](TwoState outer, TwoState inner) {
    return Run(quiet, [&] {
      auto lock = NewLock();
      sim_.scheduler().Spawn("task", [lock = lock.get(), outer, inner] {
        lock->Lock(outer);
        lock->Lock(inner);
        lock->Unlock(inner);
        EXPECT_EQ(lock->units(outer), 1);
        lock->Unlock(outer);
      });
      return lock;
    }).kind;
  };
  EXPECT_EQ(nest(TwoState::kBlock, TwoState::kBlock), RunEndKind::kCompleted);
  EXPECT_THAT(Violations(), IsEmpty());
  EXPECT_EQ(nest(TwoState::kAdd, TwoState::kAdd), RunEndKind::kCompleted);
  EXPECT_THAT(Violations(), IsEmpty());
  EXPECT_EQ(nest(TwoState::kBlock, TwoState::kAdd), RunEndKind::kDeadlock);
  EXPECT_EQ(sim_.scheduler().deadlock().cycle.size(), 1u);
  EXPECT_THAT(Violations(), ElementsAre("recursive: pagecache_lock"));
}

// Two tasks take two locks in opposite orders. A deadlock needs opposite states at both.
class TwoStateOrderTest : public TwoStateLockTest {
 protected:
  int Deadlocks(TwoState second_task_takes) {
    SeededSource source(4);
    int deadlocks = 0;
    for (int run = 0; run < 300; ++run) {
      const RunEnd end = Run(source, [&] {
        auto a = std::shared_ptr<TwoStateLock>(NewLock("a"));
        auto b = std::shared_ptr<TwoStateLock>(NewLock("b"));
        const auto spawn = [this](TwoStateLock* outer, TwoStateLock* inner, TwoState state) {
          sim_.scheduler().Spawn("task", [=] {
            outer->Lock(state);
            inner->Lock(state);
            inner->Unlock(state);
            outer->Unlock(state);
          });
        };
        spawn(a.get(), b.get(), TwoState::kAdd);
        spawn(a.get(), b.get(), TwoState::kAdd);  // a second holder: everybody in the cycle is named
        spawn(b.get(), a.get(), second_task_takes);
        return std::make_pair(a, b);
      });
      if (end.kind != RunEndKind::kDeadlock) continue;
      ++deadlocks;
      EXPECT_TRUE(sim_.scheduler().deadlock().is_cycle);
    }
    return deadlocks;
  }
};

TEST_F(TwoStateOrderTest, OppositeStatesInOppositeOrdersDeadlock) {
  EXPECT_GT(Deadlocks(TwoState::kBlock), 20);
  EXPECT_THAT(Violations(), ElementsAre("circular: a > b"));
}
TEST_F(TwoStateOrderTest, OneStateInOppositeOrdersDoesNot) {
  EXPECT_EQ(Deadlocks(TwoState::kAdd), 0);
  EXPECT_THAT(Violations(), IsEmpty());
}

// B74: a direct write holds block and faults its buffer in under mmap_lock; a fault holds mmap_lock and wants add. Two readers of
// mmap_lock do not wait for each other, unless a writer is queued between them.
class TwoStateMmapLockTest : public TwoStateLockTest {
 protected:
  int Deadlocks(bool with_writer) {
    SeededSource source(5);
    int deadlocks = 0;
    for (int run = 0; run < 400; ++run) {
      const RunEnd end = Run(source, [&] {
        auto lock = std::shared_ptr<TwoStateLock>(NewLock());
        auto mmap_lock = std::make_shared<RwSemaphore>(sim_, sim_.Class("mmap_lock"));
        sim_.scheduler().Spawn("direct write", [=] {
          lock->Lock(TwoState::kBlock);
          mmap_lock->LockShared();
          mmap_lock->UnlockShared();
          lock->Unlock(TwoState::kBlock);
        });
        sim_.scheduler().Spawn("fault", [=] {
          mmap_lock->LockShared();
          lock->Lock(TwoState::kAdd);
          lock->Unlock(TwoState::kAdd);
          mmap_lock->UnlockShared();
        });
        if (with_writer) {
          sim_.scheduler().Spawn("mmap", [=] {
            mmap_lock->LockExclusive();
            mmap_lock->UnlockExclusive();
          });
        }
        return std::make_pair(lock, mmap_lock);
      });
      if (end.kind == RunEndKind::kDeadlock) ++deadlocks;
    }
    return deadlocks;
  }
};

TEST_F(TwoStateMmapLockTest, DeadlocksWithAQueuedWriter) {
  EXPECT_GT(Deadlocks(true), 5);
  EXPECT_EQ(sim_.scheduler().deadlock().cycle.size(), 3u);
}
TEST_F(TwoStateMmapLockTest, IsHarmlessWithoutOne) { EXPECT_EQ(Deadlocks(false), 0); }

// --- faults ---

TEST_F(TwoStateLockTest, ATrylockOfAFreeLockFailsOnlyAsAFault) {
  SeededSource source(6);
  const auto failures = [&](FaultSet faults) {
    int failed = 0;
    for (int run = 0; run < 100; ++run) {
      Run(source, [&] {
        auto lock = NewLock();
        sim_.scheduler().Spawn("task", [&, lock = lock.get()] {
          if (!lock->TryLock(TwoState::kAdd)) {
            ++failed;
          } else {
            lock->Unlock(TwoState::kAdd);
          }
        });
        return lock;
      }, faults);
      EXPECT_THAT(Violations(), IsEmpty());
    }
    return failed;
  };
  EXPECT_EQ(failures({}), 0);
  EXPECT_GT(failures({ChoiceKind::kTrylock}), 10);
}

// S16: what the word may say, and what it may not.
TEST(TwoStateUnitsTest, OneStateAtATimeAndEveryUnitHasAnOwner) {
  EXPECT_EQ(FindIllegalUnits({}), std::nullopt);
  EXPECT_EQ(FindIllegalUnits({.all = {3, 0}, .of_io = {1, 0}, .of_tasks = {2, 0}}), std::nullopt);
  EXPECT_EQ(FindIllegalUnits({.all = {0, 2}, .of_io = {0, 2}}), std::nullopt);
  EXPECT_EQ(FindIllegalUnits({.all = {1, 1}, .of_tasks = {1, 1}}), "both states of a two-state lock are held (S11)");
  EXPECT_EQ(FindIllegalUnits({.all = {-1, 0}, .of_tasks = {-1, 0}}), "a two-state lock has less than no units (S16)");
  EXPECT_EQ(FindIllegalUnits({.all = {2, 0}, .of_tasks = {1, 0}}), "the units of a two-state lock do not add up (S16)");
}

}  // namespace
}  // namespace ordeal
