#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "harness/catalogue/catalogue.h"
#include "harness/choice/prng.h"
#include "harness/choice/replay.h"
#include "harness/scenario/run_findings.h"
#include "harness/scenario/scenario.h"
#include "harness/catalogue/clean_schedules_for_test.h"
#include "harness/sync/mutex.h"
#include "harness/sync/wait_queue.h"
#include "injectors/schedule/random_walk.h"

namespace ordeal {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::string Message(const absl::Status& status) { return std::string(status.message()); }

TEST(FindingTest, NamesAndKindsAreInverse) {
  for (int i = 1; i <= 7; ++i) {
    FindingKind parsed{};
    ASSERT_TRUE(ParseFindingKind(FindingKindName(static_cast<FindingKind>(i)), &parsed));
    EXPECT_EQ(parsed, static_cast<FindingKind>(i));
  }
  FindingKind parsed{};
  EXPECT_FALSE(ParseFindingKind("unknown", &parsed));
}

TEST(RegistryTest, ResolveNamesTheNearestKnownNames) {
  const Registry registry = BuiltIn();
  EXPECT_THAT(Message(registry.Resolve({.scenario = "mutex-countre"}).status()),
              HasSubstr("there is no scenario 'mutex-countre'; did you mean 'mutex-counter'?"));
  EXPECT_THAT(Message(registry.Resolve({.scenario = "philosophers"}).status()), HasSubstr("'dining-philosophers'"));
  EXPECT_THAT(Message(registry.Resolve({.scenario = "zzzzzzzzzzzzz"}).status()),
              HasSubstr("; 'ordeal list scenarios' prints all "));
  EXPECT_THAT(Message(registry.Resolve({.scenario = "punch-hole-vs-read", .filesystem = "zzzzzzzz"}).status()),
              HasSubstr("; known: vfs, "));
  EXPECT_THAT(Message(registry.Resolve({.scenario = "dining-philosophers", .bugs = {"naive-odrer"}}).status()),
              HasSubstr("did you mean 'naive-order'"));
  EXPECT_THAT(Message(registry.Resolve({.scenario = "mutex-counter", .bugs = {"naive-order"}}).status()),
              HasSubstr("scenario 'mutex-counter' has no switch for bug 'naive-order'"));
  EXPECT_THAT(Message(registry.Resolve({.scenario = "mutex-counter", .filesystem = "vfs"}).status()),
              HasSubstr("has no file system"));
}

TEST(RegistryTest, ResolveSortsBugsAndDropsRepetitions) {
  const auto spec = BuiltIn().Resolve({.scenario = "dining-philosophers", .bugs = {"naive-order", "naive-order"}});
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_THAT(spec->bugs, SizeIs(1));
}

RunResult RunOnce(Runner& runner, uint64_t seed) {
  RandomWalk source(seed);
  return runner.Run(source, 0);
}

ScenarioSpec Spec(const std::string& scenario, std::vector<std::string> bugs = {}) {
  return *BuiltIn().Resolve({.scenario = scenario, .bugs = std::move(bugs)});
}

TEST(RunnerTest, EqualChoicesGiveEqualTraces) {
  const Registry registry = BuiltIn();
  for (const char* name : {"mutex-counter", "dining-philosophers"}) {
    Runner first(*registry.FindScenario(name), Spec(name));
    Runner second(*registry.FindScenario(name), Spec(name));
    std::set<uint64_t> hashes;
    for (uint64_t seed = 0; seed < 50; ++seed) {
      const RunResult a = RunOnce(first, seed);
      const RunResult b = RunOnce(second, seed);
      ASSERT_EQ(a.end.trace_hash, b.end.trace_hash);
      ASSERT_EQ(a.end.steps, b.end.steps);
      hashes.insert(a.end.trace_hash);
      ReplaySource replay(first.recorded());
      const RunResult again = second.Run(replay);
      ASSERT_TRUE(again.status.ok()) << again.status;
      EXPECT_EQ(again.end.trace_hash, a.end.trace_hash);
    }
    EXPECT_GT(hashes.size(), 10u);
  }
}

TEST(RunnerTest, FindsNothingInCorrectPrograms) {
  const Registry registry = BuiltIn();
  for (const char* name : {"mutex-counter", "dining-philosophers"}) {
    Runner runner(*registry.FindScenario(name), Spec(name));
    for (uint64_t seed = 0; seed < kCleanSchedules; ++seed) {
      const RunResult result = RunOnce(runner, seed);
      ASSERT_EQ(result.end.kind, RunEndKind::kCompleted);
      ASSERT_THAT(result.findings, IsEmpty()) << result.findings[0].details;
    }
  }
}

TEST(RunnerTest, FindsTheDeadlockOfTheNaiveOrder) {
  const Registry registry = BuiltIn();
  Runner runner(*registry.FindScenario("dining-philosophers"), Spec("dining-philosophers", {"naive-order"}));
  int deadlocks = 0;
  for (uint64_t seed = 0; seed < 500; ++seed) {
    const RunResult result = RunOnce(runner, seed);
    ASSERT_FALSE(result.findings.empty());
    if (result.end.kind != RunEndKind::kDeadlock) continue;
    ++deadlocks;
    const Finding& finding = result.findings[0];
    EXPECT_EQ(finding.kind, FindingKind::kDeadlock);
    EXPECT_THAT(finding.signature, HasSubstr("deadlock: acquire fork"));
    EXPECT_THAT(finding.sites, SizeIs(3));
    EXPECT_THAT(finding.sites[0], HasSubstr("harness/catalogue/basics/dining_philosophers.cc:"));
    EXPECT_THAT(finding.details, HasSubstr("waits to acquire fork"));
  }
  EXPECT_GT(deadlocks, 5);
}

TEST(RunnerTest, EverySeedsDeadlockHasOneSignature) {
  const Registry registry = BuiltIn();
  Runner runner(*registry.FindScenario("dining-philosophers"), Spec("dining-philosophers", {"naive-order"}));
  std::set<std::string> signatures;
  for (uint64_t seed = 0; seed < 500; ++seed) {
    for (const Finding& finding : RunOnce(runner, seed).findings) {
      if (finding.kind == FindingKind::kDeadlock) signatures.insert(finding.signature);
    }
  }
  EXPECT_THAT(signatures, SizeIs(1));
}

TEST(RunnerTest, ARunAgainWithATraceShowsTheLastStepsOfTheTasks) {
  const Registry registry = BuiltIn();
  const ScenarioEntry& entry = *registry.FindScenario("dining-philosophers");
  const ScenarioSpec spec = Spec("dining-philosophers", {"naive-order"});
  Runner runner(entry, spec);
  RunResult result;
  uint64_t seed = 0;
  while (result.end.kind != RunEndKind::kDeadlock) result = RunOnce(runner, seed++);
  EXPECT_THAT(result.findings[0].details, ::testing::Not(HasSubstr("the last steps")));
  Runner tracer(entry, spec, {.scheduler = {.keep_trace = true}});
  ReplaySource replay(runner.recorded());
  const RunResult again = tracer.Run(replay);
  EXPECT_EQ(again.end.trace_hash, result.end.trace_hash);
  EXPECT_EQ(again.findings.at(0).signature, result.findings[0].signature);
  EXPECT_THAT(again.findings[0].details, HasSubstr("the last steps of these tasks:\n  step "));
  EXPECT_THAT(again.findings[0].details,
              HasSubstr("philosopher  acquire    fork 0  harness/catalogue/basics/dining_philosophers.cc:"));
}

class StoppingSource final : public ChoiceSource {
 public:
  int Choose(const ChoicePoint&) override { return kStopRun; }
  absl::Status status() const override { return absl::FailedPreconditionError("choice 0: diverged"); }
};

TEST(RunnerTest, ASourceThatStopsIsAnErrorAndNoFinding) {
  const Registry registry = BuiltIn();
  Runner runner(*registry.FindScenario("mutex-counter"), Spec("mutex-counter"));
  StoppingSource source;
  const RunResult result = runner.Run(source);
  EXPECT_EQ(result.end.kind, RunEndKind::kStopped);
  EXPECT_EQ(result.status, source.status());
  EXPECT_THAT(result.findings, IsEmpty());
  EXPECT_THAT(RunOnce(runner, 1).findings, IsEmpty());  // the runner goes on
}

// Scenarios that misbehave in one way each.
class Misbehaving : public Scenario {
 public:
  enum class How { kSpin, kLostWakeUp, kKeepLock, kUnbalanced, kStop, kEndless };
  explicit Misbehaving(How how) : how_(how) {}

  void Setup(ScenarioRun& run) override {
    sim_ = &run.sim();
    run_ = &run;
    mutex_.emplace(run.sim(), run.sim().Class("m"), "m", 7);
    queue_.emplace(run.sim(), run.sim().Class("q", {.is_event = true}), "queue", 3);
    run.sim().scheduler().Spawn("task", [this] { Act(); });
  }
  void Check(ScenarioRun& run) override { checked_ = true; }
  void Teardown() override {
    mutex_.reset();
    queue_.reset();
  }

 private:
  void Act() {
    Scheduler& scheduler = sim_->scheduler();
    switch (how_) {
      case How::kSpin:
        while (true) scheduler.Point(OperationKind::kYield, kNoObject);
      case How::kEndless:
        while (true) {
          scheduler.Point(OperationKind::kYield, kNoObject);
          scheduler.NoteProgress();
        }
      case How::kLostWakeUp: queue_->WaitUntil([] { return false; }); return;
      case How::kKeepLock: mutex_->Lock(); return;
      case How::kUnbalanced: sim_->validator().Release(sim_->context(), map_); return;
      case How::kStop:
        run_->ReportAndStop({.kind = FindingKind::kInvariant, .signature = "invariant: x", .summary = "x"});
        return;
    }
  }

  How how_;
  Simulation* sim_ = nullptr;
  ScenarioRun* run_ = nullptr;
  lockdep::LockMap map_;
  std::optional<Mutex> mutex_;
  std::optional<WaitQueue> queue_;
  bool checked_ = false;
};

RunResult RunMisbehaving(Misbehaving::How how) {
  ScenarioEntry entry;
  entry.name = "misbehaving";
  entry.make = [how] { return std::make_unique<Misbehaving>(how); };
  Runner runner(entry, {.scenario = "misbehaving"}, {.scheduler = {.steps_max = 3000, .idle_steps_max = 1000}});
  QuietSource source;
  RunResult first = runner.Run(source);
  const RunResult second = runner.Run(source);  // a runner is reusable after every end
  EXPECT_EQ(first.end.trace_hash, second.end.trace_hash);
  EXPECT_EQ(first.findings.size(), second.findings.size());
  return first;
}

TEST(RunnerTest, SpinningIsALivelock) {
  const RunResult result = RunMisbehaving(Misbehaving::How::kSpin);
  ASSERT_THAT(result.findings, SizeIs(1));
  EXPECT_EQ(result.findings[0].kind, FindingKind::kLivelock);
}

TEST(RunnerTest, TheStepLimitIsNoFinding) {
  const RunResult result = RunMisbehaving(Misbehaving::How::kEndless);
  EXPECT_EQ(result.end.kind, RunEndKind::kStepLimit);
  EXPECT_THAT(result.findings, IsEmpty());
}

TEST(RunnerTest, ALostWakeUpIsADeadlockOfEverybody) {
  const RunResult result = RunMisbehaving(Misbehaving::How::kLostWakeUp);
  ASSERT_THAT(result.findings, SizeIs(1));
  EXPECT_EQ(result.findings[0].signature, "deadlock: nobody can run: wait queue");
  EXPECT_THAT(result.findings[0].details, HasSubstr("queue 3"));
}

TEST(RunnerTest, ALockKeptAtTheEndIsALeak) {
  const RunResult result = RunMisbehaving(Misbehaving::How::kKeepLock);
  ASSERT_THAT(result.findings, SizeIs(1));
  EXPECT_EQ(result.findings[0].kind, FindingKind::kLeak);
  EXPECT_THAT(result.findings[0].sites.at(0), HasSubstr("harness/catalogue/scenario_test.cc:"));
}

TEST(RunnerTest, AnUnbalancedReleaseIsALockUsageFinding) {
  const RunResult result = RunMisbehaving(Misbehaving::How::kUnbalanced);
  ASSERT_THAT(result.findings, SizeIs(1));
  EXPECT_EQ(result.findings[0].kind, FindingKind::kLockUsage);
}

TEST(RunnerTest, AScenarioMayEndTheRunWithAFinding) {
  const RunResult result = RunMisbehaving(Misbehaving::How::kStop);
  EXPECT_EQ(result.end.kind, RunEndKind::kStopped);
  EXPECT_TRUE(result.status.ok());
  ASSERT_THAT(result.findings, SizeIs(1));
  EXPECT_EQ(result.findings[0].signature, "invariant: x");
}

}  // namespace
}  // namespace ordeal
