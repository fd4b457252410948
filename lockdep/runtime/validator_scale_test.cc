// No table fills up and no depth is too deep: N10..N13 of the validator survey. And what several tasks do: N14..N16.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lockdep/runtime/validator.h"

namespace ordeal::lockdep {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class ScaleTest : public ::testing::Test {
 protected:
  std::deque<LockMap> Maps(int count) {
    std::deque<LockMap> maps;
    for (int i = 0; i < count; ++i) maps.push_back(validator_.NewMap(validator_.RegisterClass(absl::StrCat("L", i))));
    return maps;
  }
  void Lock(const LockMap& map) { validator_.Acquire(task_, map, Mode::kExclusive, {}); }
  void Unlock(const LockMap& map) { validator_.Release(task_, map); }
  void Pair(const LockMap& first, const LockMap& second) {
    Lock(first);
    Lock(second);
    Unlock(second);
    Unlock(first);
  }
  std::vector<std::string> Kinds() const {
    std::vector<std::string> kinds;
    for (const Violation& violation : validator_.violations()) kinds.push_back(violation.KindText());
    return kinds;
  }

  Validator validator_;
  TaskContext task_{"task", 1};
};

// ---- N10: nothing is exhausted.

TEST_F(ScaleTest, AHundredThousandClasses) {
  const std::deque<LockMap> maps = Maps(100'000);
  for (const LockMap& map : maps) {
    Lock(map);
    Unlock(map);
  }
  EXPECT_EQ(validator_.stats().classes, 100'000u);
  EXPECT_EQ(validator_.stats().chains, 100'000u);
  Pair(maps.front(), maps.back());
  EXPECT_THAT(Kinds(), IsEmpty());
  Pair(maps.back(), maps.front());
  EXPECT_THAT(Kinds(), ElementsAre("circular"));
}

// Four levels of 32 classes: 32 + 32^2 + 32^3 + 32^4 chains over few dependencies.
TEST_F(ScaleTest, AMillionChains) {
  constexpr size_t kWidth = 32;
  const std::deque<LockMap> maps = Maps(4 * kWidth);
  for (size_t a = 0; a < kWidth; ++a) {
    Lock(maps[a]);
    for (size_t b = kWidth; b < 2 * kWidth; ++b) {
      Lock(maps[b]);
      for (size_t c = 2 * kWidth; c < 3 * kWidth; ++c) {
        Lock(maps[c]);
        for (size_t d = 3 * kWidth; d < 4 * kWidth; ++d) {
          Lock(maps[d]);
          Unlock(maps[d]);
        }
        Unlock(maps[c]);
      }
      Unlock(maps[b]);
    }
    Unlock(maps[a]);
  }
  EXPECT_EQ(validator_.stats().chains, 32u + 1024u + 32768u + 1048576u);
  EXPECT_EQ(validator_.stats().dependencies, 6u * 1024u);
  EXPECT_THAT(Kinds(), IsEmpty());
  Pair(maps.back(), maps.front());
  EXPECT_THAT(Kinds(), ElementsAre("circular"));
}

// ---- N11: depth. The kernel stops at 48 held locks, others at 40 or 64.

class DepthTest : public ScaleTest, public ::testing::WithParamInterface<int> {};

TEST_P(DepthTest, TheDeepestLocksAreOrderedToo) {
  const std::deque<LockMap> maps = Maps(GetParam());
  for (const LockMap& map : maps) Lock(map);
  EXPECT_EQ(task_.held().size(), maps.size());
  for (size_t i = maps.size(); i-- > 0;) Unlock(maps[i]);
  EXPECT_THAT(Kinds(), IsEmpty());
  EXPECT_EQ(task_.chain_key(), kEmptyChainKey);
  Pair(maps[maps.size() - 1], maps[maps.size() - 2]);
  EXPECT_THAT(Kinds(), ElementsAre("circular"));
}

TEST_P(DepthTest, ReleaseInOrderOfAcquisitionEndsEmpty) {
  const std::deque<LockMap> maps = Maps(GetParam());
  for (const LockMap& map : maps) Lock(map);
  for (const LockMap& map : maps) Unlock(map);
  EXPECT_THAT(Kinds(), IsEmpty());
  EXPECT_EQ(task_.chain_key(), kEmptyChainKey);
}
INSTANTIATE_TEST_SUITE_P(Depths, DepthTest, ::testing::Values(48, 49, 200, 1000));

// ---- N12: long cycles.

class LongCycleTest : public ScaleTest, public ::testing::WithParamInterface<int> {};

TEST_P(LongCycleTest, IsFoundWhenItsLastStepIsMade) {
  const std::deque<LockMap> maps = Maps(GetParam());
  for (size_t i = 0; i + 1 < maps.size(); ++i) Pair(maps[i], maps[i + 1]);
  EXPECT_THAT(Kinds(), IsEmpty());
  Pair(maps.back(), maps.front());
  ASSERT_THAT(Kinds(), ElementsAre("circular"));
  EXPECT_EQ(validator_.violations()[0].cycle.size(), maps.size());
}
INSTANTIATE_TEST_SUITE_P(Lengths, LongCycleTest, ::testing::Values(21, 24, 1000));

// ---- N13: an order seen before thousands of other locks came to life.

TEST_F(ScaleTest, AnOldOrderIsRememberedAmongManyLiveLocks) {
  const std::deque<LockMap> maps = Maps(10'000);
  Pair(maps[0], maps[1]);
  for (size_t i = 2; i + 1 < maps.size(); i += 2) Pair(maps[i], maps[i + 1]);
  EXPECT_THAT(Kinds(), IsEmpty());
  Pair(maps[1], maps[0]);
  EXPECT_THAT(Kinds(), ElementsAre("circular"));
}

TEST_F(ScaleTest, FiveThousandLocksHeldAtOnceByOneNestLock) {
  const LockMap nest = validator_.NewMap(validator_.RegisterClass("nest"));
  const LockMap after = validator_.NewMap(validator_.RegisterClass("after"));
  const std::deque<LockMap> many(5000, validator_.NewMap(validator_.RegisterClass("many")));
  Lock(nest);
  for (const LockMap& map : many) validator_.Acquire(task_, map, Mode::kExclusive, {.nest = &nest});
  Lock(after);
  Unlock(after);
  for (const LockMap& map : many) Unlock(map);
  Unlock(nest);
  EXPECT_EQ(validator_.stats().chains, 3u);
  EXPECT_THAT(Kinds(), IsEmpty());
  Pair(after, many[0]);
  EXPECT_THAT(Kinds(), ElementsAre("circular"));
}

// ---- N14..N16: several tasks.

class TasksTest : public ScaleTest {
 protected:
  TasksTest() {
    validator_.Attach(task_);
    validator_.Attach(other_);
  }
  ~TasksTest() override {
    validator_.Detach(other_);
    validator_.Detach(task_);
  }
  LockMap Map(const char* name, LockClassOptions rules = {}) {
    return validator_.NewMap(validator_.RegisterClass(name, rules));
  }

  TaskContext other_{"other", 2};
};

TEST_F(TasksTest, HalvesOfACycleMayBeOfDifferentTasks) {
  const LockMap a = Map("A");
  const LockMap b = Map("B");
  Pair(a, b);
  validator_.Acquire(other_, b, Mode::kExclusive, {});
  EXPECT_THAT(Kinds(), IsEmpty());
  validator_.Acquire(other_, a, Mode::kExclusive, {});
  EXPECT_THAT(Kinds(), ElementsAre("circular"));
  EXPECT_EQ(validator_.violations()[0].task, "other");
}

TEST_F(TasksTest, ThreeTasksMakeACycleOfThree) {
  TaskContext third("third", 3);
  const std::deque<LockMap> maps = Maps(3);
  Pair(maps[0], maps[1]);
  validator_.Acquire(other_, maps[1], Mode::kExclusive, {});
  validator_.Acquire(other_, maps[2], Mode::kExclusive, {});
  EXPECT_THAT(Kinds(), IsEmpty());
  validator_.Acquire(third, maps[2], Mode::kExclusive, {});
  validator_.Acquire(third, maps[0], Mode::kExclusive, {});
  EXPECT_THAT(Kinds(), ElementsAre("circular"));
}

// N15. Per-instance validators forget an order when one of its locks is destroyed.
TEST_F(TasksTest, AnInstanceThatIsDestroyedAndRecreatedKeepsItsRole) {
  const LockMap a = Map("A");
  auto b = std::make_unique<LockMap>(Map("B"));
  Pair(a, *b);
  validator_.MemoryFreed(task_, b.get(), sizeof(LockMap));
  b = std::make_unique<LockMap>(Map("B"));
  EXPECT_THAT(Kinds(), IsEmpty());
  Pair(*b, a);
  EXPECT_THAT(Kinds(), ElementsAre("circular"));
}

TEST_F(TasksTest, AnIntermediateLockThatIsDestroyedDoesNotBreakTheOrder) {
  const LockMap a = Map("A");
  const LockMap c = Map("C");
  auto passing = std::make_unique<LockMap>(Map("passing"));
  Pair(a, *passing);
  Pair(*passing, c);
  passing.reset();
  EXPECT_THAT(Kinds(), IsEmpty());
  Pair(c, a);
  EXPECT_THAT(Kinds(), ElementsAre("circular"));
}

// N16. A lock is released by another context than took it.
TEST_F(TasksTest, ALockOfAnotherTaskMustNotBeReleased) {
  const LockMap a = Map("A");
  validator_.Acquire(other_, a, Mode::kExclusive, {});
  Unlock(a);
  EXPECT_THAT(Kinds(), ElementsAre("foreign-unlock"));
  validator_.Release(other_, a);
  Unlock(a);
  EXPECT_THAT(Kinds(), ElementsAre("foreign-unlock", "bad-unlock"));
}

TEST_F(TasksTest, ALockThatWasHandedOverIsHeldNoMore) {
  const LockMap page = Map("page");
  const LockMap a = Map("A");
  Lock(page);
  validator_.HandOver(task_, page);
  Lock(a);  // not under the page lock
  Unlock(a);
  Pair(a, page);
  EXPECT_THAT(Kinds(), IsEmpty());
  validator_.TaskExit(task_);
  EXPECT_THAT(Kinds(), IsEmpty());
}

TEST_F(TasksTest, AnEventThatWaitsForALockUnderWhichItIsWaitedFor) {
  const LockMap a = Map("A");
  const LockMap done = Map("done", {.is_event = true});
  validator_.Owe(other_, done, {});  // the completer takes A first
  validator_.Acquire(other_, a, Mode::kExclusive, {});
  validator_.Release(other_, a);
  validator_.Trigger(other_, done, {});
  EXPECT_THAT(Kinds(), IsEmpty());
  Lock(a);
  validator_.Wait(task_, done, {});
  EXPECT_THAT(Kinds(), ElementsAre("circular"));
}

TEST_F(TasksTest, AnEventThatIsTriggeredFreeOfTheWaiter) {
  const LockMap a = Map("A");
  const LockMap done = Map("done", {.is_event = true});
  validator_.Owe(other_, done, {});
  validator_.Trigger(other_, done, {});
  validator_.Acquire(other_, a, Mode::kExclusive, {});
  validator_.Release(other_, a);
  Lock(a);
  validator_.Wait(task_, done, {});
  Unlock(a);
  EXPECT_THAT(Kinds(), IsEmpty());
}

// A wait that gives up after a while is no dependency.
TEST_F(TasksTest, AWaitThatEndsByItselfCannotDeadlock) {
  const LockMap a = Map("A");
  const LockMap done = Map("done", {.is_event = true});
  validator_.Owe(other_, done, {});
  validator_.Acquire(other_, a, Mode::kExclusive, {});
  validator_.Release(other_, a);
  validator_.Trigger(other_, done, {});
  Lock(a);
  validator_.WaitTimed(task_, done, {});
  EXPECT_THAT(Kinds(), IsEmpty());
  validator_.Wait(task_, done, {});  // the control
  EXPECT_THAT(Kinds(), ElementsAre("circular"));
}

// ---- memory and ends of tasks

TEST_F(TasksTest, MemoryWithALockThatAnotherTaskHoldsMustNotBeFreed) {
  struct Object {
    uint64_t before = 0;
    LockMap map;
    uint64_t after = 0;
  };
  Object object;
  object.map = Map("A");
  validator_.Acquire(other_, object.map, Mode::kExclusive, {});
  validator_.MemoryFreed(task_, &object.before, sizeof(object.before));
  validator_.MemoryFreed(task_, &object.after, sizeof(object.after));
  EXPECT_THAT(Kinds(), IsEmpty());
  validator_.MemoryFreed(task_, &object, sizeof(object));
  EXPECT_THAT(Kinds(), ElementsAre("held-freed"));
  EXPECT_EQ(validator_.violations()[0].message, "its memory is freed or initialised while other holds it");
  validator_.Release(other_, object.map);
}

TEST_F(TasksTest, AHeldLockMustNotBeInitialised) {
  const LockMap a = Map("A");
  const LockMap b = Map("A");
  Lock(a);
  validator_.Reinitialised(task_, b);
  EXPECT_THAT(Kinds(), IsEmpty());
  validator_.Reinitialised(task_, a);
  EXPECT_THAT(Kinds(), ElementsAre("held-freed"));
}

TEST_F(TasksTest, ATaskEndsWithoutLocks) {
  const LockMap a = Map("A");
  Lock(a);
  Unlock(a);
  validator_.TaskExit(task_);
  EXPECT_THAT(Kinds(), IsEmpty());
  Lock(a);
  validator_.TaskExit(task_);
  EXPECT_THAT(Kinds(), ElementsAre("held-at-exit"));
  Lock(a);  // the next life of the context begins with nothing
  Unlock(a);
  EXPECT_THAT(Kinds(), ElementsAre("held-at-exit"));
}

TEST_F(TasksTest, ATaskThatWasDetachedHoldsNothingThatMatters) {
  const LockMap a = Map("A");
  {
    TaskContext gone("gone", 3);
    validator_.Attach(gone);
    validator_.Acquire(gone, a, Mode::kExclusive, {});
    EXPECT_EQ(validator_.FindHolder(a), &gone);
    validator_.Detach(gone);
  }
  EXPECT_EQ(validator_.FindHolder(a), nullptr);
}

}  // namespace
}  // namespace ordeal::lockdep
