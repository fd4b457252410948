#include "harness/sync/six_lock.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "harness/sync/mutex.h"
#include "harness/sync/sync_test_fixture.h"

namespace ordeal {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class SixLockTest : public SyncTest {
 protected:
  std::unique_ptr<SixLock> NewLock(const char* name = "node", uint32_t number = 0) {
    return std::make_unique<SixLock>(sim_, sim_.Class(name, {.kind = &lockdep::kSixLock}), name, number);
  }
};

// The naive model: who holds what, and how many exclusive sections there were.
struct Model {
  int readers = 0;
  int intents = 0;
  bool exclusive = false;
  uint64_t sections = 0;
  bool wrong = false;

  void Check(const SixLock& lock) {
    wrong |= intents > 1 || (exclusive && (readers > 0 || intents != 1));
    wrong |= lock.sequence() != sections || lock.readers() < readers;
    lock.CheckInvariants();
  }
};

// One random visit of a task, each step told to the model at the moment at which it happens.
class Visitor {
 public:
  Visitor(SixLock& lock, Model& model, Prng& prng, Scheduler& scheduler)
      : lock_(lock), model_(model), prng_(prng), scheduler_(scheduler) {}

  void Read() {
    if (!Take(SixMode::kShared)) return;
    ++model_.readers;
    Look();
    if (prng_.Below(3) == 0 && lock_.TryUpgrade()) {
      --model_.readers;
      ++model_.intents;
      ++upgrades;
      Look();
      return ReleaseIntent();
    }
    const uint64_t seen = lock_.sequence();
    Drop(SixMode::kShared, &model_.readers);
    Look();
    const uint64_t before = model_.sections;
    if (!lock_.Relock(SixMode::kShared, seen)) return void(++failed_relocks);
    ++model_.readers;
    model_.wrong |= before != seen && before == model_.sections;  // changed meanwhile: must have failed
    ++relocks;
    Look();
    Drop(SixMode::kShared, &model_.readers);
  }
  void Write() {
    if (!Take(SixMode::kIntent)) return;
    ++model_.intents;
    Look();
    for (uint32_t i = prng_.Below(3); i > 0; --i) {
      if (!Take(SixMode::kExclusive)) continue;
      model_.exclusive = true;
      Look();
      lock_.Unlock(SixMode::kExclusive);
      model_.exclusive = false;
      ++model_.sections;
      model_.Check(lock_);
    }
    if (prng_.Below(3) == 0) {
      lock_.Downgrade();
      --model_.intents;
      ++model_.readers;
      Look();
      return Drop(SixMode::kShared, &model_.readers);
    }
    ReleaseIntent();
  }

  int upgrades = 0, relocks = 0, failed_relocks = 0;

 private:
  bool Take(SixMode mode) {
    switch (prng_.Below(3)) {
      case 0: return lock_.TryLock(mode);
      case 1: return lock_.LockOrRestart(mode);
      default: lock_.Lock(mode); return true;
    }
  }
  // The model must follow before anybody else runs: a release is a point, and takes effect behind it.
  void Drop(SixMode mode, int* count) {
    lock_.Unlock(mode);
    --*count;
    model_.Check(lock_);
  }
  void ReleaseIntent() { Drop(SixMode::kIntent, &model_.intents); }
  void Look() {
    model_.Check(lock_);
    for (uint32_t i = prng_.Below(3); i > 0; --i) scheduler_.Point(OperationKind::kYield, kNoObject);
    model_.Check(lock_);
  }

  SixLock& lock_;
  Model& model_;
  Prng& prng_;
  Scheduler& scheduler_;
};

TEST_F(SixLockTest, AgreesWithTheNaiveModelInRandomPrograms) {
  SeededSource source(1);
  int upgrades = 0, relocks = 0, failed_relocks = 0;
  uint64_t sections = 0;
  for (int run = 0; run < 600; ++run) {
    Model model;
    Prng program(DeriveSeed(3, static_cast<uint64_t>(run)));
    const RunEnd end = Run(source, [&] {
      auto lock = NewLock();
      for (int task = 0; task < 4; ++task) {
        sim_.scheduler().Spawn("task", [&, lock = lock.get(), seed = program.Next()] {
          Prng prng(seed);
          Visitor visitor(*lock, model, prng, sim_.scheduler());
          for (int i = 0; i < 4; ++i) {
            if (prng.Below(2) == 0) {
              visitor.Read();
            } else {
              visitor.Write();
            }
          }
          upgrades += visitor.upgrades;
          relocks += visitor.relocks;
          failed_relocks += visitor.failed_relocks;
        });
      }
      return lock;
    });
    ASSERT_EQ(end.kind, RunEndKind::kCompleted) << "run " << run;
    ASSERT_FALSE(model.wrong) << "run " << run;
    ASSERT_THAT(Violations(), IsEmpty()) << "run " << run;
    sections += model.sections;
  }
  EXPECT_GT(upgrades, 50);
  EXPECT_GT(relocks, 50);
  EXPECT_GT(failed_relocks, 50);
  EXPECT_GT(sections, 500u);
}

TEST_F(SixLockTest, ReadersGoOnBesideIntentButNotBesideAWriter) {
  QuietSource quiet;
  Run(quiet, [&] {
    auto lock = NewLock();
    sim_.scheduler().Spawn("task", [&, lock = lock.get()] {
      lock->Lock(SixMode::kIntent);
      EXPECT_FALSE(lock->TryLock(SixMode::kIntent));
      EXPECT_TRUE(lock->TryLock(SixMode::kShared));
      EXPECT_FALSE(lock->TryLock(SixMode::kExclusive)) << "a reader is inside";
      lock->Unlock(SixMode::kShared);
      EXPECT_TRUE(lock->TryLock(SixMode::kExclusive));
      EXPECT_FALSE(lock->TryLock(SixMode::kShared));
      lock->Unlock(SixMode::kExclusive);
      lock->Unlock(SixMode::kIntent);
    });
    return lock;
  });
  EXPECT_THAT(Violations(), IsEmpty());
}

TEST_F(SixLockTest, NewReadersQueueBehindAWaitingWriter) {
  QuietSource quiet;
  std::string order;
  Run(quiet, [&] {
    auto lock = NewLock();
    Scheduler& scheduler = sim_.scheduler();
    scheduler.Spawn("first reader", [&, lock = lock.get()] {
      lock->Lock(SixMode::kShared);
      sim_.scheduler().Sleep(100 * kStepNs);
      lock->Unlock(SixMode::kShared);
    });
    scheduler.Spawn("writer", [&, lock = lock.get()] {
      lock->Lock(SixMode::kIntent);
      lock->Lock(SixMode::kExclusive);
      order += "writer ";
      lock->Unlock(SixMode::kExclusive);
      lock->Unlock(SixMode::kIntent);
    });
    scheduler.Spawn("late reader", [&, lock = lock.get()] {
      sim_.scheduler().Sleep(50 * kStepNs);
      EXPECT_FALSE(lock->TryLock(SixMode::kShared));
      lock->Lock(SixMode::kShared);
      order += "reader ";
      lock->Unlock(SixMode::kShared);
    });
    return lock;
  });
  EXPECT_EQ(order, "writer reader ");
}

TEST_F(SixLockTest, RelockFailsOnlyAfterAnExclusiveSection) {
  QuietSource quiet;
  Run(quiet, [&] {
    auto lock = NewLock();
    sim_.scheduler().Spawn("task", [&, lock = lock.get()] {
      const uint64_t seen = lock->sequence();
      lock->Lock(SixMode::kIntent);  // intends, but changes nothing
      lock->Unlock(SixMode::kIntent);
      EXPECT_TRUE(lock->Relock(SixMode::kIntent, seen));
      EXPECT_FALSE(lock->Relock(SixMode::kIntent, seen)) << "held";
      lock->Lock(SixMode::kExclusive);
      lock->Unlock(SixMode::kExclusive);
      lock->Unlock(SixMode::kIntent);
      EXPECT_FALSE(lock->Relock(SixMode::kShared, seen));
      EXPECT_TRUE(lock->Relock(SixMode::kShared, seen + 1));
      lock->Unlock(SixMode::kShared);
    });
    return lock;
  });
  EXPECT_THAT(Violations(), IsEmpty());
}

TEST_F(SixLockTest, AWriterWithItsOwnShareIsADeadlockWithItself) {
  QuietSource quiet;
  const RunEnd end = Run(quiet, [&] {
    auto lock = NewLock();
    sim_.scheduler().Spawn("task", [lock = lock.get()] {
      lock->Lock(SixMode::kShared);
      lock->Lock(SixMode::kIntent);
      lock->Lock(SixMode::kExclusive);
    });
    return lock;
  });
  EXPECT_EQ(end.kind, RunEndKind::kDeadlock);
  EXPECT_THAT(sim_.scheduler().deadlock().cycle, SizeIs(1));
  EXPECT_THAT(Violations(), ElementsAre("recursive: node"));
}

// --- two nodes ---

// One task goes down (parent, child), the other up (child, parent).
class SixOrderTest : public SixLockTest {
 protected:
  struct Counts {
    int deadlocks = 0;
    int restarts = 0;
  };
  Counts Explore(SixMode mode, bool restarts) {
    SeededSource source(2);
    Counts counts;
    for (int run = 0; run < 300; ++run) {
      const RunEnd end = Run(source, [&] {
        auto parent = std::shared_ptr<SixLock>(NewLock("parent"));
        auto child = std::shared_ptr<SixLock>(NewLock("child"));
        for (const bool down : {true, false}) {
          sim_.scheduler().Spawn(down ? "down" : "up", [&, mode, restarts, first = (down ? parent : child).get(),
                                                        second = (down ? child : parent).get()] {
            for (;;) {
              first->Lock(mode);
              if (!restarts) second->Lock(mode);
              if (!restarts || second->LockOrRestart(mode)) break;
              ++counts.restarts;
              first->Unlock(mode);
            }
            second->Unlock(mode);
            first->Unlock(mode);
          });
        }
        return std::make_pair(parent, child);
      });
      counts.deadlocks += end.kind == RunEndKind::kDeadlock;
      EXPECT_TRUE(end.kind == RunEndKind::kDeadlock || end.kind == RunEndKind::kCompleted);
    }
    return counts;
  }
};

TEST_F(SixOrderTest, IntentsInOppositeOrdersDeadlock) {
  EXPECT_GT(Explore(SixMode::kIntent, false).deadlocks, 20);
  EXPECT_THAT(sim_.scheduler().deadlock().cycle, SizeIs(2));
  EXPECT_THAT(Violations(), ElementsAre("circular: child > parent"));
}
// Not by themselves: but a writer that waits at each node would come between them, and the validator says so.
TEST_F(SixOrderTest, SharesInOppositeOrdersNeedWritersToDeadlock) {
  EXPECT_EQ(Explore(SixMode::kShared, false).deadlocks, 0);
  EXPECT_THAT(Violations(), ElementsAre("circular: child > parent"));
}
TEST_F(SixOrderTest, WhoRestartsInsteadOfWaitingDoesNotDeadlock) {
  const Counts counts = Explore(SixMode::kIntent, true);
  EXPECT_EQ(counts.deadlocks, 0);
  EXPECT_GT(counts.restarts, 20);
  EXPECT_THAT(Violations(), IsEmpty());
}

// --- faults ---

TEST_F(SixLockTest, ATrylockOfAFreeLockFailsOnlyAsAFault) {
  SeededSource source(4);
  const auto failures = [&](FaultSet faults) {
    int failed = 0;
    for (int run = 0; run < 100; ++run) {
      Run(source, [&] {
        auto lock = NewLock();
        sim_.scheduler().Spawn("task", [&, lock = lock.get()] {
          lock->Lock(SixMode::kShared);
          const uint64_t seen = lock->sequence();
          if (lock->TryUpgrade()) {
            lock->Unlock(SixMode::kIntent);
          } else {
            ++failed;
            lock->Unlock(SixMode::kShared);
          }
          if (lock->Relock(SixMode::kShared, seen)) {
            lock->Unlock(SixMode::kShared);
          } else {
            ++failed;
          }
        });
        return lock;
      }, faults);
      EXPECT_THAT(Violations(), IsEmpty());
    }
    return failed;
  };
  EXPECT_EQ(failures({}), 0);
  EXPECT_GT(failures({ChoiceKind::kTrylock}), 20);
}

using SixLockDeathTest = SixLockTest;
TEST_F(SixLockDeathTest, ExclusiveWithoutIntentIsAProgrammersError) {
  QuietSource quiet;
  EXPECT_DEATH(Run(quiet, [&] {
                 auto lock = NewLock();
                 sim_.scheduler().Spawn("task", [lock = lock.get()] { lock->Lock(SixMode::kExclusive); });
                 return lock;
               }),
               "holder of intent");
}

}  // namespace
}  // namespace ordeal
