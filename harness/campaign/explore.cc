#include "harness/campaign/explore.h"

#include <memory>
#include <utility>

#include "harness/campaign/stopwatch.h"
#include "harness/corpus/corpus_replay.h"
#include "injectors/fault/fault_plan.h"
#include "injectors/schedule/strategies.h"
#include "lockdep/support/status_macros.h"

namespace ordeal {
namespace {

constexpr uint64_t kSchedulesPerClockRead = 32;

CorpusEntry MakeEntry(const Runner& runner, const RunResult& run, const ExploreOptions& options, uint64_t number) {
  CorpusEntry entry;
  entry.spec = runner.spec();
  entry.choices = MakeSparse(runner.recorded());
  const Finding& finding = run.findings.front();
  entry.finding = ExpectedFinding{finding.kind, finding.signature, finding.summary};
  entry.steps = run.end.steps;
  entry.trace_hash = run.end.trace_hash;
  entry.found_by = {options.strategy, options.seed, number};
  return entry;
}

// Collects the findings of runs, told apart by the signature of each run's first one.
class Collector {
 public:
  Collector(const Registry& registry, const ExploreOptions& options, ExploreResult* result)
      : registry_(registry), options_(options), result_(*result) {}

  absl::Status Add(const Runner& runner, RunResult run, uint64_t number) {
    for (UniqueFinding& known : result_.findings) {
      if (known.finding.signature == run.findings.front().signature) {
        ++known.count;
        return absl::OkStatus();
      }
    }
    UniqueFinding unique;
    unique.entry = MakeEntry(runner, run, options_, number);
    unique.finding = std::move(run.findings.front());
    unique.later.assign(std::make_move_iterator(run.findings.begin() + 1), std::make_move_iterator(run.findings.end()));
    unique.first_run = number;
    unique.count = 1;
    // A finding that cannot be repeated is half a finding: know it now, not in the morning.
    // With the trace kept, the replay also tells the story with its last steps.
    ASSIGN_OR_RETURN(ReplayOutcome outcome, ReplayEntry(registry_, unique.entry, /*keep_trace=*/true));
    unique.replays = outcome.verdict == ReplayVerdict::kSame;
    unique.replay_problem = outcome.explanation;
    if (unique.replays && !outcome.findings.empty()) unique.finding = std::move(outcome.findings.front());
    result_.findings.push_back(std::move(unique));
    return absl::OkStatus();
  }

  bool full() const { return options_.findings_max != 0 && result_.findings.size() >= options_.findings_max; }

 private:
  const Registry& registry_;
  const ExploreOptions& options_;
  ExploreResult& result_;
};

}  // namespace

absl::StatusOr<ExploreResult> Explore(const Registry& registry, const ScenarioSpec& unresolved,
                                      const ExploreOptions& options, const ExploreObserver& observer) {
  ASSIGN_OR_RETURN(ScenarioSpec spec, registry.Resolve(unresolved));
  ASSIGN_OR_RETURN(const std::unique_ptr<ChoiceSource> strategy, MakeStrategy(options.strategy, options.seed));
  FaultPlan plan(options.seed, strategy.get());
  const bool any_fault = !(spec.faults == FaultSet{});
  ChoiceSource& source = any_fault ? static_cast<ChoiceSource&>(plan) : *strategy;

  ExploreResult result;
  result.spec = spec;
  result.strategy = options.strategy;
  result.seed = options.seed;
  Collector collector(registry, options, &result);
  const ScenarioEntry* scenario = registry.FindScenario(spec.scenario);
  Runner runner(*scenario, std::move(spec));
  const Stopwatch watch;
  while (options.schedules_max == 0 || result.schedules < options.schedules_max) {
    const uint64_t number = options.first_run + result.schedules;
    RunResult run = runner.Run(source, number);
    RETURN_IF_ERROR(run.status);
    ++result.schedules;
    result.steps += run.end.steps;
    result.trace_digest = (result.trace_digest ^ run.end.trace_hash) * 0xff51afd7ed558ccdu + 1;
    result.inconclusive += run.end.kind == RunEndKind::kStepLimit;
    if (!run.findings.empty()) {
      RETURN_IF_ERROR(collector.Add(runner, std::move(run), number));
      if (collector.full()) break;
    }
    if (result.schedules % kSchedulesPerClockRead != 0) continue;
    result.seconds = watch.Seconds();
    if (observer) observer(result);
    if (options.seconds_max > 0 && result.seconds >= options.seconds_max) break;
  }
  result.seconds = watch.Seconds();
  return result;
}

}  // namespace ordeal
