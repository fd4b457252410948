// Each primitive in pairs: the orders that can deadlock are found from runs that do not, and the clean twin is silent.

#include "lockdep/locks/mutex.h"

#include <chrono>
#include <filesystem>
#include <memory>

#include "absl/synchronization/mutex.h"
#include "lockdep/locks/findings_for_test.h"
#include "lockdep/locks/spin_lock.h"
#include "lockdep/runtime/validator.h"

namespace ordeal::lockdep {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using namespace std::chrono_literals;

template <class First, class Second>
void TakeBoth(First& first, Second& second) {
  const MutexLock outer(first);
  const MutexLock inner(second);
}

class MutexTest : public FindingsTest {};

TEST_F(MutexTest, OppositeOrdersInTwoThreadsAreFoundWithoutADeadlock) {
  Mutex a("abba a"), b("abba b");
  InTurn({[&] { TakeBoth(a, b); }, [&] { TakeBoth(b, a); }});
  EXPECT_THAT(Found(), ElementsAre("circular: abba a > abba b"));
}

TEST_F(MutexTest, OneOrderInTwoThreadsIsSilent) {
  Mutex a("abab a"), b("abab b");
  Together({[&] { TakeBoth(a, b); }, [&] { TakeBoth(a, b); }});
  EXPECT_THAT(Found(), IsEmpty());
}

TEST_F(MutexTest, ARingOfThreeIsFoundAndAChainOfThreeIsNot) {
  Mutex a("ring a"), b("ring b"), c("ring c");
  InTurn({[&] { TakeBoth(a, b); }, [&] { TakeBoth(b, c); }, [&] { TakeBoth(a, c); }});
  EXPECT_THAT(Found(), IsEmpty());
  InTurn({[&] { TakeBoth(c, a); }});
  EXPECT_THAT(Found(), SizeIs(1));
}

TEST_F(MutexTest, AReportNamesBothSidesOfEachDependency) {
  Mutex a("sites a"), b("sites b");
  const int line = __LINE__ + 1;
  InTurn({[&] { const MutexLock x(a); b.Lock(); b.Unlock(); }, [&] { const MutexLock y(b); a.Lock(); a.Unlock(); }});
  const std::vector<Violation> found = Violations();
  ASSERT_THAT(found, SizeIs(1));
  ASSERT_THAT(found[0].cycle, SizeIs(2));
  for (const DependencyReport& dependency : found[0].cycle) {
    EXPECT_EQ(dependency.from_site.ToString(), "lockdep/locks/mutex_test.cc:" + std::to_string(line));
    EXPECT_EQ(dependency.to_site.ToString(), "lockdep/locks/mutex_test.cc:" + std::to_string(line));
  }
}

// std::lock_guard knows no site: the report names the function that it was inlined into, or at least the program.
TEST_F(MutexTest, StandardGuardsAreCheckedAndTheirSitesAreAddresses) {
  Mutex a("std a"), b("std b");
  InTurn({[&] { std::lock_guard x(a); std::lock_guard y(b); }, [&] { std::lock_guard x(b); std::unique_lock y(a); }});
  const std::vector<Violation> found = Violations();
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_TRUE(found[0].acquiring.site.is_address());
  EXPECT_THAT(found[0].acquiring.site.ToString(),
              testing::HasSubstr(std::filesystem::read_symlink("/proc/self/exe").filename().string()));
}

TEST_F(MutexTest, ScopedLockAvoidsDeadlockAndIsSilent) {
  Mutex a("scoped a"), b("scoped b");
  InTurn({[&] { std::scoped_lock both(a, b); }, [&] { std::scoped_lock both(b, a); }});
  EXPECT_THAT(Found(), IsEmpty());
}

TEST_F(MutexTest, ATryLockOrdersNothingBeforeItselfButEverythingBehindIt) {
  Mutex a("try a"), b("try b");
  const auto try_a_under_b = [&] {
    const MutexLock outer(b);
    ASSERT_TRUE(a.TryLock());
    a.Unlock();
  };
  InTurn({[&] { TakeBoth(a, b); }, try_a_under_b});
  EXPECT_THAT(Found(), IsEmpty());
  Mutex c("try c"), d("try d");
  const auto take_d_under_tried_c = [&] {
    ASSERT_TRUE(c.TryLock());
    const MutexLock inner(d);
    c.Unlock();
  };
  InTurn({take_d_under_tried_c, [&] { TakeBoth(d, c); }});
  EXPECT_THAT(Found(), ElementsAre("circular: try c > try d"));
}

TEST_F(MutexTest, ATimedLockEndsByItselfAndOrdersLikeATryLock) {
  TimedMutex a("timed a"), b("timed b");
  const auto timed_a_under_b = [&] {
    const MutexLock outer(b);
    ASSERT_TRUE(a.TryLockFor(1s));
    a.Unlock();
  };
  InTurn({[&] { TakeBoth(a, b); }, timed_a_under_b});
  EXPECT_THAT(Found(), IsEmpty());
  InTurn({[&] { TakeBoth(b, a); }});
  EXPECT_THAT(Found(), ElementsAre("circular: timed a > timed b"));
}

TEST_F(MutexTest, TwoLocksOfOneClassAreFoundUnlessASubclassOrdersThem) {
  Mutex parent("node"), child("node");
  InTurn({[&] { const MutexLock x(parent); const MutexLock y(child, 1); }});
  EXPECT_THAT(Found(), IsEmpty());
  InTurn({[&] { TakeBoth(parent, child); }});
  EXPECT_THAT(Found(), ElementsAre("recursive: node"));
}

TEST_F(MutexTest, AClassOrderedByKeyLetsKeysAscendOnly) {
  static constinit LockClassKey key("by number", {.ordered_by_key = true});
  Mutex first(key, 1), second(key, 2);
  InTurn({[&] { TakeBoth(first, second); }});
  EXPECT_THAT(Found(), IsEmpty());
  InTurn({[&] { TakeBoth(second, first); }});
  EXPECT_THAT(Found(), ElementsAre("recursive: by number"));
}

TEST_F(MutexTest, ANestLockThatIsHeldAllowsAnyOrderAndOneThatIsNotIsReported) {
  Mutex outer("nest outer"), x("nest inner"), y("nest inner");
  InTurn({[&] {
    const MutexLock o(outer);
    const MutexLock first(x, NestedUnder(outer));
    const MutexLock second(y, NestedUnder(outer));
  }});
  EXPECT_THAT(Found(), IsEmpty());
  InTurn({[&] { const MutexLock first(x, NestedUnder(outer)); }});
  EXPECT_THAT(Found(), ElementsAre("nest-not-held: nest inner"));
}

TEST_F(MutexTest, LocksWithoutANameAreOneClassForEachPlaceOfConstruction) {
  const auto make = [] { return std::make_unique<Mutex>(nullptr, Site::Here()); };
  const std::unique_ptr<Mutex> one = make(), two = make();
  Mutex other;
  InTurn({[&] { TakeBoth(*one, other); }});
  EXPECT_THAT(Found(), IsEmpty());
  InTurn({[&] { TakeBoth(other, *two); }});  // an instance that was never taken under `one`
  const std::vector<Violation> found = Violations();
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_THAT(found[0].signature, testing::StartsWith("circular: mutex_test.cc:"));
}

TEST_F(MutexTest, UnlockingWhatIsNotLockedIsFound) {
  Mutex a("unlocked"), b("foreign");
  InTurn({[&] { a.Lock(); a.Unlock(); }});
  EXPECT_THAT(Found(), IsEmpty());
  InTurn({[&] { a.Unlock(); }});
  EXPECT_THAT(Found(), ElementsAre("bad-unlock: unlocked"));
  b.Lock();
  InTurn({[&] { b.Unlock(); }});
  EXPECT_THAT(Found(), ElementsAre("foreign-unlock: foreign"));
  ProcessValidator();
  SetValidation(false);
  b.Unlock();
}

TEST_F(MutexTest, AThreadThatEndsWithALockHeldIsReported) {
  auto* mutex = new Mutex("held at exit");  // never destroyed: its holder is gone
  InTurn({[mutex] { mutex->Lock(); }});
  EXPECT_THAT(Found(), ElementsAre("held-at-exit: held at exit"));
  static Mutex* const keep = mutex;
  EXPECT_NE(keep, nullptr);
}

TEST_F(MutexTest, DestroyingAHeldLockIsReportedAndAFreeOneIsNot) {
  auto held = std::make_unique<Mutex>("destroyed"), released = std::make_unique<Mutex>("not held");
  InTurn({[&] { held->Lock(); held.reset(); released->Lock(); released->Unlock(); released.reset(); }});
  EXPECT_THAT(Found(), ElementsAre("held-freed: destroyed"));
}

TEST_F(MutexTest, AssertHeldSpeaksForTheCallerOnly) {
  Mutex a("asserted");
  InTurn({[&] { const MutexLock lock(a); a.AssertHeld(); }});
  EXPECT_THAT(Found(), IsEmpty());
  const MutexLock lock(a);
  InTurn({[&] { a.AssertHeld(); }});
  EXPECT_THAT(Found(), ElementsAre("assert-held: asserted"));
}

TEST_F(MutexTest, SeventyLocksAtOnceAndTwoHundredAreNoLimit) {
  std::vector<std::string> names;
  for (int i = 0; i < 200; ++i) names.push_back("deep " + std::to_string(i));
  std::vector<std::unique_ptr<Mutex>> locks;
  for (const std::string& name : names) locks.push_back(std::make_unique<Mutex>(name.c_str()));
  InTurn({[&] {
    for (const auto& lock : locks) lock->Lock();
    for (const auto& lock : locks) lock->Unlock();
  }});
  EXPECT_THAT(Found(), IsEmpty());
  InTurn({[&] { TakeBoth(*locks[199], *locks[198]); }});
  EXPECT_THAT(Found(), ElementsAre("circular: deep 198 > deep 199"));
}

TEST_F(MutexTest, ARecursiveMutexMayBeTakenAgainAndAPlainOneMayNot) {
  RecursiveMutex a("again"), b("again b");
  InTurn({[&] {
    const MutexLock first(a);
    const MutexLock between(b);
    const MutexLock second(a);  // waits for nobody: no dependency b -> a
  }});
  EXPECT_THAT(Found(), IsEmpty());
  InTurn({[&] { TakeBoth(b, a); }});
  EXPECT_THAT(Found(), ElementsAre("circular: again > again b"));
}

TEST_F(MutexTest, ReadersInOppositeOrdersAreFoundBecauseWritersQueueBetweenThem) {
  SharedMutex a("rw a"), b("rw b");
  InTurn({[&] { const ReaderLock x(a); const ReaderLock y(b); }});
  EXPECT_THAT(Found(), IsEmpty());
  InTurn({[&] { const ReaderLock x(b); const ReaderLock y(a); }});
  EXPECT_THAT(Found(), ElementsAre("circular: rw a > rw b"));
}

TEST_F(MutexTest, ReadingTwiceInOneThreadIsFoundAndTryingIsNot) {
  SharedMutex a("rr a"), b("rr b");
  InTurn({[&] {
    const ReaderLock x(a);
    ASSERT_TRUE(a.ReaderTryLock());
    a.ReaderUnlock();
  }});
  EXPECT_THAT(Found(), IsEmpty());
  InTurn({[&] { const ReaderLock x(b); const ReaderLock y(b); }});
  EXPECT_THAT(Found(), ElementsAre("recursive: rr b"));
}

TEST_F(MutexTest, AReaderAndAMutexAgainstAWriterAreFound) {
  SharedMutex a("mix rw");
  Mutex b("mix mutex");
  InTurn({[&] { const ReaderLock x(a); const MutexLock y(b); }, [&] { const MutexLock x(b); std::shared_lock y(a); }});
  EXPECT_THAT(Found(), SizeIs(1));  // a writer may queue between them
  SharedMutex c("mix rw2");
  Mutex d("mix mutex2");
  InTurn({[&] { const ReaderLock x(c); const MutexLock y(d); }, [&] { const WriterLock x(c); const MutexLock y(d); }});
  EXPECT_THAT(Found(), IsEmpty());
}

TEST_F(MutexTest, ASleepingLockUnderASpinLockIsFoundAndTheReverseIsNot) {
  SpinLock spin("spin");
  Mutex mutex("sleeping");
  InTurn({[&] { TakeBoth(mutex, spin); }});
  EXPECT_THAT(Found(), IsEmpty());
  SpinLock spin2("spin2");
  Mutex mutex2("sleeping2");
  InTurn({[&] { TakeBoth(spin2, mutex2); }});
  EXPECT_THAT(Found(), ElementsAre("wait-context: spin2 > sleeping2"));
}

TEST_F(MutexTest, SpinLocksExcludeEachOther) {
  SpinLock lock("counter");
  int count = 0;
  const auto add = [&] {
    for (int i = 0; i < 10000; ++i) {
      const MutexLock guard(lock);
      ++count;
    }
  };
  Together({add, add, add});
  EXPECT_EQ(count, 30000);
  EXPECT_THAT(Found(), IsEmpty());
}

// The same two orders, over one native lock after another.
template <class M>
class TrackedTest : public FindingsTest {
 protected:
  TrackedTest() { absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore); }  // ours judges
};
using NativeLocks = testing::Types<std::mutex, std::timed_mutex, std::recursive_mutex, std::recursive_timed_mutex,
                                   std::shared_mutex, std::shared_timed_mutex, absl::Mutex, PthreadMutex, NativeSpinLock>;
TYPED_TEST_SUITE(TrackedTest, NativeLocks);

TYPED_TEST(TrackedTest, OppositeOrdersAreFoundAndEqualOnesAreNot) {
  const std::string name = testing::UnitTest::GetInstance()->current_test_info()->test_suite_name();
  const std::string name_a = name + " a", name_b = name + " b";
  Tracked<TypeParam> a(name_a.c_str()), b(name_b.c_str());
  this->InTurn({[&] { TakeBoth(a, b); }, [&] { TakeBoth(a, b); }});
  EXPECT_THAT(this->Found(), IsEmpty());
  this->InTurn({[&] { std::lock_guard x(b); std::lock_guard y(a); }});
  EXPECT_THAT(this->Found(), ElementsAre("circular: " + name_a + " > " + name_b));
}

TEST_F(MutexTest, AbseilReadersAreShared) {
  Tracked<absl::Mutex> a("absl rw"), b("absl rw b");
  InTurn({[&] { const ReaderLock x(a); const ReaderLock y(b); }});
  const MutexLock hold(b);
  EXPECT_TRUE(a.ReaderTryLock());
  EXPECT_TRUE(a.ReaderTryLock());
  EXPECT_FALSE(a.TryLock());
  a.ReaderUnlock();
  a.ReaderUnlock();
  EXPECT_THAT(Found(), IsEmpty());
}

}  // namespace
}  // namespace ordeal::lockdep
