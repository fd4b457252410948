#include "harness/sync/range_lock.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <memory>

#include "harness/choice/prng.h"
#include "harness/sync/sync_test_fixture.h"

namespace ordeal {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class RangeLockTest : public SyncTest {
 protected:
  std::unique_ptr<RangeLock> NewLock() {
    return std::make_unique<RangeLock>(sim_, sim_.Class("range_lock"), "range lock", 1);
  }
};

// Random programs against the naive model: what is held, a mode for each of eight places.
TEST_F(RangeLockTest, AgreesWithALockForEachPlaceInRandomPrograms) {
  SeededSource source(1);
  int disjoint_together = 0;
  int shared_together = 0;
  for (int run = 0; run < 400; ++run) {
    int readers[8] = {};
    int writers[8] = {};
    int holders = 0;
    Prng program(DeriveSeed(78, static_cast<uint64_t>(run)));
    const RunEnd end = Run(source, [&] {
      auto lock = NewLock();
      for (int task = 0; task < 4; ++task) {
        sim_.scheduler().Spawn("task", [&, lock = lock.get(), seed = program.Next()] {
          Prng prng(seed);
          for (int i = 0; i < 4; ++i) {
            const uint32_t begin = prng.Below(8);
            const uint32_t end = begin + 1 + prng.Below(8 - begin);
            const bool exclusive = prng.Below(2) == 0;
            exclusive ? lock->LockExclusive(begin, end) : lock->LockShared(begin, end);
            for (uint32_t at = begin; at < end; ++at) {
              ASSERT_EQ(writers[at], 0);
              ASSERT_TRUE(!exclusive || readers[at] == 0);
              ++(exclusive ? writers : readers)[at];
              if (readers[at] > 1) ++shared_together;
            }
            if (++holders > 1 && exclusive) ++disjoint_together;
            ASSERT_TRUE(lock->HeldByCurrent());
            Pause(2);
            for (uint32_t at = begin; at < end; ++at) --(exclusive ? writers : readers)[at];
            --holders;
            lock->Unlock();
            ASSERT_FALSE(lock->HeldByCurrent());
          }
        });
      }
      return lock;
    });
    ASSERT_EQ(end.kind, RunEndKind::kCompleted);
    ASSERT_THAT(Violations(), IsEmpty());
  }
  EXPECT_GT(disjoint_together, 0) << "ranges that do not overlap exclude each other";
  EXPECT_GT(shared_together, 0) << "shared holders exclude each other";
}

// A reader of the first half comes while a writer waits for the second half that another one reads.
TEST_F(RangeLockTest, ServesInOrderOfArrivalWhereRequestsConflict) {
  QuietSource quiet;
  std::string order;
  const RunEnd end = Run(quiet, [&] {
    auto lock = NewLock();
    sim_.scheduler().Spawn("first", [&, lock = lock.get()] {
      lock->LockShared(4, 8);
      sim_.scheduler().Sleep(100 * kStepNs);
      lock->Unlock();
    });
    sim_.scheduler().Spawn("writer", [&, lock = lock.get()] {
      lock->LockExclusive(0, 8);
      order += "writer ";
      lock->Unlock();
    });
    sim_.scheduler().Spawn("late", [&, lock = lock.get()] {
      sim_.scheduler().Sleep(50 * kStepNs);
      lock->LockShared(0, 4);
      order += "late ";
      lock->Unlock();
    });
    sim_.scheduler().Spawn("elsewhere", [&, lock = lock.get()] {
      sim_.scheduler().Sleep(50 * kStepNs);
      lock->LockExclusive(8, 9);
      order += "elsewhere ";
      lock->Unlock();
    });
    return lock;
  });
  EXPECT_EQ(end.kind, RunEndKind::kCompleted);
  EXPECT_EQ(order, "elsewhere writer late ");
}

// Two tasks that each hold a range of one lock and want the other's, and one that wants what it has.
TEST_F(RangeLockTest, WaitsAreEdgesOfTheWaitForGraph) {
  for (const bool itself : {false, true}) {
    QuietSource quiet;
    const RunEnd end = Run(quiet, [&] {
      auto a = NewLock();
      auto b = std::make_shared<std::unique_ptr<RangeLock>>(NewLock());
      for (int task = 0; task < (itself ? 1 : 2); ++task) {
        sim_.scheduler().Spawn("task", [&, itself, task, a = a.get(), b = b->get()] {
          RangeLock* first = task == 0 ? a : b;
          RangeLock* second = itself ? first : task == 0 ? b : a;
          first->LockExclusive(0, 4);
          sim_.scheduler().Sleep(10 * kStepNs);
          second->LockExclusive(3, 5);
        });
      }
      return std::make_pair(std::move(a), std::move(b));
    });
    EXPECT_EQ(end.kind, RunEndKind::kDeadlock) << itself;
    EXPECT_THAT(Violations(), Contains(HasSubstr("range_lock"))) << itself;
  }
}

TEST_F(RangeLockTest, ReportsAReleaseOfWhatIsNotHeld) {
  QuietSource quiet;
  Run(quiet, [&] {
    auto lock = NewLock();
    sim_.scheduler().Spawn("task", [lock = lock.get()] { lock->Unlock(); });
    return lock;
  });
  EXPECT_THAT(Violations(), Contains("bad-unlock: range_lock"));
}

TEST_F(RangeLockTest, RefusesAnEmptyRange) {
  auto lock = NewLock();
  EXPECT_DEATH(lock->LockShared(2, 2), "empty range");
}

}  // namespace
}  // namespace ordeal
