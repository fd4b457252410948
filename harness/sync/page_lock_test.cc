// The page lock's options and faults: unfairness and hand-over, hashed wait queues, signals, requests in a plug.

#include "harness/sync/page_lock.h"

#include <gmock/gmock.h>

#include <array>
#include <memory>
#include <set>
#include <string>
#include <tuple>

#include "harness/sync/mutex.h"
#include "harness/sync/sync_test_fixture.h"
#include "harness/sync/wait_queue.h"

namespace ordeal {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class PageLockTest : public SyncTest {
 protected:
  std::unique_ptr<PageLock> NewLock(PageLockRules rules = {}, uint32_t number = 1) {
    return std::make_unique<PageLock>(sim_, sim_.Class("folio_lock"), "folio", number, 0, rules);
  }
};

TEST_F(PageLockTest, ExcludesUnderEveryRuleAndFault) {
  SeededSource source(1);
  PageWaitTable table(1);
  const FaultSet faults[] = {{}, {ChoiceKind::kTrylock, ChoiceKind::kSignal, ChoiceKind::kSpuriousWake}};
  int killed = 0;
  int seen_unlocked = 0;
  for (const int steals : {0, 1, kPageStealsOfKernel, kPageStealsUnbounded}) {
    for (const FaultSet& set : faults) {
      for (int run = 0; run < 100; ++run) {
        int inside[2] = {0, 0};
        const RunEnd end = Run(source, [&] {
          auto locks = std::make_shared<std::array<std::unique_ptr<PageLock>, 2>>();
          for (uint32_t i = 0; i < 2; ++i) (*locks)[i] = NewLock({steals, &table}, i);
          for (int task = 0; task < 4; ++task) {
            sim_.scheduler().Spawn("task", [&, locks, task] {
              for (int i = 0; i < 4; ++i) {
                const size_t which = static_cast<size_t>((task + i) % 2);
                PageLock& lock = *(*locks)[which];
                if (i == 3) {
                  lock.WaitUnlocked();
                  ++seen_unlocked;
                  continue;
                }
                if (task == 0 && !lock.TryLock()) continue;
                if (task == 1 && !lock.LockKillable()) {
                  ++killed;
                  continue;
                }
                if (task > 1) lock.Lock();
                ASSERT_EQ(++inside[which], 1);
                ASSERT_TRUE(lock.HeldByCurrent());
                Pause();
                --inside[which];
                lock.Unlock();
              }
            });
          }
          return locks;
        }, set);
        ASSERT_EQ(end.kind, RunEndKind::kCompleted) << steals << " steals, run " << run;
        ASSERT_THAT(Violations(), IsEmpty());
      }
    }
  }
  EXPECT_GT(killed, 20);
  EXPECT_EQ(seen_unlocked, 4 * 2 * 100 * 4);
}

// --- B75: unfair ---

// Lets the victim run only while the lock is held: a storm of lockers, each arriving just in time.
class Thief final : public ChoiceSource {
 public:
  int Choose(const ChoicePoint& point) override {
    if (point.kind != ChoiceKind::kSchedule) return 0;
    const bool victims_turn = lock->locked();
    for (size_t i = 0; i < point.candidates.size(); ++i) {
      if ((point.candidates[i].task == TaskId{1}) == victims_turn) return static_cast<int>(i);
    }
    return 0;
  }
  bool WantsCandidates() const override { return true; }
  const PageLock* lock = nullptr;
};

class UnfairPageLockTest : public PageLockTest {
 protected:
  RunEnd Storm(int steals_max, uint32_t bypasses_max) {
    Thief thief;
    Simulation sim({.bypasses_max = bypasses_max});
    ChoiceRecorder choices;
    choices.Begin(&thief);
    sim.BeginRun(&choices);
    PageLock lock(sim, sim.Class("folio_lock"), "folio", 4, 0, {steals_max});
    thief.lock = &lock;
    bool done = false;
    sim.scheduler().Spawn("storm", [&] {
      for (int i = 0; i < 50; ++i) {
        lock.Lock();
        sim.scheduler().Point(OperationKind::kYield, kNoObject);
        lock.Unlock();
        if (!done) ++passed_;
      }
    });
    sim.scheduler().Spawn("victim", [&] {
      lock.Lock();
      done = true;
      lock.Unlock();
    });
    const RunEnd end = sim.scheduler().Run();
    starvation_ = sim.scheduler().starvation();
    sim.EndRun();
    return end;
  }
  int passed_ = 0;
  Starvation starvation_;
};

TEST_F(UnfairPageLockTest, AWaiterOfAnUnboundedlyUnfairLockStarves) {
  EXPECT_EQ(Storm(kPageStealsUnbounded, 10).kind, RunEndKind::kStarvation);
  EXPECT_EQ(starvation_.waiter.task_name, "victim");
  EXPECT_EQ(starvation_.waiter.object, "folio 4");
  EXPECT_EQ(starvation_.bypasses, 11u);
  ASSERT_THAT(starvation_.passers, SizeIs(1));
  EXPECT_EQ(starvation_.passers[0].task_name, "storm");
}
TEST_F(UnfairPageLockTest, TheKernelsHandsOverAfterFiveSteals) {
  EXPECT_EQ(Storm(kPageStealsOfKernel, 10).kind, RunEndKind::kCompleted);
  EXPECT_EQ(passed_, 6) << "the first holder and five thieves, of whom the last hands over";
}
TEST_F(UnfairPageLockTest, TheFairOneAtOnce) {
  EXPECT_EQ(Storm(0, 1).kind, RunEndKind::kCompleted);
  EXPECT_EQ(passed_, 1);
}

TEST_F(PageLockTest, WhichWaiterOfAnUnfairLockIsWokenIsAChoice) {
  SeededSource source(2);
  const auto orders = [&](int steals) {
    std::set<std::string> seen;
    for (int run = 0; run < 100; ++run) {
      std::string order;
      Run(source, [&] {
        auto lock = NewLock({steals});
        sim_.scheduler().Spawn("holder", [&, lock = lock.get()] {
          lock->Lock();
          sim_.scheduler().Sleep(100 * kStepNs);
          lock->Unlock();
        });
        for (int i = 0; i < 3; ++i) {
          sim_.scheduler().Spawn("waiter", [&, lock = lock.get(), i] {
            sim_.scheduler().Sleep((10 + 10 * i) * kStepNs);  // they arrive in this order
            lock->Lock();
            order += std::to_string(i);
            lock->Unlock();
          });
        }
        return lock;
      });
      seen.insert(order);
    }
    return seen;
  };
  EXPECT_THAT(orders(0), ElementsAre("012"));
  EXPECT_GE(orders(kPageStealsUnbounded).size(), 5u);
}

// --- hashed wait queues ---

TEST_F(PageLockTest, AnUnlockWakesTheWaitersOfACollidingPageForNothing) {
  QuietSource quiet;
  const auto wakes_of_other = [&](size_t buckets) {
    PageWaitTable table(buckets);
    uint64_t steps = 0;
    Run(quiet, [&] {
      auto first = std::shared_ptr<PageLock>(NewLock({0, &table}, 1));
      auto second = std::shared_ptr<PageLock>(NewLock({0, &table}, 2));
      sim_.scheduler().Spawn("holder of both", [&, first, second] {
        second->Lock();
        sim_.scheduler().Sleep(20 * kStepNs);  // the waiters queue
        for (int i = 0; i < 5; ++i) {
          first->Lock();
          Pause();
          first->Unlock();
        }
        sim_.scheduler().Sleep(100 * kStepNs);
        second->Unlock();
      });
      sim_.scheduler().Spawn("waits for the second", [second] { second->Lock(); second->Unlock(); });
      sim_.scheduler().Spawn("waits to see it", [second] { second->WaitUnlocked(); EXPECT_FALSE(second->locked()); });
      return std::make_pair(first, second);
    });
    for (const RecordedChoice& choice : choices_.recorded()) steps += choice.kind == ChoiceKind::kSchedule;
    return steps;
  };
  EXPECT_GT(wakes_of_other(1), wakes_of_other(2)) << "woken waiters can run, so that there is something to choose";
}

// --- B95: a request in a plug ---

class PlugTest : public PageLockTest {
 protected:
  // A reader locks a folio, hands it to a request in its plug, and sleeps on a mutex whose owner wants the folio.
  RunEnd Read(bool submits_before_it_sleeps) {
    QuietSource quiet;
    return Run(quiet, [&] {
      auto folio = std::shared_ptr<PageLock>(NewLock());
      auto mutex = std::make_shared<Mutex>(sim_, sim_.Class("mutex"));
      auto submitted = std::make_shared<Completion>(sim_, sim_.Class("submitted", {.is_event = true}));
      auto request = std::make_shared<PluggedRequest>();
      sim_.scheduler().Spawn("reader", [=, this] {
        *request = PluggedRequest(sim_.scheduler().current());
        folio->Lock();
        folio->HandOverToIo(request.get());
        if (submits_before_it_sleeps) {
          request->Submit();
          submitted->Complete();
        }
        sim_.scheduler().Sleep(20 * kStepNs);
        mutex->Lock();
        mutex->Unlock();
      });
      sim_.scheduler().Spawn("truncate", [=] {
        mutex->Lock();
        folio->Lock();
        folio->Unlock();
        mutex->Unlock();
      });
      sim_.scheduler().Spawn("device", [=] {
        submitted->Wait();
        folio->UnlockFromIo();
      }, TaskKind::kDaemon);
      return std::make_tuple(folio, mutex, submitted, request);
    });
  }
};

TEST_F(PlugTest, WhoSleepsWithARequestInItsPlugBlocksThoseWhoNeedIt) {
  EXPECT_EQ(Read(false).kind, RunEndKind::kDeadlock);
  ASSERT_TRUE(sim_.scheduler().deadlock().is_cycle) << "named at once, not only when nothing else can run";
  EXPECT_THAT(sim_.scheduler().deadlock().cycle, SizeIs(2));
}
TEST_F(PlugTest, ASubmittedRequestIsTheDevices) { EXPECT_EQ(Read(true).kind, RunEndKind::kCompleted); }

TEST_F(PageLockTest, WhatACompletionWaitsForTheFolioWaitsFor) {
  QuietSource quiet;
  const auto complete = [&](bool needs_the_mutex) {
    return Run(quiet, [&] {
      auto folio = std::shared_ptr<PageLock>(NewLock());
      auto mutex = std::make_shared<Mutex>(sim_, sim_.Class("mutex"));
      sim_.scheduler().Spawn("reader", [=] {
        mutex->Lock();
        folio->Lock();
        folio->HandOverToIo();
        folio->Lock();
        folio->Unlock();
        mutex->Unlock();
      });
      sim_.scheduler().Spawn("completion", [=, this] {
        sim_.scheduler().Sleep(50 * kStepNs);
        folio->TakeOverFromIo();
        if (needs_the_mutex) mutex->Lock();
        folio->UnlockFromIo();
        if (needs_the_mutex) mutex->Unlock();
      });
      sim_.scheduler().Spawn("bystander", [=, this] { sim_.scheduler().Sleep(500 * kStepNs); });
      return std::make_pair(folio, mutex);
    });
  };
  EXPECT_EQ(complete(false).kind, RunEndKind::kCompleted);
  EXPECT_EQ(complete(true).kind, RunEndKind::kDeadlock);
  EXPECT_THAT(sim_.scheduler().deadlock().cycle, SizeIs(2));
}

}  // namespace
}  // namespace ordeal
