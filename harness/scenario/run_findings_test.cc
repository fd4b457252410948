// What a run's trouble becomes: livelock and starvation with the verdict of a fair schedule, and the timelines.

#include "harness/scenario/run_findings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "harness/scenario/scenario.h"
#include "harness/sync/mutex.h"
#include "harness/sync/two_state_lock.h"
#include "injectors/schedule/random_walk.h"

namespace ordeal {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::SizeIs;

// A scenario from two functions.
class Written : public Scenario {
 public:
  using Step = std::function<std::shared_ptr<void>(ScenarioRun&)>;
  Written(Step setup, std::function<void(ScenarioRun&)> check) : setup_(std::move(setup)), check_(std::move(check)) {}
  void Setup(ScenarioRun& run) override { world_ = setup_(run); }
  void Check(ScenarioRun& run) override {
    if (check_) check_(run);
  }
  void Teardown() override { world_.reset(); }

 private:
  Step setup_;
  std::function<void(ScenarioRun&)> check_;
  std::shared_ptr<void> world_;
};

class RunFindingsTest : public ::testing::Test {
 protected:
  // The findings of `runs` runs, one of each signature.
  std::vector<Finding> Explore(Written::Step setup, SchedulerOptions scheduler, int runs = 100,
                               std::function<void(ScenarioRun&)> check = nullptr) {
    ScenarioEntry entry;
    entry.make = [=] { return std::make_unique<Written>(setup, check); };
    Runner::Options options;
    options.scheduler = scheduler;
    Runner runner(entry, {}, options);
    RandomWalk source(1);
    std::vector<Finding> unique;
    for (int run = 0; run < runs; ++run) {
      for (Finding& finding : runner.Run(source, static_cast<uint64_t>(run)).findings) {
        const auto same = [&](const Finding& known) { return known.signature == finding.signature; };
        if (std::none_of(unique.begin(), unique.end(), same)) unique.push_back(std::move(finding));
      }
    }
    return unique;
  }
};

// --- livelock ---

struct Flags {
  bool left = false, right = false, done = false;
};

// Two tasks that give way to each other for ever; or, not stubborn, until a third one is done.
Written::Step GiveWay(bool stubborn) {
  return [=](ScenarioRun& run) {
    auto flags = std::make_shared<Flags>();
    Scheduler& scheduler = run.sim().scheduler();
    const auto give_way = [=, &scheduler](bool Flags::*mine, bool Flags::*other) {
      return [=, &scheduler] {
        while (!(flags.get()->*other) && (stubborn || !flags->done)) {
          scheduler.NoteRetry(RetryReason::kTransactionRestart);
        }
        flags.get()->*mine = true;
        scheduler.NoteProgress();
      };
    };
    scheduler.Spawn("left", give_way(&Flags::left, &Flags::right));
    scheduler.Spawn("right", give_way(&Flags::right, &Flags::left));
    scheduler.Spawn("third", [=, &scheduler] {
      for (int step = 0; step < 50; ++step) scheduler.Point(OperationKind::kYield, kNoObject);
      flags->done = true;
    });
    return flags;
  };
}

TEST_F(RunFindingsTest, RetriesWithoutEndAreALivelockUnderAFairScheduleToo) {
  const std::vector<Finding> findings = Explore(GiveWay(true), {.retry_repeats_max = 200});
  ASSERT_THAT(findings, SizeIs(1));
  EXPECT_EQ(findings[0].kind, FindingKind::kLivelock);
  EXPECT_EQ(findings[0].signature, "livelock: retries because of transaction-restart");
  EXPECT_THAT(findings[0].details, AllOf(HasSubstr("task 0 (left) retries because of transaction-restart at "
                                                   "harness/scenario/run_findings_test.cc:"),
                                         HasSubstr("task 1 (right) retries"), Not(HasSubstr("(third)")),
                                         HasSubstr("verdict: livelock; under a fair schedule from there no operation")));
  EXPECT_THAT(findings[0].sites, SizeIs(2));
}
TEST_F(RunFindingsTest, RetriesThatEndAreNoFinding) {
  EXPECT_THAT(Explore(GiveWay(false), {.retry_repeats_max = 200}), IsEmpty());
}
TEST_F(RunFindingsTest, TooSmallABoundIsToldFromALivelockByTheFairSchedule) {
  const std::vector<Finding> findings = Explore(GiveWay(false), {.retry_repeats_max = 5});
  ASSERT_THAT(findings, SizeIs(1));
  EXPECT_THAT(findings[0].details, HasSubstr("verdict: starvation; under a fair schedule"));
}
TEST_F(RunFindingsTest, RetriesBeyondTheCallersBoundAreAFindingOfTheirOwn) {
  EXPECT_THAT(Explore(GiveWay(false), {.retries_max = 60}), IsEmpty());
  const std::vector<Finding> findings = Explore(GiveWay(false), {.retries_max = 3});
  ASSERT_THAT(findings, SizeIs(1));
  EXPECT_EQ(findings[0].kind, FindingKind::kLivelock);
  EXPECT_EQ(findings[0].signature, "livelock: an operation retries beyond the bound because of transaction-restart");
  EXPECT_THAT(findings[0].details, HasSubstr("retries of the run, by reason:\ntransaction-restart: "));
}

// --- starvation (B76) ---

Written::Step Adders(int adders) {
  return [=](ScenarioRun& run) {
    Scheduler& scheduler = run.sim().scheduler();
    auto lock = std::make_shared<TwoStateLock>(
        run.sim(), run.sim().Class("pagecache_lock", {.kind = &lockdep::kTwoStateLock}), "pagecache_lock", 7);
    for (int adder = 0; adder < adders; ++adder) {
      scheduler.Spawn("fault", [=, &scheduler] {
        for (int i = 0; i < 30; ++i) {
          lock->Lock(TwoState::kAdd);
          for (int step = 0; step < 4; ++step) scheduler.Point(OperationKind::kYield, kNoObject);
          lock->Unlock(TwoState::kAdd);
        }
      });
    }
    scheduler.Spawn("truncate", [=] {
      lock->Lock(TwoState::kBlock);
      lock->Unlock(TwoState::kBlock);
    });
    return lock;
  };
}

TEST_F(RunFindingsTest, AWaiterThatIsPassedTooOftenIsAStarvationThatNamesWhoPassed) {
  const std::vector<Finding> findings = Explore(Adders(4), {.bypasses_max = 25, .keep_trace = true});
  ASSERT_THAT(findings, SizeIs(1));
  EXPECT_EQ(findings[0].kind, FindingKind::kStarvation);
  EXPECT_STREQ(FindingKindName(findings[0].kind), "starvation");
  EXPECT_EQ(findings[0].signature, "starvation: acquire pagecache_lock");
  EXPECT_THAT(findings[0].details, AllOf(HasSubstr("task 4 (truncate) waits to acquire pagecache_lock 7 at "),
                                         HasSubstr("who passed it:\n  task "), HasSubstr("<- waits"),
                                         HasSubstr("verdict: ")));
}
TEST_F(RunFindingsTest, AWaiterThatGetsItsTurnIsNone) {
  EXPECT_THAT(Explore(Adders(1), {.bypasses_max = 25, .keep_trace = true}), IsEmpty());
  EXPECT_THAT(Explore(Adders(4), {.keep_trace = true}), IsEmpty()) << "nobody counts";
}

TEST(FindingKindTest, StarvationIsReadBack) {
  FindingKind kind = FindingKind::kData;
  EXPECT_TRUE(ParseFindingKind("starvation", &kind));
  EXPECT_EQ(kind, FindingKind::kStarvation);
}

// --- timelines ---

Written::Step Abba() {
  return [](ScenarioRun& run) {
    Simulation& sim = run.sim();
    auto a = std::make_shared<Mutex>(sim, sim.Class("a"), "a", 1);
    auto b = std::make_shared<Mutex>(sim, sim.Class("b"), "b");
    const auto nest = [](Mutex* outer, Mutex* inner) {
      return [=] {
        outer->Lock();
        inner->Lock();
        inner->Unlock();
        outer->Unlock();
      };
    };
    sim.scheduler().Spawn("first", nest(a.get(), b.get()));
    sim.scheduler().Spawn("second", nest(b.get(), a.get()));
    sim.scheduler().Spawn("bystander", [&sim] { sim.scheduler().Point(OperationKind::kYield, kNoObject); });
    return std::make_shared<std::pair<std::shared_ptr<Mutex>, std::shared_ptr<Mutex>>>(a, b);
  };
}

TEST_F(RunFindingsTest, ADeadlockShowsTheLastStepsOfItsTasksInColumns) {
  const auto deadlock_of = [](const std::vector<Finding>& findings) {
    for (const Finding& finding : findings) {
      if (finding.kind == FindingKind::kDeadlock) return finding.details;
    }
    return std::string();
  };
  EXPECT_THAT(deadlock_of(Explore(Abba(), {})), AllOf(Not(IsEmpty()), Not(HasSubstr("last steps")))) << "no trace kept";
  const std::string details = deadlock_of(Explore(Abba(), {.keep_trace = true}));
  EXPECT_THAT(details, Not(HasSubstr("bystander")));
  const std::string row = "  +[0-9]+  [01] (first|second) +acquire +(a 1|b  ) +harness/scenario/run_findings_test.cc:[0-9]+"
                          "(  <- waits)?\n";
  EXPECT_THAT(details.substr(details.find("the last steps")),
              MatchesRegex("the last steps of these tasks:\n  step  task      operation  object  at\n" + row + row + row + row));
  EXPECT_THAT(details, MatchesRegex("(.|\n)*  <- waits\n(.|\n)*  <- waits\n"));
}

TEST_F(RunFindingsTest, AFindingAboutOperationsShowsWhatTheyDid) {
  const auto setup = [](ScenarioRun& run) {
    Scheduler& scheduler = run.sim().scheduler();
    const ObjectId folio = scheduler.NewObject("folio", 3);
    for (uint32_t id : {7u, 8u, 9u}) {
      scheduler.Spawn("task", [&scheduler, folio, id] {
        scheduler.Point(OperationKind::kYield, kNoObject);
        scheduler.NoteTrace("begins operation " + std::to_string(id), id);
        for (uint32_t step = 0; step < 20; ++step) {
          scheduler.Point(step == 0 ? OperationKind::kSignal : OperationKind::kWrite, folio);
        }
        scheduler.NoteTrace("ends operation " + std::to_string(id), id);
        scheduler.Point(OperationKind::kIo, folio);
      });
    }
    return std::shared_ptr<void>();
  };
  const auto check = [](ScenarioRun& run) {
    Finding finding;
    finding.signature = "data: stale";
    finding.kind = FindingKind::kData;
    finding.details = "stale\n";
    finding.operations = {9, 7};
    run.Report(finding);
  };
  const std::vector<Finding> findings = Explore(setup, {.keep_trace = true}, 1, check);
  ASSERT_THAT(findings, SizeIs(1));
  EXPECT_THAT(findings[0].details,
              AllOf(HasSubstr("the steps of these operations:\n"), HasSubstr("0 task  -- begins operation 7\n"),
                    HasSubstr("2 task  -- ends operation 9\n"), HasSubstr("write      folio 3  harness/scenario/"),
                    Not(HasSubstr("operation 8")), Not(HasSubstr("  io  ")), Not(HasSubstr("yield")),
                    Not(HasSubstr("signal")))) << "its first steps are too long ago";
}

}  // namespace
}  // namespace ordeal
