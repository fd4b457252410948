// Known answers of prediction: the shapes of the literature and of docs/grades.md, each beside a near twin with the other
// verdict. Traces are written as "T1 acq A" in one line each; sites are their line numbers.
#include "lockdep/predict/predictor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "lockdep/predict/trace_for_test.h"

namespace ordeal::lockdep {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// "feasible: A > B", "order: A > B (gate lock G at 1)".
std::vector<std::string> Verdicts(const Trace& trace) {
  const Predictor predictor(trace, {.every_pattern = false});
  std::vector<std::string> verdicts;
  for (const GradedCycle& cycle : predictor.cycles()) {
    verdicts.push_back(absl::StrCat(GradeName(cycle.grade), ": ", cycle.signature,
                                    cycle.reason.empty() ? "" : absl::StrCat(" (", cycle.reason, ")")));
    if (cycle.grade != Grade::kFeasible) continue;
    EXPECT_EQ(ReplayError(trace, cycle), "") << cycle.ToString();
  }
  return verdicts;
}
std::vector<std::string> Verdicts(absl::string_view script) { return Verdicts(FromScript(script)); }

TEST(PredictorTest, TwoTasksInOppositeOrders) {
  EXPECT_THAT(Verdicts("T1: A B -B -A; T2: B A -A -B"), ElementsAre("feasible: A > B"));
  EXPECT_THAT(Verdicts("T1: A B -B -A; T2: A B -B -A"), IsEmpty());
}

TEST(PredictorTest, TheCycleSaysWhoHoldsAndWaitsForWhatWhere) {
  const Trace trace = FromScript("T1: A B -B -A; T2: B A -A -B");
  const Predictor predictor(trace);
  ASSERT_EQ(predictor.cycles().size(), 1u);
  const GradedCycle& cycle = predictor.cycles()[0];
  ASSERT_EQ(cycle.edges.size(), 2u);
  EXPECT_EQ(cycle.edges[0].task, "T1");
  EXPECT_EQ(cycle.edges[0].from, "A");
  EXPECT_EQ(cycle.edges[0].to, "B");
  EXPECT_EQ(cycle.edges[0].from_site.ToString(), "s:1");
  EXPECT_EQ(cycle.edges[0].to_site.ToString(), "s:2");
  EXPECT_EQ(cycle.edges[1].task, "T2");
  EXPECT_EQ(cycle.edges[1].from_site.ToString(), "s:5");
  EXPECT_EQ(cycle.edges[1].to_site.ToString(), "s:6");
  EXPECT_THAT(cycle.instances, ElementsAre("1 x T1", "1 x T2"));
  EXPECT_THAT(cycle.witness, ElementsAre(1, 5));
  EXPECT_THAT(cycle.schedule, ElementsAre(1, 1));
  ASSERT_EQ(cycle.edges[0].held.size(), 1u);
  EXPECT_EQ(cycle.edges[0].held[0].lock, "A");
  EXPECT_TRUE(predictor.stats().complete);
}

TEST(PredictorTest, ThreeTasks) {
  EXPECT_THAT(Verdicts("T1: A B -B -A; T2: B C -C -B; T3: C A -A -C"), ElementsAre("feasible: A > B > C"));
  EXPECT_THAT(Verdicts("T1: A B -B -A; T2: B C -C -B; T3: A C -C -A"), IsEmpty());
}

TEST(PredictorTest, AGateLockExcludes) {
  EXPECT_THAT(Verdicts("T1: G A B -B -A -G; T2: G B A -A -B -G"), ElementsAre("order: A > B (gate lock G at s:1)"));
  EXPECT_THAT(Verdicts("T1: G A B -B -A -G; T2: B A -A -B"), ElementsAre("feasible: A > B"));
  EXPECT_THAT(Verdicts("T1: sG A B -B -A -G; T2: sG B A -A -B -G"), ElementsAre("feasible: A > B"));
  EXPECT_THAT(Verdicts("T1: sG A B -B -A -G; T2: G B A -A -B -G"), ElementsAre("order: A > B (gate lock G at s:1)"));
}

TEST(PredictorTest, OneTaskOnly) {
  EXPECT_THAT(Verdicts("T1: A B -B -A B A -A -B"), ElementsAre("order: A > B (one task only: T1)"));
}

TEST(PredictorTest, TwoInstancesOfATask) {
  const Trace trace = FromScript("T1: A B -A C -C -B; T2: C A -A -C");
  const Predictor predictor(trace);
  ASSERT_EQ(predictor.cycles().size(), 1u);
  EXPECT_EQ(predictor.cycles()[0].grade, Grade::kOrder);
  EXPECT_EQ(predictor.cycles()[0].reason, "needs 2 instances of T1");
  EXPECT_THAT(predictor.cycles()[0].instances, ElementsAre("2 x T1", "1 x T2"));
  EXPECT_THAT(Verdicts("T1: A B -A C -C -B; T3: A B -A C -C -B; T2: C A -A -C"), ElementsAre("feasible: A > B > C"));
}

TEST(PredictorTest, ForkAndJoinOrder) {
  EXPECT_THAT(Verdicts("M: fork:T1; T1: A B -B -A; M: join:T1 fork:T2; T2: B A -A -B"),
              ElementsAre("order: A > B (T2 starts after T1 was joined at s:6)"));
  EXPECT_THAT(Verdicts("M: fork:T1 fork:T2; T1: A B -B -A; T2: B A -A -B; M: join:T1 join:T2"),
              ElementsAre("feasible: A > B"));
  EXPECT_THAT(Verdicts("M: A B -B -A fork:T1; T1: B A -A -B"),
              ElementsAre("order: A > B (T1 is forked after M was there, at s:5)"));
}

// The write in T1's critical section is read by T2 before its own: no reordering keeps the read.
TEST(PredictorTest, AReadOrders) {
  EXPECT_THAT(Verdicts("T1: A B -B -A w:V; T2: r:V B A -A -B"), ElementsAre("order: A > B (ordered by the read of V at s:6)"));
  EXPECT_THAT(Verdicts("T1: A B -B -A w:V; T2: B A -A -B r:V"), ElementsAre("feasible: A > B"));
  EXPECT_THAT(Verdicts("T1: w:V A B -B -A; T2: r:V B A -A -B"), ElementsAre("feasible: A > B"));
}

// T2 must see what T1 wrote under C, so T1's whole critical section of C comes first, and that comes after A and B.
TEST(PredictorTest, ClosedCriticalSectionsOrder) {
  EXPECT_THAT(Verdicts("T1: C A B -B -A w:V -C; T2: C r:V -C B A -A -B"),
              ElementsAre("order: A > B (ordered by the read of V at s:9)"));
  // Without the read the order of C's sections is kept only if both are in it: T2's comes later, so T1's must end.
  EXPECT_THAT(Verdicts("T1: C A B -B -A -C; T2: C -C B A -A -B"),
              ElementsAre("order: A > B (not sync-preserving: only a change of the order of its critical sections could "
                          "reach it)"));
  EXPECT_THAT(Verdicts("T2: C -C B A -A -B; T1: C A B -B -A -C"), ElementsAre("feasible: A > B"));
}

// The shape of the paper's introduction: the deadlock is reached only by letting a later critical section come first.
TEST(PredictorTest, AReorderingOfCriticalSections) {
  EXPECT_THAT(Verdicts("T1: A -A; T2: A B -B -A; T1: B A -A -B"), ElementsAre("feasible: A > B"));
  EXPECT_THAT(Verdicts("T1: A B -B -A; T2: D B -B -D; T3: B D -D -B; T2: D A w:V -A -D; T1: r:V"),
              ElementsAre("feasible: B > D", "feasible: A > B > D"));
}

// The first acquisitions of the pattern are ordered, the second ones are not: one abstract pattern, found at the second.
TEST(PredictorTest, ALaterOccurrenceOfAnAbstractPattern) {
  const Trace trace = FromScript("T1: A B -B -A w:V; T2: r:V B A -A -B; T1: A B -B -A");
  const Predictor predictor(trace);
  ASSERT_EQ(predictor.cycles().size(), 1u);
  EXPECT_EQ(predictor.cycles()[0].grade, Grade::kFeasible);
  EXPECT_EQ(predictor.stats().patterns, 1u);
  EXPECT_THAT(predictor.cycles()[0].witness, ElementsAre(11, 7));
}

TEST(PredictorTest, ReadersBlockOnlyBehindWriters) {
  EXPECT_THAT(Verdicts("T1: sA sB -B -A; T2: sB sA -A -B"),
              ElementsAre("order: A > B (needs writers queued for A and B between the readers; none of A and B was seen)"));
  EXPECT_THAT(Verdicts("T1: sA sB -B -A; T2: sB sA -A -B; W: A -A"),
              ElementsAre("order: A > B (needs writers queued for A and B between the readers; none of B was seen)"));
  EXPECT_THAT(Verdicts("T1: sA sB -B -A; T2: sB sA -A -B; W: A -A B -B"),
              ElementsAre("order: A > B (needs writers queued for A and B between the readers; no reordering has them all "
                          "there at once)"));
  EXPECT_THAT(Verdicts("T1: sA sB -B -A; T2: sB sA -A -B; W: A -A; X: B -B"), ElementsAre("feasible: A > B"));
  EXPECT_THAT(Verdicts("T1: sA rB -B -A; T2: sB rA -A -B; W: A -A; X: B -B"), IsEmpty());
  EXPECT_THAT(Verdicts("T1: sA M -M -A; T2: M A -A -M"), ElementsAre("feasible: A > M"));
  EXPECT_THAT(Verdicts("T1: sA M -M -A; T2: M rA -A -M"), IsEmpty());
}

TEST(PredictorTest, AReaderThatReadsAgain) {
  EXPECT_THAT(Verdicts("T1: sA sA -A -A"),
              ElementsAre("order: A (needs writers queued for A between the readers; none of A was seen)"));
  EXPECT_THAT(Verdicts("T1: sA sA -A -A; W: A -A"), ElementsAre("feasible: A"));
  EXPECT_THAT(Verdicts("T1: sA rA -A -A; W: A -A"), IsEmpty());
}

TEST(PredictorTest, TrylocksDoNotWait) {
  EXPECT_THAT(Verdicts("T1: A B -B -A; T2: B tA -A -B"), IsEmpty());
  EXPECT_THAT(Verdicts("T1: tA B -B -A; T2: B A -A -B"), ElementsAre("feasible: A > B"));
}

// That the trylock failed says that T1 held the lock then; what T2 does only afterwards comes after T1 took it.
TEST(PredictorTest, AFailedTrylockKeepsItsPlace) {
  EXPECT_THAT(Verdicts("T1: A B -B C; T2: fC B A; T1: -C -A; T2: -A -B"),
              ElementsAre("order: A > B (ordered by a failed trylock of C)"));
  EXPECT_THAT(Verdicts("T1: A B -B C -C -A; T2: B A -A -B"), ElementsAre("feasible: A > B"));
}

TEST(PredictorTest, EventsOrderLikeJoins) {
  EXPECT_THAT(Verdicts("T1: A B -B -A trigger:E; T2: wait:E B A -A -B"),
              ElementsAre("order: A > B (ordered by event E at s:6)"));
  EXPECT_THAT(Verdicts("T1: trigger:E A B -B -A; T2: wait:E B A -A -B"), ElementsAre("feasible: A > B"));
}

// Scenario 12: one benign run in which the trigger came first.
TEST(PredictorTest, AWaitForAnEventWhoseTriggererNeedsTheLock) {
  EXPECT_THAT(Verdicts("T1: A -A trigger:E; T2: A wait:E -A"), ElementsAre("feasible: A > E"));
  EXPECT_THAT(Verdicts("T1: trigger:E A -A; T2: A wait:E -A"), IsEmpty());
  // Another task triggers it as well, whatever happens to T1.
  EXPECT_THAT(Verdicts("T3: trigger:E; T1: A -A trigger:E; T2: A wait:E -A"),
              ElementsAre("order: A > E (event E is also triggered by T3 at s:1)"));
  // Timed waits end by themselves.
  EXPECT_THAT(Verdicts("T1: A -A trigger:E; T2: A timedwait:E -A"), IsEmpty());
}

TEST(PredictorTest, AJoinUnderALockThatTheChildNeeds) {
  EXPECT_THAT(Verdicts("M: fork:T1; T1: A -A; M: A join:T1 -A"), ElementsAre("feasible: A > end of T1"));
  EXPECT_THAT(Verdicts("M: fork:T1; T1: A -A; M: join:T1 A -A"), IsEmpty());
  EXPECT_THAT(Verdicts("M: A fork:T1 -A; T1: A -A; M: join:T1"), IsEmpty());
}

TEST(PredictorTest, BarriersOrderAndBlock) {
  EXPECT_THAT(Verdicts("T1: A B -B -A arrive:X; T2: arrive:X; T1: depart:X; T2: depart:X B A -A -B"),
              ElementsAre("order: A > B (ordered by barrier X at s:8)"));
  EXPECT_THAT(Verdicts("T1: A -A arrive:X; T2: A arrive:X depart:X -A; T1: depart:X"), ElementsAre("feasible: A > X"));
}

TEST(PredictorTest, SemaphoresAreLocksWhenUsedSo) {
  EXPECT_THAT(Verdicts("T1: down:S down:R up:R up:S; T2: down:R down:S up:S up:R"), ElementsAre("feasible: R > S"));
  EXPECT_THAT(Verdicts("T1: down:S down:R up:R up:S; T2: down:S down:R up:R up:S"), IsEmpty());
}

// The lock that M holds around T1's life guards T1's part as well, and is waited for on its behalf.
TEST(PredictorTest, CriticalSectionsOfForkers) {
  EXPECT_THAT(Verdicts("M: G fork:T1; T1: A B -B -A; M: join:T1 -G; T2: G B A -A -B -G"),
              ElementsAre("order: A > B (gate lock G at s:1)"));
  EXPECT_THAT(Verdicts("M: G fork:T1 -G; T1: A B -B -A; M: join:T1; T2: G B A -A -B -G"), ElementsAre("feasible: A > B"));
  EXPECT_THAT(Verdicts("M: A fork:T1; T1: B -B; M: join:T1 -A; T2: B A -A -B"), ElementsAre("feasible: A > B"));
  EXPECT_THAT(Verdicts("M: A fork:T1 -A; T1: B -B; M: join:T1; T2: B A -A -B"), IsEmpty());
}

// A is handed to T3, which releases it: T1 no longer holds it, T3 does.
TEST(PredictorTest, LocksHandedToAnotherTask) {
  EXPECT_THAT(Verdicts("T1: A; T3: B -B -A; T2: B A -A -B"), ElementsAre("feasible: A > B"));
  EXPECT_THAT(Verdicts("T1: A B -B; T3: -A; T2: B A -A -B"), IsEmpty());
}

TEST(PredictorTest, AnAcquisitionThatNeverReturned) {
  EXPECT_THAT(Verdicts("T1: A; T2: B; T1: req:B; T2: req:A"), ElementsAre("feasible: A > B"));
  EXPECT_THAT(Verdicts("T1: A req:A"), ElementsAre("feasible: A"));
}

TEST(PredictorTest, LocksOfOneClass) {
  const std::string head = "class:C lock:1,C lock:2,C lock:3,C lock:4,C ";
  EXPECT_THAT(Verdicts(head + "T1: 1 2 -2 -1; T2: 2 1 -1 -2"), ElementsAre("feasible: C > C"));
  EXPECT_THAT(Verdicts(head + "T1: 1 2 -2 -1; T2: 3 4 -4 -3"),
              ElementsAre("order: C > C (the locks were different ones of their classes)"));
  EXPECT_THAT(Verdicts("class:C,ordered lock:1,C,1 lock:2,C,2 T1: 1 2 -2 -1; T2: 1 2 -2 -1"), IsEmpty());
}

TEST(PredictorTest, ALockMadeAgainIsAnotherOne) {
  EXPECT_THAT(Verdicts("T1: A B -B -A destroy:A init:A; T2: B A -A -B"),
              ElementsAre("order: A > B (the locks were different ones of their classes)"));
  EXPECT_THAT(Verdicts("T1: A B -B -A; T2: B A -A -B; T1: destroy:A"), ElementsAre("feasible: A > B"));
}

TEST(PredictorTest, RolesCountInstances) {
  const Trace trace = FromScript("role:T1,w role:T2,w T1: A B -B -A; T2: B A -A -B");
  const Predictor predictor(trace);
  ASSERT_EQ(predictor.cycles().size(), 1u);
  EXPECT_THAT(predictor.cycles()[0].instances, ElementsAre("2 x w"));
}

TEST(PredictorTest, WoundWaitMutexesResolveTheirOwnCycles) {
  const std::string head = "class:W lock:1,W lock:2,W ";
  EXPECT_THAT(Verdicts(head + "T1: wwbegin:W 1 2 -2 -1 wwend:W; T2: wwbegin:W 2 1 -1 -2 wwend:W"), IsEmpty());
  EXPECT_THAT(Verdicts(head + "T1: wwbegin:W 1 A -A -1 wwend:W; T2: A wwbegin:W 1 -1 wwend:W -A"),
              ElementsAre("feasible: A > W"));
}

// Of a violation the validator reported: by its nodes.
TEST(PredictorTest, GradesViolationsByTheirNodes) {
  const Trace trace = FromScript("T1: A B -B -A; T2: B A -A -B; T3: C D -D -C D C -C -D");
  const Predictor predictor(trace);
  Violation violation;
  violation.kind = ViolationKind::kCircular;
  violation.cycle = {{.from = "B", .to = "A"}, {.from = "A", .to = "B"}};
  predictor.GradeInPlace(&violation);
  EXPECT_EQ(violation.grade, Grade::kFeasible);
  EXPECT_THAT(violation.instances, ElementsAre("1 x T1", "1 x T2"));
  violation.cycle = {{.from = "C", .to = "D"}, {.from = "D", .to = "C"}};
  predictor.GradeInPlace(&violation);
  EXPECT_EQ(violation.grade, Grade::kOrder);
  EXPECT_EQ(violation.grade_reason, "one task only: T3");
  EXPECT_THAT(violation.instances, ElementsAre("2 x T3"));
  violation.cycle = {{.from = "A", .to = "D"}, {.from = "D", .to = "A"}};
  EXPECT_EQ(predictor.GradeViolation(violation).reason, "no task of the trace made all of its dependencies");
  violation.kind = ViolationKind::kBadUnlock;
  EXPECT_EQ(predictor.GradeViolation(violation).grade, Grade::kOrder);
}

TEST(PredictorTest, BoundsAreAdmitted) {
  std::string script;
  for (int task = 0; task < 8; ++task) {
    absl::StrAppend(&script, "T", task, ": ");
    for (int lock = 0; lock < 8; ++lock) {
      const int other = (lock + task + 1) % 8;
      if (other != lock) absl::StrAppend(&script, "L", lock, " L", other, " -L", other, " -L", lock, " ");
    }
    absl::StrAppend(&script, "; ");
  }
  const Trace trace = FromScript(script);
  EXPECT_FALSE(Predictor(trace, {.search_steps_max = 1000}).stats().complete);
  EXPECT_FALSE(Predictor(trace, {.patterns_max = 3, .every_pattern = true}).stats().complete);
}

}  // namespace
}  // namespace ordeal::lockdep
