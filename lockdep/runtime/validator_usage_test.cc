// The four rules about locks and the contexts that may interrupt their holders, for each of the three contexts: hard
// interrupts, soft interrupts, memory reclaim. Each rule is broken once and nearly broken once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "lockdep/runtime/validator.h"

namespace ordeal::lockdep {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class UsageTest : public ::testing::TestWithParam<UsageState> {
 protected:
  static std::string StateName() {
    return GetParam() == UsageState::kHardirq ? "hard" : GetParam() == UsageState::kSoftirq ? "soft" : "reclaim";
  }
  static std::string BitName(bool enabled) { return UsageBitName(MakeUsageBit(GetParam(), enabled, false)); }
  void Enter() {
    switch (GetParam()) {
      case UsageState::kHardirq:
        validator_.DisableHardirqs(task_);
        validator_.EnterHardirq(task_);
        break;
      case UsageState::kSoftirq:
        validator_.DisableSoftirqs(task_);
        validator_.EnterSoftirq(task_);
        break;
      case UsageState::kReclaim: validator_.EnterReclaim(task_); break;
    }
  }
  void Leave() {
    switch (GetParam()) {
      case UsageState::kHardirq:
        validator_.LeaveHardirq(task_);
        validator_.EnableHardirqs(task_);
        break;
      case UsageState::kSoftirq:
        validator_.LeaveSoftirq(task_);
        validator_.EnableSoftirqs(task_);
        break;
      case UsageState::kReclaim: validator_.LeaveReclaim(task_); break;
    }
  }
  void Forbid() {
    validator_.DisableHardirqs(task_);
    validator_.DisableSoftirqs(task_);
  }
  void Permit() {
    validator_.EnableSoftirqs(task_);
    validator_.EnableHardirqs(task_);
  }
  void Lock(const LockMap& map, Mode mode = Mode::kExclusive) {
    validator_.Acquire(task_, map, mode, {.site = {"lock", 1}});
  }
  void Unlock(const LockMap& map) { validator_.Release(task_, map); }
  // Holds `map` while the context may begin: interrupts are on, or memory is allocated.
  void HeldWhereItMayBegin(const LockMap& map, Mode mode = Mode::kExclusive) {
    Lock(map, mode);
    if (GetParam() == UsageState::kReclaim) validator_.MayEnterReclaim(task_);
    Unlock(map);
  }
  void HeldWhereItMayNot(const LockMap& map) {
    Forbid();
    Lock(map);
    Unlock(map);
    Permit();
  }
  void UsedIn(const LockMap& map, Mode mode = Mode::kExclusive) {
    Enter();
    Lock(map, mode);
    Unlock(map);
    Leave();
  }
  // A -> B, in no context that has a say.
  void Order(const LockMap& first, const LockMap& second) {
    Forbid();
    Lock(first);
    Lock(second);
    Unlock(second);
    Unlock(first);
    Permit();
  }
  std::vector<std::string> Kinds() const {
    std::vector<std::string> kinds;
    for (const Violation& violation : validator_.violations()) kinds.push_back(violation.KindText());
    return kinds;
  }
  void ExpectStates(const char* safe, const char* unsafe) {
    ASSERT_FALSE(validator_.violations().empty());
    const Violation& violation = validator_.violations()[0];
    EXPECT_EQ(violation.safe.node, safe);
    EXPECT_EQ(violation.safe.state, BitName(false));
    EXPECT_EQ(violation.unsafe.node, unsafe);
    EXPECT_EQ(violation.unsafe.state, BitName(true));
  }
  LockMap Map(const char* name, LockClassOptions rules = {.inner = WaitType::kConfig}) {
    return validator_.NewMap(validator_.RegisterClass(name, rules));
  }

  Validator validator_;
  TaskContext task_{"task", 1};
  LockMap a_ = Map("A");
  LockMap b_ = Map("B");
  LockMap c_ = Map("C");
};
INSTANTIATE_TEST_SUITE_P(Contexts, UsageTest,
                         ::testing::Values(UsageState::kHardirq, UsageState::kSoftirq, UsageState::kReclaim),
                         [](const auto& info) {
                           return info.param == UsageState::kHardirq   ? "Hardirq"
                                  : info.param == UsageState::kSoftirq ? "Softirq"
                                                                       : "Reclaim";
                         });

// ---- 1. one lock in both states

TEST_P(UsageTest, UsedInTheContextThenHeldWhereItMayBegin) {
  UsedIn(a_);
  HeldWhereItMayNot(a_);
  EXPECT_THAT(Kinds(), IsEmpty());
  HeldWhereItMayBegin(a_);
  EXPECT_THAT(Kinds(), ElementsAre("inconsistent-state"));
  ExpectStates("A", "A");
}

TEST_P(UsageTest, HeldWhereItMayBeginThenUsedInTheContext) {
  HeldWhereItMayBegin(a_);
  UsedIn(b_);
  EXPECT_THAT(Kinds(), IsEmpty());
  UsedIn(a_);
  EXPECT_THAT(Kinds(), ElementsAre("inconsistent-state"));
  ExpectStates("A", "A");
}

TEST_P(UsageTest, ReadersOfTheContextInterruptReaders) {
  UsedIn(a_, Mode::kSharedRecursive);
  HeldWhereItMayBegin(a_, Mode::kShared);
  EXPECT_THAT(Kinds(), IsEmpty());
  HeldWhereItMayBegin(a_);
  EXPECT_THAT(Kinds(), ElementsAre("inconsistent-state"));
}

// ---- 2. a lock becomes used in the context, and others follow it

TEST_P(UsageTest, ALockThatTookAnUnsafeOneBecomesUsedInTheContext) {
  Order(a_, b_);
  HeldWhereItMayBegin(b_);
  UsedIn(c_);
  EXPECT_THAT(Kinds(), IsEmpty());
  UsedIn(a_);
  EXPECT_THAT(Kinds(), ElementsAre("irq-inversion"));
  ExpectStates("A", "B");
  EXPECT_EQ(validator_.violations()[0].cycle.size(), 1u);
}

TEST_P(UsageTest, ALockThatOnlyFollowsAnUnsafeOneMayBeUsedInTheContext) {
  Order(b_, a_);
  HeldWhereItMayBegin(b_);
  UsedIn(a_);
  EXPECT_THAT(Kinds(), IsEmpty());
}

// ---- 3. a lock becomes unsafe, and others precede it

TEST_P(UsageTest, ALockThatFollowsOneUsedInTheContextBecomesUnsafe) {
  UsedIn(a_);
  Order(a_, b_);
  Order(b_, c_);
  HeldWhereItMayNot(c_);
  EXPECT_THAT(Kinds(), IsEmpty());
  HeldWhereItMayBegin(c_);
  EXPECT_THAT(Kinds(), ElementsAre("irq-inversion"));
  ExpectStates("A", "C");
  EXPECT_EQ(validator_.violations()[0].cycle.size(), 2u);
}

TEST_P(UsageTest, ALockThatOnlyPrecedesOneUsedInTheContextMayBecomeUnsafe) {
  UsedIn(a_);
  Order(b_, a_);
  HeldWhereItMayBegin(b_);
  EXPECT_THAT(Kinds(), IsEmpty());
}

// ---- 4. a dependency joins the two

TEST_P(UsageTest, ADependencyLeadsFromALockOfTheContextToAnUnsafeOne) {
  UsedIn(a_);
  HeldWhereItMayBegin(b_);
  Order(b_, a_);
  EXPECT_THAT(Kinds(), IsEmpty());
}

TEST_P(UsageTest, ADependencyThatLeadsFromALockOfTheContextToAnUnsafeOneIsFound) {
  UsedIn(a_);
  HeldWhereItMayBegin(b_);
  EXPECT_THAT(Kinds(), IsEmpty());
  Order(a_, b_);
  EXPECT_THAT(Kinds(), ElementsAre("irq-order(" + StateName() + ")"));
  ExpectStates("A", "B");
}

TEST_P(UsageTest, TheDependencyMayBeInTheMiddle) {
  const LockMap d = Map("D");
  UsedIn(a_);
  HeldWhereItMayBegin(d);
  Order(a_, b_);
  Order(c_, d);
  EXPECT_THAT(Kinds(), IsEmpty());
  Order(b_, c_);
  EXPECT_THAT(Kinds(), ElementsAre("irq-order(" + StateName() + ")"));
  ExpectStates("A", "D");
  EXPECT_EQ(validator_.violations()[0].cycle.size(), 3u);
}

// ---- what takes no part

TEST_P(UsageTest, AnAttemptInTheContextWaitsForNobody) {
  HeldWhereItMayBegin(a_);
  Enter();
  validator_.Acquire(task_, a_, Mode::kExclusive, {.trylock = true});
  Unlock(a_);
  Leave();
  EXPECT_THAT(Kinds(), IsEmpty());
}

TEST_P(UsageTest, AClassWithoutValidationTakesNoPart) {
  const LockMap x = Map("X", {.no_validate = true, .inner = WaitType::kConfig});
  HeldWhereItMayBegin(x);
  UsedIn(x);
  EXPECT_THAT(Kinds(), IsEmpty());
}

TEST_P(UsageTest, APathThroughALockOfTheOwnCpuIsNone) {
  const LockMap local = Map("local", {.per_cpu = true, .inner = WaitType::kConfig});
  UsedIn(a_);
  HeldWhereItMayBegin(b_);
  Order(a_, local);
  EXPECT_THAT(Kinds(), IsEmpty());
  Order(local, b_);
  EXPECT_THAT(Kinds(), IsEmpty());
}

TEST_P(UsageTest, ChainsOfTheContextAreSeparate) {
  Forbid();
  Lock(a_);
  if (GetParam() == UsageState::kReclaim) {
    Permit();
    Unlock(a_);
    return;  // reclaim runs in the task: what it holds stays held
  }
  Enter();
  Lock(b_);
  Unlock(b_);
  GetParam() == UsageState::kHardirq ? validator_.LeaveHardirq(task_) : validator_.LeaveSoftirq(task_);
  Unlock(a_);
  Permit();
  Order(b_, a_);
  EXPECT_THAT(Kinds(), IsEmpty());
  EXPECT_EQ(task_.chain_key(), kEmptyChainKey);
}

TEST_P(UsageTest, EachRunIsJudgedByItself) {
  UsedIn(a_);
  validator_.BeginRun();
  HeldWhereItMayBegin(a_);
  EXPECT_THAT(Kinds(), IsEmpty());
  UsedIn(a_);
  EXPECT_THAT(Kinds(), ElementsAre("inconsistent-state"));
  validator_.BeginRun();
  HeldWhereItMayBegin(a_);
  HeldWhereItMayBegin(a_);
  EXPECT_THAT(Kinds(), IsEmpty());
  UsedIn(a_);
  EXPECT_THAT(Kinds(), ElementsAre("inconsistent-state"));
}

TEST_P(UsageTest, DependenciesOfEarlierRunsCountOnceTheRunHasThemToo) {
  Order(a_, b_);
  UsedIn(a_);
  validator_.BeginRun();
  HeldWhereItMayBegin(b_);
  Order(a_, b_);
  EXPECT_THAT(Kinds(), IsEmpty());
  UsedIn(a_);
  EXPECT_THAT(Kinds(), ElementsAre("irq-inversion"));
}

// ---- enabling interrupts under locks

TEST(EnableTest, InterruptsTurnedOnUnderALockMakeItUnsafe) {
  Validator validator;
  TaskContext task("task");
  const LockMap a = validator.NewMap(validator.RegisterClass("A", {.inner = WaitType::kConfig}));
  validator.DisableHardirqs(task);
  validator.EnterHardirq(task);
  validator.Acquire(task, a, Mode::kExclusive, {});
  validator.Release(task, a);
  validator.LeaveHardirq(task);
  validator.Acquire(task, a, Mode::kExclusive, {});
  EXPECT_THAT(validator.violations(), IsEmpty());
  validator.EnableHardirqs(task, {"enable", 7});
  ASSERT_EQ(validator.violations().size(), 1u);
  EXPECT_EQ(validator.violations()[0].KindText(), "inconsistent-state");
  EXPECT_EQ(validator.violations()[0].unsafe.site.line, 7);
}

TEST(EnableTest, ReleasedInTimeItStaysSafe) {
  Validator validator;
  TaskContext task("task");
  const LockMap a = validator.NewMap(validator.RegisterClass("A", {.inner = WaitType::kConfig}));
  validator.DisableHardirqs(task);
  validator.EnterHardirq(task);
  validator.Acquire(task, a, Mode::kExclusive, {});
  validator.Release(task, a);
  validator.LeaveHardirq(task);
  validator.Acquire(task, a, Mode::kExclusive, {});
  validator.Release(task, a);
  validator.EnableHardirqs(task);
  EXPECT_THAT(validator.violations(), IsEmpty());
}

}  // namespace
}  // namespace ordeal::lockdep
