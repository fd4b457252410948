#include "lockdep/runtime/validator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>

namespace ordeal::lockdep {
namespace {

using ::testing::ElementsAre;

// Tasks take and release chains of locks named by single letters: "AB" takes A, then B, then releases both.
class ValidatorTest : public ::testing::Test {
 protected:
  ValidatorTest() { task_.Reset("task"); }

  LockMap& Lock(char name) {
    LockMap& map = maps_[static_cast<size_t>(name - 'A')];
    if (map.instance[0] == '\0') {
      names_[static_cast<size_t>(name - 'A')] = std::string(1, name);
      map = validator_.NewMap(validator_.RegisterClass(names_[static_cast<size_t>(name - 'A')]),
                              names_[static_cast<size_t>(name - 'A')].c_str());
    }
    return map;
  }
  // `modes` gives 'x' exclusive, 's' shared, 'r' recursive shared, 't' exclusive trylock, per lock.
  void Nest(const std::string& locks, std::string modes = "") {
    modes.resize(locks.size(), 'x');
    for (size_t i = 0; i < locks.size(); ++i) {
      const Mode mode = modes[i] == 's' ? Mode::kShared : modes[i] == 'r' ? Mode::kSharedRecursive : Mode::kExclusive;
      validator_.Acquire(task_, Lock(locks[i]), mode, {.trylock = modes[i] == 't', .site = Site::Here()});
    }
    for (size_t i = locks.size(); i-- > 0;) validator_.Release(task_, Lock(locks[i]));
  }
  std::vector<std::string> Signatures() const {
    std::vector<std::string> signatures;
    for (const Violation& violation : validator_.violations()) signatures.push_back(violation.signature);
    return signatures;
  }

  Validator validator_;
  TaskContext task_;
  LockMap maps_[26];
  std::string names_[26];
};

TEST_F(ValidatorTest, ReportsAbbaOnce) {
  Nest("AB");
  EXPECT_THAT(Signatures(), ElementsAre());
  Nest("BA");
  Nest("BA");
  EXPECT_THAT(Signatures(), ElementsAre("circular: A > B"));
}

TEST_F(ValidatorTest, AcceptsOneOrderHoweverItIsReached) {
  Nest("ABC");
  Nest("AC");
  Nest("BC");
  Nest("AB");
  EXPECT_THAT(Signatures(), ElementsAre());
}

TEST_F(ValidatorTest, GoesOnAfterAReport) {
  Nest("AB");
  Nest("BA");
  Nest("CD");
  Nest("DC");
  EXPECT_THAT(Signatures(), ElementsAre("circular: A > B", "circular: C > D"));
}

TEST_F(ValidatorTest, FindsALongCycle) {
  for (char c = 'A'; c < 'Z'; ++c) Nest(std::string({c, static_cast<char>(c + 1)}));
  EXPECT_THAT(Signatures(), ElementsAre());
  Nest("ZA");
  ASSERT_EQ(validator_.violations().size(), 1u);
  EXPECT_EQ(validator_.violations()[0].cycle.size(), 26u);
}

TEST_F(ValidatorTest, TrylockMakesNoDependencyIntoItself) {
  Nest("AB");
  Nest("BA", "xt");
  EXPECT_THAT(Signatures(), ElementsAre());
}

TEST_F(ValidatorTest, LockHeldByTrylockMakesDependenciesOutOfItself) {
  Nest("AB", "tx");
  Nest("BA");
  EXPECT_THAT(Signatures(), ElementsAre("circular: A > B"));
}

TEST_F(ValidatorTest, RecursiveReadersOnBothSidesAreNoDeadlock) {
  Nest("AB", "rr");
  Nest("BA", "rr");
  EXPECT_THAT(Signatures(), ElementsAre());
}

TEST_F(ValidatorTest, PlainReadersQueueBehindWriters) {
  Nest("AB", "ss");
  Nest("BA", "ss");
  EXPECT_THAT(Signatures(), ElementsAre("circular: A > B"));
}

TEST_F(ValidatorTest, CycleThroughARecursiveReaderNeedsAWriterBehindIt) {
  // The second step of the cycle leaves B as a shared holder after a recursive reader arrived: weak, no deadlock.
  Nest("AB", "xr");
  Nest("BA", "sx");
  EXPECT_THAT(Signatures(), ElementsAre());
  // With B held exclusively the reader waits for it: strong.
  Nest("BA", "xx");
  EXPECT_THAT(Signatures(), ElementsAre("circular: A > B"));
}

// FN-1: a weak path that reaches C first must not hide the strong one (the kernel's search marks C as visited).
TEST_F(ValidatorTest, WeakPathDoesNotHideAStrongOne) {
  Nest("SX", "xr");
  Nest("XC", "xr");
  Nest("SY");
  Nest("YZ");
  Nest("ZC");
  EXPECT_THAT(Signatures(), ElementsAre());
  Nest("CS");
  EXPECT_EQ(validator_.violations().size(), 1u);
}
// Its control: without the weak path.
TEST_F(ValidatorTest, StrongPathAloneIsFound) {
  Nest("SY");
  Nest("YZ");
  Nest("ZC");
  Nest("CS");
  EXPECT_EQ(validator_.violations().size(), 1u);
}

TEST_F(ValidatorTest, SameClassNestingIsRecursion) {
  const LockClassId inode = validator_.RegisterClass("inode");
  const LockMap first = validator_.NewMap(inode, "first");
  const LockMap second = validator_.NewMap(inode, "second");
  validator_.Acquire(task_, first, Mode::kExclusive, {});
  validator_.Acquire(task_, second, Mode::kExclusive, {});
  EXPECT_THAT(Signatures(), ElementsAre("recursive: inode"));
  EXPECT_EQ(validator_.violations()[0].conflicting.instance, "first");
}

TEST_F(ValidatorTest, SubclassesOfOneClassNest) {
  const LockClassId inode = validator_.RegisterClass("inode");
  const LockMap first = validator_.NewMap(inode, "first");
  const LockMap second = validator_.NewMap(inode, "second");
  validator_.Acquire(task_, first, Mode::kExclusive, {});
  validator_.Acquire(task_, second, Mode::kExclusive, {.subclass = 4});
  EXPECT_THAT(Signatures(), ElementsAre());
  validator_.Release(task_, second);
  validator_.Release(task_, first);
  validator_.Acquire(task_, second, Mode::kExclusive, {.subclass = 4});
  validator_.Acquire(task_, first, Mode::kExclusive, {});
  EXPECT_THAT(Signatures(), ElementsAre("circular: inode > inode/4"));
}

TEST_F(ValidatorTest, OrderedClassesNestUpwardsOnly) {
  const LockClassId folio = validator_.RegisterClass("folio", {.ordered_by_key = true});
  const LockMap low = validator_.NewMap(folio, "folio", 1, 1);
  const LockMap high = validator_.NewMap(folio, "folio", 2, 2);
  const auto nest = [&](const LockMap& outer, const LockMap& inner) {
    validator_.Acquire(task_, outer, Mode::kExclusive, {});
    validator_.Acquire(task_, inner, Mode::kExclusive, {});
    validator_.Release(task_, inner);
    validator_.Release(task_, outer);
  };
  nest(low, high);
  nest(low, high);
  EXPECT_THAT(Signatures(), ElementsAre());
  // FN-3: the legal order before must not hide the illegal one (the comparison is part of the chain key).
  nest(high, low);
  EXPECT_THAT(Signatures(), ElementsAre("recursive: folio"));
}

TEST_F(ValidatorTest, EachRunIsJudgedByItself) {
  Nest("AB");
  validator_.BeginRun();
  Nest("BA");
  EXPECT_THAT(Signatures(), ElementsAre()) << "the other order was another run's";
  Nest("AB");
  EXPECT_THAT(Signatures(), ElementsAre("circular: A > B"));
  validator_.BeginRun();
  EXPECT_THAT(Signatures(), ElementsAre());
  Nest("AB");
  Nest("BA");
  EXPECT_THAT(Signatures(), ElementsAre("circular: A > B")) << "every run reports its own";
}

// The chains of a run that were only marked, because earlier runs knew them, count once the graph has become cyclic.
TEST_F(ValidatorTest, ChainsKnownFromEarlierRunsTakePartInALaterCycle) {
  Nest("AB");
  Nest("BC");
  validator_.BeginRun();
  Nest("AB");
  Nest("BC");
  Nest("CA");
  EXPECT_THAT(Signatures(), ElementsAre("circular: A > B > C"));
}

TEST_F(ValidatorTest, ReleaseInAnyOrderKeepsTheChain) {
  validator_.Acquire(task_, Lock('A'), Mode::kExclusive, {});
  const uint64_t key_a = task_.chain_key();
  validator_.Acquire(task_, Lock('B'), Mode::kExclusive, {});
  validator_.Acquire(task_, Lock('C'), Mode::kExclusive, {});
  validator_.Release(task_, Lock('B'));
  validator_.Release(task_, Lock('C'));
  EXPECT_EQ(task_.chain_key(), key_a);
  validator_.Release(task_, Lock('A'));
  EXPECT_EQ(task_.chain_key(), kEmptyChainKey);
  EXPECT_THAT(Signatures(), ElementsAre());
}

TEST_F(ValidatorTest, ReleaseOfALockThatIsNotHeldIsReported) {
  validator_.Release(task_, Lock('A'));
  EXPECT_THAT(Signatures(), ElementsAre("bad-unlock: A"));
}

TEST_F(ValidatorTest, LocksHeldAtTheEndAreReported) {
  validator_.Acquire(task_, Lock('A'), Mode::kExclusive, {});
  validator_.TaskExit(task_);
  EXPECT_THAT(Signatures(), ElementsAre("held-at-exit: A"));
  TaskContext other("other");
  validator_.TaskExit(other);
  EXPECT_EQ(validator_.violations().size(), 1u);
}

TEST_F(ValidatorTest, SleepingLockUnderASpinlockIsReported) {
  const LockMap spin = validator_.NewMap(validator_.RegisterClass("spin", {.inner = WaitType::kConfig}), "spin");
  const LockMap other = validator_.NewMap(validator_.RegisterClass("other spin", {.inner = WaitType::kConfig}), "other");
  validator_.Acquire(task_, Lock('A'), Mode::kExclusive, {});
  validator_.Acquire(task_, spin, Mode::kExclusive, {});
  validator_.Acquire(task_, other, Mode::kExclusive, {});
  validator_.Release(task_, other);
  EXPECT_THAT(Signatures(), ElementsAre());
  validator_.Acquire(task_, Lock('B'), Mode::kExclusive, {});
  EXPECT_THAT(Signatures(), ElementsAre("wait-context: spin > B"));
}

TEST_F(ValidatorTest, WaitForAnEventIsADependencyButNothingIsHeld) {
  const LockMap drain = validator_.NewMap(validator_.RegisterClass("drain", {.is_event = true}), "drain");
  validator_.Acquire(task_, Lock('A'), Mode::kExclusive, {});
  validator_.Wait(task_, drain, {});
  EXPECT_EQ(task_.held().size(), 1u);
  EXPECT_EQ(validator_.graph().size(), 1u);
  validator_.Release(task_, Lock('A'));
}

TEST_F(ValidatorTest, DowngradedLockIsAReader) {
  Nest("AB", "xr");
  validator_.Acquire(task_, Lock('B'), Mode::kExclusive, {});
  validator_.Downgrade(task_, Lock('B'), Mode::kShared);
  EXPECT_EQ(task_.held()[0].mode(), Mode::kShared);
  validator_.Acquire(task_, Lock('A'), Mode::kExclusive, {});
  EXPECT_THAT(Signatures(), ElementsAre());
  validator_.Release(task_, Lock('A'));
  validator_.Release(task_, Lock('B'));
}

TEST_F(ValidatorTest, HasNoLimitOnClassesOrDepth) {
  std::vector<LockMap> maps;
  for (int i = 0; i < 10'000; ++i) {
    maps.push_back(validator_.NewMap(validator_.RegisterClass(std::string("class ") + std::to_string(i)), "lock"));
  }
  for (int i = 0; i < 500; ++i) validator_.Acquire(task_, maps[static_cast<size_t>(i)], Mode::kExclusive, {});
  EXPECT_EQ(validator_.graph().size(), 500u * 499u / 2);
  for (int i = 0; i < 500; ++i) validator_.Release(task_, maps[static_cast<size_t>(i)]);
  EXPECT_EQ(validator_.stats().classes, 10'000u);
  EXPECT_THAT(Signatures(), ElementsAre());
}

// Real threads share one validator: the fast path is lock-free, the slow path is serialised.
TEST_F(ValidatorTest, ThreadsShareTheGraph) {
  Lock('A');
  Lock('B');
  const auto work = [&](char outer, char inner) {
    TaskContext task("thread");
    for (int i = 0; i < 2000; ++i) {
      validator_.Acquire(task, maps_[outer - 'A'], Mode::kExclusive, {});
      validator_.Acquire(task, maps_[inner - 'A'], Mode::kExclusive, {});
      validator_.Release(task, maps_[inner - 'A']);
      validator_.Release(task, maps_[outer - 'A']);
    }
  };
  std::thread one([&] { work('A', 'B'); });
  std::thread two([&] { work('B', 'A'); });
  one.join();
  two.join();
  EXPECT_THAT(Signatures(), ElementsAre("circular: A > B"));
}

// Grades while the program runs: tasks are told apart, and a later witness can raise a grade.
class OnlineGradeTest : public ::testing::Test {
 protected:
  OnlineGradeTest() {
    for (TaskContext* task : {&one_, &two_}) validator_.Attach(*task);
    for (const char* name : {"A", "B", "G"}) maps_[*name - 'A'] = validator_.NewMap(validator_.RegisterClass(name), name);
  }
  void Nest(TaskContext& task, const std::string& locks) {
    for (const char c : locks) validator_.Acquire(task, maps_[c - 'A'], Mode::kExclusive, {.site = Site::Here()});
    for (size_t i = locks.size(); i-- > 0;) validator_.Release(task, maps_[locks[i] - 'A']);
  }

  Validator validator_{ValidatorOptions{.grade_online = true}};
  TaskContext one_{"one", 1};
  TaskContext two_{"two", 2};
  LockMap maps_[8];
};

TEST_F(OnlineGradeTest, TwoTasksAreFeasible) {
  Nest(one_, "AB");
  Nest(two_, "BA");
  ASSERT_EQ(validator_.violations().size(), 1u);
  EXPECT_EQ(validator_.violations()[0].grade, Grade::kFeasible);
  EXPECT_THAT(validator_.violations()[0].instances, ElementsAre("1 x one", "1 x two"));
}

TEST_F(OnlineGradeTest, OneTaskIsOrderOnlyUntilAnotherDoesTheSame) {
  Nest(one_, "AB");
  Nest(one_, "BA");
  ASSERT_EQ(validator_.violations().size(), 1u);
  EXPECT_EQ(validator_.violations()[0].grade, Grade::kOrder);
  EXPECT_THAT(validator_.violations()[0].grade_reason, ::testing::HasSubstr("one"));
  Nest(two_, "AB");
  ASSERT_EQ(validator_.violations().size(), 1u);
  EXPECT_EQ(validator_.violations()[0].grade, Grade::kFeasible);
}

TEST_F(OnlineGradeTest, AGateLockExcludesTheCycle) {
  Nest(one_, "GAB");
  Nest(two_, "GBA");
  ASSERT_EQ(validator_.violations().size(), 1u);
  EXPECT_EQ(validator_.violations()[0].grade, Grade::kOrder);
  EXPECT_THAT(validator_.violations()[0].grade_reason, ::testing::HasSubstr("G"));
}

TEST_F(OnlineGradeTest, JoinOrdersTheHalves) {
  validator_.Fork(two_, 1);
  Nest(one_, "AB");
  validator_.Join(two_, 1);
  Nest(two_, "BA");
  ASSERT_EQ(validator_.violations().size(), 1u);
  EXPECT_EQ(validator_.violations()[0].grade, Grade::kOrder);
}

TEST(SiteCountTest, TheMajorityOfPlacesIsTheHint) {
  Validator validator(ValidatorOptions{.count_sites = true});
  TaskContext task("task");
  validator.Attach(task);
  const LockMap a = validator.NewMap(validator.RegisterClass("A"), "a");
  const LockMap b = validator.NewMap(validator.RegisterClass("B"), "b");
  const auto nest = [&](const LockMap& outer, const LockMap& inner, const char* file, int line) {
    validator.Acquire(task, outer, Mode::kExclusive, {.site = {file, line}});
    validator.Acquire(task, inner, Mode::kExclusive, {.site = {file, line + 1}});
    validator.Release(task, inner);
    validator.Release(task, outer);
  };
  for (int place = 0; place < 3; ++place) nest(a, b, "good.cc", place * 10);
  nest(b, a, "odd.cc", 7);
  for (int place = 0; place < 47; ++place) nest(a, b, "good.cc", place * 10);
  ASSERT_EQ(validator.violations().size(), 1u);
  EXPECT_EQ(validator.violations()[0].hint, "3 of 4 sites take A before B; the odd one is odd.cc:8") << "when it was found";
  EXPECT_EQ(validator.Violations()[0].hint, "47 of 48 sites take A before B; the odd one is odd.cc:8");
  int chains = 0;
  validator.ForEachChain([&](const std::vector<uint64_t>&) { ++chains; });
  EXPECT_EQ(chains, 4) << "A, AB, B, BA: places do not make chains for export";
}

}  // namespace
}  // namespace ordeal::lockdep
