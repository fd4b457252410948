#include "lockdep/report/splat.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lockdep/runtime/validator.h"

namespace ordeal::lockdep {
namespace {

using ::testing::HasSubstr;

// Golden: the text of a reader-writer cycle of three classes, from real events.
TEST(SplatTest, ShowsACycleOfThreeWithBothSitesOfEachDependency) {
  Validator validator;
  LockMap maps[3] = {validator.NewMap(validator.RegisterClass("A"), "a", 1),
                     validator.NewMap(validator.RegisterClass("B"), "b", 2),
                     validator.NewMap(validator.RegisterClass("C"), "c", 3)};
  const auto nest = [&](const char* name, int outer, int inner, int line) {
    TaskContext task(name);
    validator.Acquire(task, maps[outer], Mode::kExclusive, {.site = {"x.cc", line}});
    validator.Acquire(task, maps[inner], Mode::kShared, {.site = {"x.cc", line + 1}});
    validator.Release(task, maps[inner]);
    validator.Release(task, maps[outer]);
  };
  nest("one", 0, 1, 10);
  nest("two", 1, 2, 20);
  EXPECT_TRUE(validator.violations().empty());
  nest("three", 2, 0, 30);
  ASSERT_EQ(validator.violations().size(), 1u);
  EXPECT_EQ(validator.violations()[0].signature, "circular: A > B > C");
  EXPECT_EQ(RenderSplat(validator.violations()[0]),
            R"(======================================================
WARNING: possible circular locking dependency detected
------------------------------------------------------
three is trying to acquire lock:
  a 1 (A), shared, at: x.cc:31

but task is already holding lock:
  c 3 (C), exclusive, at: x.cc:30

which lock already depends on the new lock.

the existing dependency chain (in reverse order) is:

-> #1 (C), shared:
       acquired at x.cc:21 by two
       while holding B, exclusive, acquired at x.cc:20

-> #0 (B), shared:
       acquired at x.cc:11 by one
       while holding A, exclusive, acquired at x.cc:10

other info that might help us debug this:

Chain exists of:
  A --> B --> C --> A

 Possible unsafe locking scenario:

       task 0                    task 1                    task 2             
       ----                      ----                      ----               
  lock(A);
                            lock(B);
                                                      lock(C);
  rlock(B);
                            rlock(C);
                                                      rlock(A);

 *** DEADLOCK ***

2 locks held by three:
 #0: c 3 (C), exclusive, at: x.cc:30
 #1: a 1 (A), shared, at: x.cc:31
)");
  EXPECT_EQ(SummarizeViolation(validator.violations()[0]), "lock order cycle A > B > C > A");
}

TEST(SplatTest, ShowsRecursionAndImbalance) {
  Validator validator;
  const LockClassId inode = validator.RegisterClass("i_rwsem");
  const LockMap first = validator.NewMap(inode, "inode", 1);
  const LockMap second = validator.NewMap(inode, "inode", 2);
  TaskContext task("rename");
  validator.Acquire(task, first, Mode::kExclusive, {.site = {"x.cc", 1}});
  validator.Acquire(task, second, Mode::kExclusive, {.site = {"x.cc", 2}});
  validator.Release(task, second);
  validator.Release(task, second);
  ASSERT_EQ(validator.violations().size(), 2u);
  EXPECT_THAT(RenderSplat(validator.violations()[0]), HasSubstr("WARNING: possible recursive locking detected"));
  EXPECT_THAT(RenderSplat(validator.violations()[0]), HasSubstr("inode 2 (i_rwsem), exclusive, at: x.cc:2"));
  EXPECT_THAT(RenderSplat(validator.violations()[1]), HasSubstr("bad unlock balance"));
}

}  // namespace
}  // namespace ordeal::lockdep
