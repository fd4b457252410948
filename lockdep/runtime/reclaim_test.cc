// Each way to allocate under a lock that reclaim takes: without a restriction it is found, with one it is silent.
#include "lockdep/runtime/reclaim.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace ordeal::lockdep {
namespace {

using ::testing::ElementsAre;

class ReclaimTest : public ::testing::Test {
 protected:
  // Reclaim writes back an inode; from here on, allocating under its lock deadlocks.
  void ReclaimTakesTheInode() {
    reclaim_.ReclaimBegin(task_);
    validator_.Acquire(task_, inode_, Mode::kExclusive, {});
    validator_.Release(task_, inode_);
    reclaim_.ReclaimEnd(task_);
  }
  void AllocUnderTheInode(Gfp gfp) {
    validator_.Acquire(task_, inode_, Mode::kExclusive, {});
    reclaim_.Alloc(task_, gfp);
    validator_.Release(task_, inode_);
  }
  std::vector<std::string> Kinds() const {
    std::vector<std::string> kinds;
    for (const Violation& violation : validator_.violations()) kinds.push_back(violation.KindText());
    return kinds;
  }

  Validator validator_;
  FsReclaim reclaim_{validator_};
  TaskContext task_{"task"};
  const LockMap inode_ = validator_.NewMap(validator_.RegisterClass("inode"));
};

TEST_F(ReclaimTest, AllocationUnderALockThatReclaimTakesIsACycle) {
  ReclaimTakesTheInode();
  AllocUnderTheInode(kGfpKernel);
  EXPECT_THAT(Kinds(), ElementsAre("circular"));
}

TEST_F(ReclaimTest, TheOrderOfTheTwoHalvesDoesNotMatter) {
  AllocUnderTheInode(kGfpKernel);
  EXPECT_THAT(Kinds(), ElementsAre());
  ReclaimTakesTheInode();
  EXPECT_THAT(Kinds(), ElementsAre("circular"));
}

TEST_F(ReclaimTest, AllocationsThatStayOutOfFileSystemsAreSafe) {
  ReclaimTakesTheInode();
  AllocUnderTheInode(kGfpNoFs);
  AllocUnderTheInode(kGfpNoIo);
  AllocUnderTheInode(kGfpAtomic);
  EXPECT_THAT(Kinds(), ElementsAre());
}

TEST_F(ReclaimTest, EachScopeMakesAnUnrestrictedAllocationSafeUntilItEnds) {
  for (const FsReclaim::Scope scope : {FsReclaim::kNoFs, FsReclaim::kNoIo, FsReclaim::kMemalloc}) {
    validator_.BeginRun();
    ReclaimTakesTheInode();
    {
      AllocationScope restricted(task_, scope);
      AllocUnderTheInode(kGfpKernel);
    }
    EXPECT_THAT(Kinds(), ElementsAre()) << int{scope};
    AllocUnderTheInode(kGfpKernel);
    EXPECT_THAT(Kinds(), ElementsAre("circular")) << int{scope};
  }
}

TEST_F(ReclaimTest, AnInnerScopeOfTheSameKindDoesNotEndTheOuterOne) {
  ReclaimTakesTheInode();
  AllocationScope outer(task_, FsReclaim::kNoFs);
  { AllocationScope inner(task_, FsReclaim::kNoFs); }
  AllocUnderTheInode(kGfpKernel);
  EXPECT_THAT(Kinds(), ElementsAre());
}

TEST_F(ReclaimTest, ScopesOfDifferentKindsEndByThemselves) {
  AllocationScope nofs(task_, FsReclaim::kNoFs);
  { AllocationScope memalloc(task_, FsReclaim::kMemalloc); }
  const Gfp effective = FsReclaim::Effective(task_, kGfpKernel);
  EXPECT_TRUE(effective.may_reclaim);
  EXPECT_FALSE(effective.fs);
  EXPECT_TRUE(effective.io);
}

TEST_F(ReclaimTest, NoIoImpliesNoFs) {
  AllocationScope noio(task_, FsReclaim::kNoIo);
  const Gfp effective = FsReclaim::Effective(task_, kGfpKernel);
  EXPECT_FALSE(effective.fs);
  EXPECT_FALSE(effective.io);
  EXPECT_TRUE(effective.may_reclaim);
}

TEST_F(ReclaimTest, AScopeBelongsToItsTask) {
  TaskContext other("other");
  AllocationScope nofs(other, FsReclaim::kNoFs);
  ReclaimTakesTheInode();
  AllocUnderTheInode(kGfpKernel);
  EXPECT_THAT(Kinds(), ElementsAre("circular"));
}

TEST_F(ReclaimTest, ReclaimWithinReclaimIsRecursion) {
  reclaim_.ReclaimBegin(task_);
  reclaim_.Alloc(task_, kGfpKernel);
  reclaim_.ReclaimEnd(task_);
  EXPECT_THAT(Kinds(), ElementsAre("recursive"));
}

TEST_F(ReclaimTest, ReclaimThatMarksItselfMayAllocate) {
  reclaim_.ReclaimBegin(task_);
  {
    AllocationScope memalloc(task_, FsReclaim::kMemalloc);
    reclaim_.Alloc(task_, kGfpKernel);
  }
  reclaim_.Alloc(task_, kGfpNoFs);
  reclaim_.ReclaimEnd(task_);
  EXPECT_THAT(Kinds(), ElementsAre());
}

TEST_F(ReclaimTest, AllocatingUnderASpinlockMustNotReclaim) {
  const LockMap spin = validator_.NewMap(validator_.RegisterClass("spin", {.inner = WaitType::kConfig}));
  validator_.Acquire(task_, spin, Mode::kExclusive, {});
  reclaim_.Alloc(task_, kGfpAtomic);
  EXPECT_THAT(Kinds(), ElementsAre());
  reclaim_.Alloc(task_, kGfpKernel);
  EXPECT_THAT(Kinds(), ElementsAre("wait-context"));
}

TEST_F(ReclaimTest, LocksTakenInReclaimMaySpin) {
  const LockMap spin = validator_.NewMap(validator_.RegisterClass("spin", {.inner = WaitType::kConfig}));
  reclaim_.ReclaimBegin(task_);
  validator_.Acquire(task_, spin, Mode::kExclusive, {});
  validator_.Release(task_, spin);
  reclaim_.ReclaimEnd(task_);
  EXPECT_THAT(Kinds(), ElementsAre());
}

}  // namespace
}  // namespace ordeal::lockdep
