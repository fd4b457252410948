// Goal: a predicted cycle that can happen becomes a replayable deadlock within few directed schedules; one that cannot never
// does, and the reason is told.
// Method: the violation comes from a calm run (one task after the other, so that nothing blocks); each scenario has a twin.
#include "harness/campaign/confirm.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/campaign/cross_run.h"
#include "harness/campaign/explore.h"
#include "harness/campaign/lock_script_for_test.h"
#include "harness/catalogue/catalogue.h"
#include "harness/corpus/corpus_replay.h"
#include "harness/scenario/run_findings.h"
#include "injectors/schedule/random_walk.h"

namespace ordeal {
namespace {

using lockdep::Grade;
using lockdep::Violation;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

class ConfirmTest : public ::testing::Test {
 protected:
  ConfirmTest() : registry_(BuiltIn()) {}

  struct Seen {
    std::vector<Violation> violations;
    std::vector<RecordedChoice> recorded;
  };
  // What the calm run of the scenario shows; it must not hang.
  Seen CalmRun(const std::string& scenario, std::vector<std::string> bugs = {}) {
    spec_ = *registry_.Resolve({.scenario = scenario, .bugs = std::move(bugs)});
    Runner runner(*registry_.FindScenario(scenario), spec_);
    QuietSource quiet;
    const RunResult result = runner.Run(quiet);
    EXPECT_EQ(result.end.kind, RunEndKind::kCompleted);
    return {result.violations, {runner.recorded().begin(), runner.recorded().end()}};
  }
  Confirmation ConfirmFirst(const std::string& scenario, std::vector<std::string> bugs = {}) {
    const Seen seen = CalmRun(scenario, std::move(bugs));
    if (seen.violations.empty()) {
      ADD_FAILURE() << scenario << ": the calm run shows no cycle";
      return {};
    }
    const auto confirmation = Confirm(registry_, spec_, seen.recorded, seen.violations.front());
    EXPECT_TRUE(confirmation.ok()) << confirmation.status();
    return confirmation.ok() ? *confirmation : Confirmation{};
  }
  void ExpectConfirmed(const Confirmation& confirmation, uint64_t schedules_max) {
    ASSERT_TRUE(confirmation.confirmed) << confirmation.reason;
    EXPECT_LE(confirmation.schedules, schedules_max);
    EXPECT_EQ(confirmation.grade, Grade::kConfirmed);
    EXPECT_THAT(confirmation.reason, HasSubstr("confirmed after "));
    ASSERT_TRUE(confirmation.entry.has_value());
    EXPECT_EQ(confirmation.entry->finding->kind, FindingKind::kDeadlock);
    const auto replay = ReplayEntry(registry_, *confirmation.entry);
    ASSERT_TRUE(replay.ok()) << replay.status();
    EXPECT_EQ(replay->verdict, ReplayVerdict::kSame) << replay->explanation;
    EXPECT_EQ(replay->findings.front().kind, FindingKind::kDeadlock);
  }
  void ExpectRefuted(const Confirmation& confirmation, const std::string& reason) {
    EXPECT_FALSE(confirmation.confirmed);
    EXPECT_EQ(confirmation.schedules, 200u);
    EXPECT_FALSE(confirmation.entry.has_value());
    EXPECT_THAT(confirmation.reason, HasSubstr(reason));
    EXPECT_THAT(confirmation.reason, HasSubstr("not reached in 200 directed schedules"));
  }

  Registry registry_;
  ScenarioSpec spec_;
};

TEST_F(ConfirmTest, TwoTasksInOppositeOrders) {
  registry_.Add(LockScript("abba", {{"first", "+A +B -B -A"}, {"second", "+B +A -A -B"}}));
  const Confirmation confirmation = ConfirmFirst("abba");
  ExpectConfirmed(confirmation, 1);
  EXPECT_THAT(confirmation.instances, ElementsAre("1 x first", "1 x second"));
}

TEST_F(ConfirmTest, EqualOrdersShowNoCycle) {
  registry_.Add(LockScript("abab", {{"first", "+A +B -B -A"}, {"second", "+A +B -B -A"}}));
  EXPECT_THAT(CalmRun("abab").violations, IsEmpty());
}

TEST_F(ConfirmTest, RingsOfThreeAndFive) {
  registry_.Add(LockRing("ring3", 3, 0));
  ExpectConfirmed(ConfirmFirst("ring3"), 1);
  registry_.Add(LockRing("ring5", 5, 20));
  ExpectConfirmed(ConfirmFirst("ring5"), 1);
}

TEST_F(ConfirmTest, DiningPhilosophers) { ExpectConfirmed(ConfirmFirst("dining-philosophers", {"naive-order"}), 1); }

TEST_F(ConfirmTest, ReaderAgainstWriter) {
  registry_.Add(LockScript("reader-writer", {{"reader", "~A +B -B -A"}, {"writer", "+B +A -A -B"}}));
  ExpectConfirmed(ConfirmFirst("reader-writer"), 1);
}

// Readers alone never block each other: it takes a writer in each queue, and the two are no edges of the cycle.
TEST_F(ConfirmTest, ReadersBehindQueuedWriters) {
  registry_.Add(LockScript("queued", {{"first", "~A ~B -B -A"},
                                      {"second", "~B ~A -A -B"},
                                      {"writes A", "+A -A"},
                                      {"writes B", "+B -B"}}));
  ExpectConfirmed(ConfirmFirst("queued"), 20);
  registry_.Add(LockScript("unqueued", {{"first", "~A ~B -B -A"}, {"second", "~B ~A -A -B"}}));
  EXPECT_FALSE(ConfirmFirst("unqueued").confirmed);
}

TEST_F(ConfirmTest, GateLockRefutes) {
  registry_.Add(LockScript("gated", {{"first", "+G +A +B -B -A -G"}, {"second", "+G +B +A -A -B -G"}}));
  ExpectRefuted(ConfirmFirst("gated"), "gate lock G at harness/campaign/lock_script_for_test.h:");
}

// The gate is held at one place only: the other place is free of it.
TEST_F(ConfirmTest, GateAtOnePlaceDoesNotRefute) {
  registry_.Add(LockScript("half-gated", {{"first", "+G +A +B -B -A -G +A +B -B -A"}, {"second", "+G +B +A -A -B -G"}}));
  ExpectConfirmed(ConfirmFirst("half-gated"), 20);
}

TEST_F(ConfirmTest, OneTaskAloneCannotDeadlock) {
  registry_.Add(LockScript("alone", {{"both", "+A +B -B -A . +B +A -A -B"}, {"other", ". . . . . . ."}}));
  const Confirmation confirmation = ConfirmFirst("alone");
  ExpectRefuted(confirmation, "one task only: both");
  EXPECT_THAT(confirmation.reason, HasSubstr("needs 2 instances of both: not confirmable with this scenario's tasks"));
  registry_.Add(LockScript("two of them", {{"both", "+A +B -B -A . +B +A -A -B"}, {"both", "+A +B -B -A . +B +A -A -B"}}));
  ExpectConfirmed(ConfirmFirst("two of them"), 20);
}

TEST_F(ConfirmTest, ForkOrdersTheHalves) {
  registry_.Add(LockScript("forked", {{"parent", "+A +B -B -A *child"}, {"child", "+B +A -A -B", true}, {"other", ". . . ."}}));
  ExpectRefuted(ConfirmFirst("forked"), "fork");
  registry_.Add(LockScript("forked early", {{"parent", "*child +A +B -B -A"}, {"child", "+B +A -A -B", true}}));
  ExpectConfirmed(ConfirmFirst("forked early"), 5);
}

// Another deadlock of the same scenario is no confirmation of this cycle.
TEST_F(ConfirmTest, OtherDeadlocksDoNotCount) {
  registry_.Add(LockScript("two cycles", {{"first", "+G +A +B -B -A -G +C +D -D -C"},
                                          {"second", "+G +B +A -A -B -G +D +C -C -D"}}));
  const Seen seen = CalmRun("two cycles");
  ASSERT_THAT(seen.violations, SizeIs(2));
  for (const Violation& violation : seen.violations) {
    const auto confirmation = Confirm(registry_, spec_, seen.recorded, violation);
    ASSERT_TRUE(confirmation.ok());
    EXPECT_EQ(confirmation->confirmed, violation.signature == "circular: C > D") << violation.signature;
  }
}

TEST_F(ConfirmTest, OutcomeIsAFunctionOfTheArguments) {
  registry_.Add(LockRing("ring4", 4, 7));
  const Confirmation first = ConfirmFirst("ring4");
  const Confirmation second = ConfirmFirst("ring4");
  ASSERT_TRUE(first.entry.has_value() && second.entry.has_value());
  EXPECT_EQ(first.schedules, second.schedules);
  EXPECT_EQ(FormatCorpusEntry(*first.entry), FormatCorpusEntry(*second.entry));
}

TEST_F(ConfirmTest, AppliedConfirmationNamesTheFile) {
  registry_.Add(LockScript("abba", {{"first", "+A +B -B -A"}, {"second", "+B +A -A -B"}}));
  const Seen seen = CalmRun("abba");
  Violation violation = seen.violations.front();
  const auto confirmation = Confirm(registry_, spec_, seen.recorded, violation);
  ASSERT_TRUE(confirmation.ok());
  ApplyConfirmation(*confirmation, "out/x.txtpb", &violation);
  EXPECT_EQ(violation.grade, Grade::kConfirmed);
  EXPECT_EQ(violation.corpus_file, "out/x.txtpb");
  EXPECT_EQ(violation.grade_reason, "confirmed after 1 directed schedule");
}

TEST_F(ConfirmTest, RecordingOfAnotherScenarioIsAnError) {
  registry_.Add(LockScript("abba", {{"first", "+A +B -B -A"}, {"second", "+B +A -A -B"}}));
  registry_.Add(LockRing("ring3", 3, 0));
  const Seen ring = CalmRun("ring3");
  const Seen abba = CalmRun("abba");
  EXPECT_FALSE(Confirm(registry_, spec_, ring.recorded, abba.violations.front()).ok());
  Violation balance;
  balance.kind = lockdep::ViolationKind::kBadUnlock;
  EXPECT_FALSE(Confirm(registry_, spec_, abba.recorded, balance).ok());
}

// --- what explorations do with it ---

TEST_F(ConfirmTest, ExploringConfirmsWhatItFinds) {
  registry_.Add(LockRing("ring5", 5, 20));
  const auto result = Explore(registry_, {.scenario = "ring5"}, {.schedules_max = 3, .findings_max = 1});
  ASSERT_TRUE(result.ok()) << result.status();
  ASSERT_THAT(result->findings, SizeIs(1));
  const UniqueFinding& found = result->findings.front();
  EXPECT_EQ(found.finding.kind, FindingKind::kLockOrder);
  ASSERT_TRUE(found.confirmation.has_value());
  EXPECT_TRUE(found.confirmation->confirmed);
  EXPECT_EQ(found.violation->grade, Grade::kConfirmed);
  EXPECT_THAT(found.finding.summary, HasSubstr("(confirmed)"));
  EXPECT_THAT(found.finding.details, HasSubstr("confirmed after 1 directed schedule"));
  const auto without =
      Explore(registry_, {.scenario = "ring5"}, {.schedules_max = 3, .findings_max = 1, .confirm_schedules = 0});
  ASSERT_TRUE(without.ok());
  EXPECT_FALSE(without->findings.front().confirmation.has_value());
}

// The first goes A -> B only before the flag is set, the second B -> A only after: few schedules have both.
TEST_F(ConfirmTest, HalvesOfDifferentSchedulesAreFoundAndConfirmed) {
  registry_.Add(LockScript("early-late", {{"early", "!F +A +B -B -A"}, {"late", "?F +B +A -A -B"}, {"setter", ". =F"}}));
  int confirmed = 0;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const auto result = Explore(registry_, {.scenario = "early-late"}, {.seed = seed, .schedules_max = 3});
    ASSERT_TRUE(result.ok()) << result.status();
    for (const AcrossSchedules& across : result->across) {
      EXPECT_EQ(across.violation.signature, "circular: A > B");
      EXPECT_TRUE(across.confirmation->confirmed) << across.confirmation->reason;
      EXPECT_THAT(across.confirmation->reason, HasSubstr("seen across schedules; confirmed after "));
      ++confirmed;
    }
  }
  EXPECT_GT(confirmed, 0);
}

// Whoever sets its flag first goes, the other does not: no schedule has both halves, and none can block.
TEST_F(ConfirmTest, HalvesThatExcludeEachOtherAreReportedAndNeverConfirmed) {
  registry_.Add(LockScript("either-or", {{"one", "^F +A +B -B -A"}, {"two", "^F +B +A -A -B"}}));
  const auto result = Explore(registry_, {.scenario = "either-or"}, {.schedules_max = 200, .findings_max = 0});
  ASSERT_TRUE(result.ok()) << result.status();
  for (const UniqueFinding& found : result->findings) EXPECT_NE(found.finding.kind, FindingKind::kLockOrder);
  ASSERT_THAT(result->across, SizeIs(1));
  EXPECT_EQ(result->across[0].violation.grade, Grade::kOrder);
  EXPECT_FALSE(result->across[0].confirmation->confirmed);
  EXPECT_THAT(result->across[0].violation.grade_reason, HasSubstr("not reached in 200 directed schedules"));
}

TEST_F(ConfirmTest, EqualOrdersInDifferentSchedulesAreQuiet) {
  registry_.Add(LockScript("agree", {{"one", "^F +A +B -B -A"}, {"two", "^F +A +B -B -A"}}));
  const auto result = Explore(registry_, {.scenario = "agree"}, {.schedules_max = 200, .findings_max = 0});
  ASSERT_TRUE(result.ok());
  EXPECT_TRUE(result->quiet());
}

}  // namespace
}  // namespace ordeal
