// N17 of the validator survey: modes of DLM, SIX and two-state locks, each finding with its silent twin.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lockdep/graph/lock_kind.h"
#include "lockdep/runtime/validator.h"

namespace ordeal::lockdep {
namespace {

using ::testing::ElementsAre;

class LockKindRulesTest : public ::testing::Test {
 protected:
  LockMap Make(const char* name, const LockKind* kind) {
    return validator_.NewMap(validator_.RegisterClass(name, {.kind = kind}), name);
  }
  // Takes `a` in `a_mode`, then `b` in `b_mode`; releases both.
  void Nest(const LockMap& a, int a_mode, const LockMap& b, int b_mode) {
    validator_.AcquireMode(task_, a, a_mode, {.site = Site::Here()});
    validator_.AcquireMode(task_, b, b_mode, {.site = Site::Here()});
    validator_.Release(task_, b);
    validator_.Release(task_, a);
  }
  std::vector<std::string> Signatures() const {
    std::vector<std::string> signatures;
    for (const Violation& violation : validator_.violations()) signatures.push_back(violation.signature);
    return signatures;
  }

  Validator validator_;
  TaskContext task_{"task"};
};

TEST_F(LockKindRulesTest, TwoStateLocksOfOneStateDoNotDeadlock) {
  const LockMap a = Make("A", &kTwoStateLock);
  const LockMap b = Make("B", &kTwoStateLock);
  Nest(a, kTwoStateAdd, b, kTwoStateAdd);
  Nest(b, kTwoStateAdd, a, kTwoStateAdd);
  EXPECT_THAT(Signatures(), ElementsAre());
}

TEST_F(LockKindRulesTest, TwoStateLocksOfOppositeStatesDo) {
  const LockMap a = Make("A", &kTwoStateLock);
  const LockMap b = Make("B", &kTwoStateLock);
  Nest(a, kTwoStateAdd, b, kTwoStateAdd);
  Nest(b, kTwoStateBlock, a, kTwoStateBlock);
  ASSERT_THAT(Signatures(), ElementsAre("circular: A > B"));
  const Violation& violation = validator_.violations()[0];
  EXPECT_EQ(violation.acquiring.mode_name, "block");
  EXPECT_EQ(violation.cycle.back().from_mode_name, "block");
}

// A reader could not do the same: a shared holder never excludes its own kind, but an exclusive one does.
TEST_F(LockKindRulesTest, TwoStateCycleNeedsAConflictAtEachJoint) {
  const LockMap a = Make("A", &kTwoStateLock);
  const LockMap b = Make("B", &kTwoStateLock);
  Nest(a, kTwoStateAdd, b, kTwoStateAdd);
  Nest(b, kTwoStateBlock, a, kTwoStateAdd);  // A is added to by both: nobody waits there
  EXPECT_THAT(Signatures(), ElementsAre());
}

TEST_F(LockKindRulesTest, SixIntentGoesWithReaders) {
  const LockMap a = Make("A", &kSixLock);
  const LockMap b = Make("B", &kSixLock);
  Nest(a, kSixIntent, b, kSixIntent);
  Nest(b, kSixShared, a, kSixShared);
  EXPECT_THAT(Signatures(), ElementsAre()) << "readers do not wait for intent, nor intent for readers";
}

TEST_F(LockKindRulesTest, SixIntentsInOppositeOrdersDeadlock) {
  const LockMap a = Make("A", &kSixLock);
  const LockMap b = Make("B", &kSixLock);
  Nest(a, kSixIntent, b, kSixIntent);
  Nest(b, kSixIntent, a, kSixIntent);
  EXPECT_THAT(Signatures(), ElementsAre("circular: A > B"));
}

TEST_F(LockKindRulesTest, SixWriterAgainstReadersDeadlocks) {
  const LockMap a = Make("A", &kSixLock);
  const LockMap b = Make("B", &kSixLock);
  Nest(a, kSixShared, b, kSixExclusive);
  Nest(b, kSixShared, a, kSixExclusive);
  EXPECT_THAT(Signatures(), ElementsAre("circular: A > B"));
}

TEST_F(LockKindRulesTest, DlmNullLocksHoldNobodyUp) {
  const LockMap a = Make("A", &kDlmLock);
  const LockMap b = Make("B", &kDlmLock);
  Nest(a, kDlmNull, b, kDlmExclusive);
  Nest(b, kDlmNull, a, kDlmExclusive);
  EXPECT_THAT(Signatures(), ElementsAre());
  Nest(a, kDlmProtectedRead, b, kDlmExclusive);
  Nest(b, kDlmProtectedRead, a, kDlmExclusive);
  EXPECT_THAT(Signatures(), ElementsAre("circular: A > B"));
}

TEST_F(LockKindRulesTest, ConversionsOfTwoHoldersDeadlock) {
  const LockMap lock = Make("inode", &kDlmLock);
  validator_.AcquireMode(task_, lock, kDlmNull, {});
  validator_.AcquireMode(task_, lock, kDlmExclusive, {});  // from NL: nobody is in the way by holding NL
  validator_.Release(task_, lock);
  validator_.Release(task_, lock);
  EXPECT_THAT(Signatures(), ElementsAre());
  validator_.AcquireMode(task_, lock, kDlmProtectedRead, {});
  validator_.AcquireMode(task_, lock, kDlmExclusive, {});  // two readers that both convert wait for each other
  EXPECT_THAT(Signatures(), ElementsAre("recursive: inode"));
}

TEST_F(LockKindRulesTest, KindsAndMutexesShareOneGraph) {
  const LockMap glock = Make("glock", &kGlock);
  const LockMap mutex = validator_.NewMap(validator_.RegisterClass("mutex"), "mutex");
  validator_.AcquireMode(task_, glock, kGlockShared, {});
  validator_.Acquire(task_, mutex, Mode::kExclusive, {});
  validator_.Release(task_, mutex);
  validator_.Release(task_, glock);
  EXPECT_THAT(Signatures(), ElementsAre());
  validator_.Acquire(task_, mutex, Mode::kExclusive, {});
  validator_.AcquireMode(task_, glock, kGlockExclusive, {});
  EXPECT_THAT(Signatures(), ElementsAre("circular: glock > mutex"));
}

}  // namespace
}  // namespace ordeal::lockdep
