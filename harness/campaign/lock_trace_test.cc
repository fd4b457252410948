// Goal: the trace of a run says what the run did: the validator finds in it what it found online.
// Method: runs of lock scripts and of the shipped scenarios, recorded, written, read back and played.
#include "harness/campaign/lock_script_for_test.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "harness/campaign/lock_trace.h"
#include "harness/catalogue/catalogue.h"
#include "injectors/schedule/random_walk.h"
#include "lockdep/trace/player.h"
#include "lockdep/trace/trace_reader.h"

namespace ordeal {
namespace {

using lockdep::EventOp;
using lockdep::LockEvent;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

struct Recorded {
  RunResult result;
  lockdep::Trace trace;
};

Recorded Record(const ScenarioEntry& entry, ChoiceSource& source, ScenarioSpec spec = {}) {
  spec.scenario = entry.name;
  Runner runner(entry, std::move(spec), {.scheduler = {.keep_trace = true}, .validator = {}});
  LockTraceRecorder recorder(runner.sim());
  Recorded recorded{runner.Run(source), {}};
  recorded.trace = recorder.Take();
  return recorded;
}

std::set<std::string> CyclesOf(const std::vector<lockdep::Violation>& violations) {
  std::set<std::string> signatures;
  for (const lockdep::Violation& violation : violations) {
    if (violation.kind == lockdep::ViolationKind::kCircular) signatures.insert(violation.signature);
  }
  return signatures;
}

std::set<std::string> CyclesOf(const lockdep::Trace& trace) {
  lockdep::Validator validator;
  lockdep::Player player(&trace.symbols, &validator);
  for (const LockEvent& event : trace.events) player.Play(event);
  player.Finish();
  return CyclesOf(validator.violations());
}

// "second acquire A": without declarations, forks and exits.
std::vector<std::string> LockEvents(const lockdep::Trace& trace) {
  std::vector<std::string> lines;
  for (const LockEvent& event : trace.events) {
    if (lockdep::ObjectOf(event.op) != lockdep::ObjectKind::kLock) continue;
    lines.push_back(trace.symbols.role(event.task) + " " + lockdep::EventOpName(event.op) + " " +
                    trace.symbols.lock_name(event.object));
  }
  return lines;
}

TEST(LockTraceTest, CalmRunIsItsProgram) {
  QuietSource quiet;
  const Recorded recorded = Record(LockScript("calm", {{"one", "+A ~B -B -A"}, {"two", "+B -B"}}), quiet);
  EXPECT_THAT(LockEvents(recorded.trace),
              ElementsAre("one acquire A", "one acquire B", "one release B", "one release A", "two acquire B", "two release B"));
  EXPECT_EQ(recorded.trace.events.front().op, EventOp::kFork);
  std::vector<LockEvent> shared;
  for (const LockEvent& event : recorded.trace.events) {
    if (event.op == EventOp::kAcquire && event.mode == lockdep::Mode::kShared) shared.push_back(event);
  }
  ASSERT_THAT(shared, SizeIs(1));
  EXPECT_THAT(recorded.trace.symbols.SiteText(shared[0].site), ::testing::HasSubstr("lock_script_for_test.h:"));
}

// Whatever the schedule, a lock has one owner at a time in the trace, and its cycles are the run's.
TEST(LockTraceTest, SchedulesGiveConsistentTracesWithTheSameCycles) {
  const ScenarioEntry ring = LockRing("ring", 3, 2);
  const ScenarioEntry clean = LockScript("clean", {{"one", "+A +B -A -B"}, {"two", "+A +B -B -A"}, {"three", "+B -B +A -A"}});
  std::set<std::string> seen;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    for (const ScenarioEntry& entry : {ring, clean}) {
      RandomWalk walk(seed);
      const Recorded recorded = Record(entry, walk);
      EXPECT_EQ(CyclesOf(recorded.trace), CyclesOf(recorded.result.violations)) << entry.name << " seed " << seed;
      seen.merge(CyclesOf(recorded.trace));
      std::map<uint32_t, uint32_t> owner;
      for (const LockEvent& event : recorded.trace.events) {
        if (event.op == EventOp::kAcquire) {
          ASSERT_EQ(owner.count(event.object), 0u) << entry.name << " seed " << seed;
          owner[event.object] = event.task;
        } else if (event.op == EventOp::kRelease) {
          ASSERT_EQ(owner.count(event.object), 1u);
          owner.erase(event.object);
        }
      }
    }
  }
  EXPECT_THAT(seen, ElementsAre("circular: L0 > L1 > L2"));
}

TEST(LockTraceTest, DeadlockedRunEndsWithOpenRequests) {
  const ScenarioEntry abba = LockScript("abba", {{"one", "+A +B -B -A"}, {"two", "+B +A -A -B"}});
  for (uint64_t seed = 0;; ++seed) {
    ASSERT_LT(seed, 1000u);
    RandomWalk walk(seed);
    const Recorded recorded = Record(abba, walk);
    if (recorded.result.end.kind != RunEndKind::kDeadlock) continue;
    std::map<uint32_t, int> open;
    for (const LockEvent& event : recorded.trace.events) {
      if (event.op == EventOp::kRequest) ++open[event.task];
      if (event.op == EventOp::kRelease) open.clear();
    }
    EXPECT_EQ(open.size(), 2u) << lockdep::FormatTrace(recorded.trace);
    return;
  }
}

TEST(LockTraceTest, TextOfShippedScenariosReadsBackEqual) {
  const Registry registry = BuiltIn();
  for (const char* name : {"dining-philosophers", "punch-hole-vs-read", "operations-mix"}) {
    const ScenarioSpec spec = *registry.Resolve({.scenario = name});
    for (uint64_t seed = 0; seed < 5; ++seed) {
      RandomWalk walk(seed);
      const Recorded recorded = Record(*registry.FindScenario(name), walk, spec);
      const std::string text = lockdep::FormatTrace(recorded.trace);
      const auto again = lockdep::ParseTrace(text, lockdep::TraceFormat::kOwn);
      ASSERT_TRUE(again.ok()) << again.status();
      EXPECT_EQ(lockdep::FormatTrace(*again), text) << name;
      EXPECT_EQ(CyclesOf(*again), CyclesOf(recorded.result.violations)) << name;
    }
  }
}

}  // namespace
}  // namespace ordeal
