// Replay of entries recorded from a tiny scenario: two tasks take two mutexes in opposite orders.
#include "harness/corpus/corpus_replay.h"

#include <memory>
#include <optional>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "harness/sync/mutex.h"
#include "injectors/schedule/random_walk.h"

namespace ordeal {
namespace {

using ::testing::HasSubstr;

class TwoLocks : public Scenario {
 public:
  void Setup(ScenarioRun& run) override {
    Simulation& sim = run.sim();
    a_.emplace(sim, sim.Class("A"), "A");
    b_.emplace(sim, sim.Class("B"), "B");
    sim.scheduler().Spawn("forward", [this] { Nest(*a_, *b_); });
    sim.scheduler().Spawn("backward", [this] { Nest(*b_, *a_); });
  }
  void Teardown() override {
    a_.reset();
    b_.reset();
  }

 private:
  static void Nest(Mutex& outer, Mutex& inner) {
    outer.Lock();
    inner.Lock();
    inner.Unlock();
    outer.Unlock();
  }
  std::optional<Mutex> a_, b_;
};

Registry TestRegistry() {
  Registry registry;
  ScenarioEntry entry;
  entry.name = "two-locks";
  entry.make = [] { return std::make_unique<TwoLocks>(); };
  registry.Add(std::move(entry));
  return registry;
}

// The first deadlock of the random walk, as an entry.
CorpusEntry RecordDeadlock(const Registry& registry) {
  Runner runner(*registry.FindScenario("two-locks"), {"two-locks", "", {}, {}});
  RandomWalk source(1);
  for (uint64_t run = 0; run < 1000; ++run) {
    const RunResult result = runner.Run(source, run);
    if (result.end.kind != RunEndKind::kDeadlock) continue;
    CorpusEntry entry;
    entry.spec = runner.spec();
    entry.choices = MakeSparse(runner.recorded(), 4);
    entry.finding = ExpectedFinding{result.findings[0].kind, result.findings[0].signature, result.findings[0].summary};
    entry.steps = result.end.steps;
    entry.trace_hash = result.end.trace_hash;
    return entry;
  }
  ADD_FAILURE() << "no deadlock in 1000 runs";
  return {};
}

class CorpusReplayTest : public ::testing::Test {
 protected:
  const Registry registry_ = TestRegistry();
  CorpusEntry entry_ = RecordDeadlock(registry_);

  ReplayOutcome Replay(bool keep_trace = false) {
    auto outcome = ReplayEntry(registry_, entry_, keep_trace);
    EXPECT_TRUE(outcome.ok()) << outcome.status();
    return *outcome;
  }
};

TEST_F(CorpusReplayTest, SavedRunIsRepeatedExactly) {
  const ReplayOutcome outcome = Replay();
  EXPECT_EQ(outcome.verdict, ReplayVerdict::kSame) << outcome.explanation;
  EXPECT_EQ(outcome.explanation, "");
  EXPECT_EQ(outcome.trace_hash, entry_.trace_hash);
}

TEST_F(CorpusReplayTest, EntryStillReplaysAfterAFileRoundTrip) {
  const auto again = ParseCorpusEntry(FormatCorpusEntry(entry_), "f");
  ASSERT_TRUE(again.ok()) << again.status();
  entry_ = *again;
  EXPECT_EQ(Replay().verdict, ReplayVerdict::kSame);
}

TEST_F(CorpusReplayTest, TraceDoesNotChangeTheRun) {
  const ReplayOutcome outcome = Replay(true);
  EXPECT_EQ(outcome.verdict, ReplayVerdict::kSame);
  ASSERT_FALSE(outcome.trace.empty());
  EXPECT_THAT(outcome.trace[0], HasSubstr("acquire"));
}

TEST_F(CorpusReplayTest, MissingChoiceIsADivergenceThatNamesIt) {
  ASSERT_FALSE(entry_.choices.deviations.empty());
  entry_.choices.deviations[0].choice.object += 1;
  const ReplayOutcome outcome = Replay();
  EXPECT_EQ(outcome.verdict, ReplayVerdict::kDiverged);
  EXPECT_THAT(outcome.explanation, HasSubstr("diverged at choice"));
}

TEST_F(CorpusReplayTest, OtherSignatureIsAnotherFinding) {
  entry_.finding->signature = "deadlock: something else";
  const ReplayOutcome outcome = Replay();
  EXPECT_EQ(outcome.verdict, ReplayVerdict::kOtherFinding);
  EXPECT_THAT(outcome.explanation, HasSubstr("expected 'deadlock: something else', found '"));
}

TEST_F(CorpusReplayTest, ExpectingNothingFailsWhenSomethingIsFound) {
  entry_.finding.reset();
  EXPECT_EQ(Replay().verdict, ReplayVerdict::kOtherFinding);
}

TEST_F(CorpusReplayTest, OtherTraceHashIsNoticed) {
  entry_.trace_hash ^= 1;
  EXPECT_EQ(Replay().verdict, ReplayVerdict::kOtherTrace);
}

TEST_F(CorpusReplayTest, UnknownScenarioIsAnError) {
  entry_.spec.scenario = "two-lock";
  EXPECT_EQ(ReplayEntry(registry_, entry_).status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace ordeal
