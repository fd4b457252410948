#include "harness/campaign/explore.h"

#include <memory>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "harness/campaign/cross_run.h"
#include "harness/campaign/stopwatch.h"
#include "harness/corpus/corpus_replay.h"
#include "harness/scenario/run_findings.h"
#include "injectors/fault/fail_nth.h"
#include "injectors/fault/fault_plan.h"
#include "injectors/schedule/strategies.h"
#include "lockdep/support/status_macros.h"

namespace ordeal {
namespace {

constexpr uint64_t kSchedulesPerClockRead = 32;

// Collects the findings of runs, told apart by the signature of each run's first one.
class Collector {
 public:
  Collector(const Registry& registry, const ExploreOptions& options, ExploreResult* result)
      : registry_(registry), options_(options), result_(*result) {}

  absl::Status Add(Runner& runner, RunResult run, uint64_t number) {
    for (const lockdep::Violation& violation : run.violations) {
      if (violation.kind == lockdep::ViolationKind::kCircular) shown_.insert(NodesOfCycle(violation));
    }
    for (UniqueFinding& known : result_.findings) {
      if (known.finding.signature == run.findings.front().signature) {
        ++known.count;
        return absl::OkStatus();
      }
    }
    UniqueFinding unique;
    unique.entry = MakeCorpusEntry(runner, run, {options_.strategy, options_.seed, number});
    unique.finding = std::move(run.findings.front());
    unique.violation = CycleOf(unique.finding, run.violations);
    MarkConfirmed(runner, run);
    unique.later.assign(std::make_move_iterator(run.findings.begin() + 1), std::make_move_iterator(run.findings.end()));
    unique.first_run = number;
    unique.count = 1;
    // A finding that cannot be repeated is half a finding: know it now, not in the morning.
    // With the trace kept, the replay also tells the story with its last steps.
    ASSIGN_OR_RETURN(ReplayOutcome outcome, ReplayEntry(registry_, unique.entry, /*keep_trace=*/true));
    unique.replays = outcome.verdict == ReplayVerdict::kSame;
    unique.replay_problem = outcome.explanation;
    if (unique.replays && !outcome.findings.empty()) unique.finding = std::move(outcome.findings.front());
    if (unique.replays) RETURN_IF_ERROR(ConfirmFinding(registry_, confirm_options(), &unique));
    result_.findings.push_back(std::move(unique));
    return absl::OkStatus();
  }

  bool full() const {
    if (options_.findings_max != 0 && result_.findings.size() >= options_.findings_max) return true;
    return !options_.until.empty() && !result_.findings.empty() &&
           absl::StrContains(result_.findings.back().finding.signature, options_.until);
  }

  // After the last schedule.
  absl::Status AddAcross(Runner& runner) {
    for (lockdep::Violation& violation : InversionsAcrossRuns(runner.sim().validator(), shown_)) {
      AcrossSchedules across{std::move(violation), {}, {}};
      across.finding = ViolationFinding(across.violation);
      RETURN_IF_ERROR(ConfirmAcross(registry_, result_.spec, confirm_options(), &across));
      result_.across.push_back(std::move(across));
    }
    return absl::OkStatus();
  }

 private:
  ConfirmOptions confirm_options() const { return {options_.confirm_schedules, options_.seed}; }

  // The lock cycle that the finding was made from.
  static std::optional<lockdep::Violation> CycleOf(const Finding& finding,
                                                   const std::vector<lockdep::Violation>& violations) {
    if (finding.kind != FindingKind::kLockOrder) return std::nullopt;
    for (const lockdep::Violation& violation : violations) {
      if (CanBeConfirmed(violation) && ViolationFinding(violation).signature == finding.signature) return violation;
    }
    return std::nullopt;
  }

  // A run that blocks is the confirmation of the cycles that it shows.
  static void MarkConfirmed(Runner& runner, RunResult& run) {
    if (run.end.kind != RunEndKind::kDeadlock) return;
    for (const lockdep::Violation& violation : run.violations) {
      if (!CanBeConfirmed(violation)) continue;
      if (!DeadlockMatches(runner.sim().scheduler().deadlock(), runner.sim().validator().classes(), violation)) continue;
      const std::string signature = ViolationFinding(violation).signature;
      for (Finding& finding : run.findings) {
        if (finding.signature == signature) finding.summary += " (confirmed: this run blocks on it)";
      }
    }
  }

  const Registry& registry_;
  const ExploreOptions& options_;
  ExploreResult& result_;
  std::set<CycleNodes> shown_;
};

// The finding is made again from its violation: the splat tells the grade.
void Rewrite(const lockdep::Violation& violation, Finding* finding) {
  Finding again = ViolationFinding(violation);
  finding->summary = std::move(again.summary);
  finding->details = std::move(again.details);
}

}  // namespace

absl::StatusOr<ExploreResult> Explore(const Registry& registry, const ScenarioSpec& unresolved,
                                      const ExploreOptions& options, const ExploreObserver& observer) {
  ASSIGN_OR_RETURN(ScenarioSpec spec, registry.Resolve(unresolved));
  ASSIGN_OR_RETURN(const std::unique_ptr<ChoiceSource> strategy, MakeStrategy(options.strategy, options.seed));
  FaultPlan plan(options.seed, strategy.get());
  for (const auto& [kind, probability] : options.fault_probabilities) plan.Set(kind, probability);
  FailNth fail_nth(strategy.get(), {.schedules = options.fail_nth});
  ChoiceSource* faults = spec.faults.empty() ? strategy.get() : &plan;
  if (options.fail_nth > 0) faults = &fail_nth;
  ChoiceSource& source = *faults;
  const uint64_t schedules_max = options.fail_nth > 0 ? 0 : options.schedules_max;

  ExploreResult result;
  result.spec = spec;
  result.strategy = options.strategy;
  result.seed = options.seed;
  Collector collector(registry, options, &result);
  const ScenarioEntry* scenario = registry.FindScenario(spec.scenario);
  Runner runner(*scenario, std::move(spec));
  const Stopwatch watch;
  while (!source.exhausted() && (schedules_max == 0 || result.schedules < schedules_max)) {
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
  if (options.fail_nth > 0) result.fault_coverage = fail_nth.coverage().ToString();
  if (!collector.full()) RETURN_IF_ERROR(collector.AddAcross(runner));
  result.seconds = watch.Seconds();
  return result;
}

absl::Status ConfirmFinding(const Registry& registry, const ConfirmOptions& options, UniqueFinding* found) {
  if (!found->violation.has_value() || found->confirmation.has_value() || options.schedules_max == 0) {
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(found->confirmation, Confirm(registry, found->entry, *found->violation, options));
  NameConfirmation("", found);
  return absl::OkStatus();
}

absl::Status ConfirmAcross(const Registry& registry, const ScenarioSpec& spec, const ConfirmOptions& options,
                           AcrossSchedules* across) {
  if (across->confirmation.has_value() || options.schedules_max == 0) return absl::OkStatus();
  ASSIGN_OR_RETURN(Confirmation confirmation, Confirm(registry, spec, {}, across->violation, options));
  confirmation.reason = absl::StrCat("seen across schedules; ", confirmation.reason);
  across->confirmation = std::move(confirmation);
  NameConfirmation("", across);
  return absl::OkStatus();
}

void NameConfirmation(const std::string& file, UniqueFinding* found) {
  if (!found->confirmation.has_value()) return;
  ApplyConfirmation(*found->confirmation, file, &*found->violation);
  Rewrite(*found->violation, &found->finding);
}

void NameConfirmation(const std::string& file, AcrossSchedules* across) {
  if (!across->confirmation.has_value()) return;
  ApplyConfirmation(*across->confirmation, file, &across->violation);
  Rewrite(across->violation, &across->finding);
}

}  // namespace ordeal
