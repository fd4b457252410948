// A trace reports what the validator reports online: one trace for each rule and its near twin that breaks none.
#include "lockdep/trace/player.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lockdep/trace/trace_reader.h"

namespace ordeal::lockdep {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// The kinds of the violations of a trace, given without its header.
std::vector<std::string> KindsOf(absl::string_view text, TraceFormat format = TraceFormat::kOwn) {
  const absl::StatusOr<Trace> trace =
      ParseTrace(absl::StrCat(format == TraceFormat::kOwn ? "ordeal-lock-trace 1\n" : "", text), format);
  EXPECT_TRUE(trace.ok()) << trace.status();
  std::vector<std::string> kinds;
  if (!trace.ok()) return kinds;
  Validator validator;
  Player player(&trace->symbols, &validator);
  for (const LockEvent& event : trace->events) player.Play(event);
  player.Finish();
  EXPECT_EQ(player.events(), trace->events.size());
  for (const Violation& violation : validator.violations()) kinds.push_back(violation.KindText());
  return kinds;
}

constexpr char kAb[] = "T1 acquire A\nT1 acquire B\nT1 release B\nT1 release A\n";
constexpr char kBa[] = "T2 acquire B\nT2 acquire A\nT2 release A\nT2 release B\n";

TEST(PlayerTest, LockOrder) {
  EXPECT_THAT(KindsOf(absl::StrCat(kAb, kBa)), ElementsAre("circular"));
  EXPECT_THAT(KindsOf(absl::StrCat(kAb, kAb)), IsEmpty());
  EXPECT_THAT(KindsOf("T1|acq(A)|1\nT1|acq(B)|2\nT1|rel(B)|3\nT1|rel(A)|4\nT2|acq(B)|5\nT2|acq(A)|6\n", TraceFormat::kStd),
              ElementsAre("circular"));
}

TEST(PlayerTest, ARequestThatNeverReturnedCounts) {
  EXPECT_THAT(KindsOf(absl::StrCat(kAb, "T2 acquire B\nT2 request A\n")), ElementsAre("circular"));
  // One that returned counts once, and is held once.
  EXPECT_THAT(KindsOf("T1 request A\nT1 acquire A\nT1 release A\nT1 exit\n"), IsEmpty());
}

TEST(PlayerTest, ReadersAndTrylocks) {
  EXPECT_THAT(KindsOf(absl::StrCat(kAb, "T2 acquire B\nT2 acquire A try\nT2 release A\nT2 release B\n")), IsEmpty());
  EXPECT_THAT(KindsOf("T1 acquire A mode=recursive\nT1 acquire A mode=recursive\n"), IsEmpty());
  EXPECT_THAT(KindsOf("T1 acquire A mode=shared\nT1 acquire A mode=shared\n"), ElementsAre("recursive"));
}

// T1 keeps A while it waits at the barrier; T2 needs A to get there. T3, the last, has nothing to do with it.
TEST(PlayerTest, ALockHeldAtABarrier) {
  const auto phase = [](const char* t1_takes, const char* t1_releases) {
    return absl::StrCat("T2 acquire A\nT2 release A\nT2 arrive B\n", t1_takes,
                        "T1 arrive B\nT3 arrive B\nT3 depart B\nT1 depart B\n", t1_releases, "T2 depart B\n");
  };
  const std::string bug = phase("T1 acquire A\n", "T1 release A\n");
  const std::string clean = phase("T1 acquire A\nT1 release A\n", "");
  EXPECT_THAT(KindsOf(bug), ElementsAre("circular"));
  EXPECT_THAT(KindsOf(clean), IsEmpty());
  EXPECT_THAT(KindsOf(clean + clean + bug), ElementsAre("circular")) << "in a later phase";
  // What T2 took before a phase that has ended is no reason to wait in the next one.
  EXPECT_THAT(KindsOf(clean + "T2 arrive B\nT1 acquire A\nT1 arrive B\nT3 arrive B\nT1 depart B\nT2 depart B\nT3 depart B\n"),
              IsEmpty());
}

TEST(PlayerTest, ModesOfLockKinds) {
  const std::string two_state = "class C kind=two-state\nclass D kind=two-state\nlock c C\nlock d D\n";
  const auto nest = [](const char* task, const char* outer, const char* inner, const char* mode) {
    return absl::StrCat(task, " acquire ", outer, " as=", mode, "\n", task, " acquire ", inner, " as=", mode, "\n", task,
                        " release ", inner, "\n", task, " release ", outer, "\n");
  };
  EXPECT_THAT(KindsOf(absl::StrCat(two_state, nest("T1", "c", "d", "add"), nest("T2", "d", "c", "block"))),
              ElementsAre("circular"));
  EXPECT_THAT(KindsOf(absl::StrCat(two_state, nest("T1", "c", "d", "add"), nest("T2", "d", "c", "add"))), IsEmpty());
  EXPECT_THAT(KindsOf("class C kind=dlm\nlock c C\nT acquire c as=PR\nT acquire c as=EX\n"), ElementsAre("recursive"));
  EXPECT_THAT(KindsOf("class C kind=dlm\nlock c C\nT acquire c as=NL\nT acquire c as=EX\n"), IsEmpty());
}

TEST(PlayerTest, SubclassesNestLocksAndOrder) {
  EXPECT_THAT(KindsOf("class C\nlock 1 C\nlock 2 C\nT acquire 1\nT acquire 2\n"), ElementsAre("recursive"));
  EXPECT_THAT(KindsOf("class C\nlock 1 C\nlock 2 C\nT acquire 1\nT acquire 2 sub=1\n"), IsEmpty());
  EXPECT_THAT(KindsOf("class C ordered\nlock 1 C order=1\nlock 2 C order=2\nT acquire 1\nT acquire 2\n"), IsEmpty());
  EXPECT_THAT(KindsOf("class C ordered\nlock 1 C order=1\nlock 2 C order=2\nT acquire 2\nT acquire 1\n"),
              ElementsAre("recursive"));
  EXPECT_THAT(KindsOf("class C\nlock 1 C\nlock 2 C\nT acquire N\nT acquire 1 nest=N\nT acquire 2 nest=N\n"), IsEmpty());
  EXPECT_THAT(KindsOf("class C\nlock 1 C\nT acquire 1 nest=N\n"), ElementsAre("nest-not-held"));
  EXPECT_THAT(KindsOf("lock R R recursive\nT acquire R\nT acquire R\nT release R\nT release R\nT exit\n"), IsEmpty());
}

TEST(PlayerTest, BalanceAndLifetime) {
  EXPECT_THAT(KindsOf("T acquire A\nT release A\nT release A\n"), ElementsAre("bad-unlock"));
  EXPECT_THAT(KindsOf("T acquire A\nU release A\n"), ElementsAre("foreign-unlock"));
  EXPECT_THAT(KindsOf("T acquire A\nT init A\n"), ElementsAre("held-freed"));
  EXPECT_THAT(KindsOf("T acquire A\nU freed A\n"), ElementsAre("held-freed"));
  EXPECT_THAT(KindsOf("T acquire A\nT release A\nT destroy A\nT init A\nT acquire A\nT release A\n"), IsEmpty());
  EXPECT_THAT(KindsOf("T acquire A\nT exit\n"), ElementsAre("held-at-exit"));
  EXPECT_THAT(KindsOf("T acquire A\nT release A\nT exit\n"), IsEmpty());
}

TEST(PlayerTest, AssertionsAndPins) {
  EXPECT_THAT(KindsOf("T acquire A\nT assert-held A\nT assert-exclusive A\nT release A\nT assert-not-held A\n"
                      "T assert-class-not-held A\n"),
              IsEmpty());
  EXPECT_THAT(KindsOf("T assert-held A\n"), ElementsAre("assert-held"));
  EXPECT_THAT(KindsOf("T acquire A mode=shared\nT assert-shared A\nT assert-exclusive A\n"), ElementsAre("assert-held"));
  EXPECT_THAT(KindsOf("T acquire A\nT assert-not-held A\n"), ElementsAre("assert-not-held"));
  EXPECT_THAT(KindsOf("T acquire A\nT assert-class-not-held A\n"), ElementsAre("assert-not-held"));
  EXPECT_THAT(KindsOf("T acquire A\nT pin A cookie=7\nT unpin A cookie=7\nT release A\n"), IsEmpty());
  EXPECT_THAT(KindsOf("T acquire A\nT pin A cookie=7\nT release A\n"), ElementsAre("pinned"));
  EXPECT_THAT(KindsOf("T acquire A\nT pin A cookie=7\nT unpin A cookie=8\n"), ElementsAre("pinned"));
}

TEST(PlayerTest, ReKeying) {
  EXPECT_THAT(KindsOf(absl::StrCat("class X\n", kAb, "T2 set-class A class=X\n", kBa)), IsEmpty());
  EXPECT_THAT(KindsOf(absl::StrCat("class X\nT0 set-class A class=X\n", kAb, kBa)), ElementsAre("circular"));
  EXPECT_THAT(KindsOf("T acquire A\nT downgrade A mode=shared\nT assert-shared A\n"), IsEmpty());
  EXPECT_THAT(KindsOf("T acquire A mode=shared\nT downgrade A mode=shared\n"), ElementsAre("api-assert"));
  EXPECT_THAT(KindsOf(absl::StrCat(kAb, "T1 unregister-class A\n", kBa)), IsEmpty());
}

TEST(PlayerTest, SyncOnlyAcquisitions) {
  EXPECT_THAT(KindsOf(absl::StrCat(kAb, "T2 acquire B\nT2 acquire A sync\nT2 release B\nT2 exit\n")),
              ElementsAre("circular"));
}

TEST(PlayerTest, Interrupts) {
  const std::string in_irq = "I hardirq-enter threaded\nI acquire S\nI release S\nI hardirq-exit\n";
  EXPECT_THAT(KindsOf(absl::StrCat("class S inner=config\n", in_irq, "T acquire S\nT release S\n")),
              ElementsAre("inconsistent-state"));
  EXPECT_THAT(
      KindsOf(absl::StrCat("class S inner=config\n", in_irq, "T hardirqs-off\nT acquire S\nT release S\nT hardirqs-on\n")),
      IsEmpty());
  const std::string in_bh = "I softirq-enter\nI acquire S\nI release S\nI softirq-exit\n";
  EXPECT_THAT(KindsOf(absl::StrCat("class S inner=config\n", in_bh, "T acquire S\nT release S\n")),
              ElementsAre("inconsistent-state"));
  EXPECT_THAT(
      KindsOf(absl::StrCat("class S inner=config\n", in_bh, "T softirqs-off\nT acquire S\nT release S\nT softirqs-on\n")),
      IsEmpty());
  EXPECT_THAT(KindsOf("class S inner=config\nI hardirq-enter\nI acquire S\nI release S\nI hardirq-exit\n"),
              ElementsAre("wait-context"));  // a handler that never runs in a thread
}

TEST(PlayerTest, WaitTypes) {
  const std::string classes = "class S inner=spin\nclass M\n";
  EXPECT_THAT(KindsOf(absl::StrCat(classes, "T acquire S\nT acquire M\n")), ElementsAre("wait-context"));
  EXPECT_THAT(KindsOf(absl::StrCat(classes, "T acquire M\nT acquire S\n")), IsEmpty());
}

TEST(PlayerTest, Reclaim) {
  const std::string reclaim = "R reclaim-enter\nR acquire A\nR release A\nR reclaim-exit\n";
  EXPECT_THAT(KindsOf(absl::StrCat(reclaim, "T acquire A\nT alloc reclaim fs io\n")), ElementsAre("circular"));
  EXPECT_THAT(KindsOf(absl::StrCat(reclaim, "T acquire A\nT alloc reclaim io\n")), IsEmpty());
  EXPECT_THAT(KindsOf(absl::StrCat(reclaim, "T nofs-save\nT acquire A\nT alloc reclaim fs io\nT nofs-restore\n")), IsEmpty());
  EXPECT_THAT(KindsOf(absl::StrCat(reclaim, "T nofs-save\nT nofs-restore\nT acquire A\nT alloc reclaim fs io\n")),
              ElementsAre("circular"));
}

TEST(PlayerTest, Events) {
  const std::string head = "class E event\n";
  EXPECT_THAT(KindsOf(absl::StrCat(head, "T1 acquire A\nT1 release A\nT1 event-trigger E\n",
                                   "T2 acquire A\nT2 event-wait E\nT2 release A\n")),
              ElementsAre("circular"));
  EXPECT_THAT(KindsOf(absl::StrCat(head, "T1 event-trigger E\nT1 acquire A\nT1 release A\n",
                                   "T2 acquire A\nT2 event-wait E\nT2 release A\n")),
              IsEmpty());
  EXPECT_THAT(KindsOf(absl::StrCat(head, "T1 owe E\nT1 acquire A\nT1 release A\nT1 event-trigger E\n",
                                   "T2 acquire A\nT2 event-wait E\nT2 release A\n")),
              ElementsAre("circular"));
}

TEST(PlayerTest, SemaphoresAndBarriers) {
  EXPECT_THAT(KindsOf("T1 down A\nT1 down B\nT1 up B\nT1 up A\nT2 down B\nT2 down A\nT2 up A\nT2 up B\n"),
              ElementsAre("circular"));
  EXPECT_THAT(KindsOf("T1 down A\nT2 up A\nT1 exit\n"), IsEmpty());
}

TEST(PlayerTest, WoundWaitMutexesNestUnderTheirContext) {
  const std::string head = "class W\nlock 1 W\nlock 2 W\n";
  EXPECT_THAT(KindsOf(absl::StrCat(head, "T ww-begin W\nT acquire 1\nT acquire 2\nT ww-done W\nT release 2\nT release 1\n",
                                   "T ww-end W\nT exit\n")),
              IsEmpty());
  EXPECT_THAT(KindsOf(absl::StrCat(head, "T acquire 1\nT acquire 2\n")), ElementsAre("recursive"));
}

// Two classes of one name are numbered as the validator numbers them.
TEST(PlayerTest, ClassesOfOneName) {
  const absl::StatusOr<Trace> trace = ParseTrace(
      "ordeal-lock-trace 1\nclass c1 name=C\nclass c2 name=C\nlock 1 c1\nlock 2 c2\n"
      "T acquire 1\nT acquire 2\nT release 2\nT release 1\nT acquire 2\nT acquire 1\n",
      TraceFormat::kOwn);
  ASSERT_TRUE(trace.ok()) << trace.status();
  Validator validator;
  Player player(&trace->symbols, &validator);
  for (const LockEvent& event : trace->events) player.Play(event);
  ASSERT_EQ(validator.violations().size(), 1u);
  EXPECT_EQ(validator.violations()[0].signature, "circular: C > C#2");
}

}  // namespace
}  // namespace ordeal::lockdep
