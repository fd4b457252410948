#include <algorithm>
#include <utility>

#include "harness/scenario/run_findings.h"
#include "harness/scenario/scenario.h"
#include "harness/sched/fair_schedule.h"

namespace ordeal {
namespace {

// So many times as many repetitions of a state are a livelock under a fair schedule: there nothing is left to bad luck.
constexpr uint32_t kFairPatience = 20;
constexpr uint64_t kFairIdlePatience = 3;

}  // namespace

bool ScenarioRun::HasBug(const std::string& id) const {
  return std::find(spec_.bugs.begin(), spec_.bugs.end(), id) != spec_.bugs.end();
}

void ScenarioRun::ReportAndStop(Finding finding) {
  Report(std::move(finding));
  stopped_ = true;
  sim_.scheduler().Stop();
}

Runner::Runner(const ScenarioEntry& entry, ScenarioSpec spec, Options options)
    : spec_(std::move(spec)),
      options_(options),
      make_(entry.make),
      sim_(options.scheduler, options.validator),
      scenario_(entry.make()) {}

Runner::~Runner() = default;

RunResult Runner::Run(ChoiceSource& source, uint64_t run) {
  choices_.Begin(&source);
  source.BeginRun(run);
  sim_.BeginRun(&choices_);
  sim_.scheduler().set_faults(spec_.faults);
  ScenarioRun scenario_run(sim_, spec_, choices_);
  scenario_->Setup(scenario_run);
  if (!scenario_run.stopped_ && !choices_.stopped()) {
    scenario_run.RunTasks();
    if (scenario_run.end_.kind == RunEndKind::kCompleted) scenario_->Check(scenario_run);
  }
  RunResult result;
  result.end = scenario_run.end_;
  Collect(scenario_run, &result);
  sim_.EndRun();
  // Locks that ended tasks still hold are only known now.
  for (const lockdep::Violation& violation : sim_.validator().violations()) {
    result.findings.push_back(ViolationFinding(violation));
    result.violations.push_back(violation);
  }
  scenario_->Teardown();
  source.EndRun(result.end.steps);
  if (choices_.stopped()) {
    result.end.kind = RunEndKind::kStopped;
    result.status = source.status();
    if (result.status.ok()) result.status = absl::CancelledError("the choice source stopped the run");
  }
  return result;
}

// What stopped the run comes first, then what the scenario's own oracles say, with what its tasks did.
void Runner::Collect(ScenarioRun& run, RunResult* result) {
  const Scheduler& scheduler = sim_.scheduler();
  switch (run.end_.kind) {
    case RunEndKind::kDeadlock: result->findings.push_back(DeadlockFinding(scheduler)); break;
    case RunEndKind::kLivelock:
      result->findings.push_back(LivelockFinding(scheduler));
      JudgeFairly(run.end_.kind, scheduler.livelock().choices_before, &result->findings.back());
      break;
    case RunEndKind::kStarvation:
      result->findings.push_back(StarvationFinding(scheduler));
      JudgeFairly(run.end_.kind, scheduler.starvation().choices_before, &result->findings.back());
      break;
    default: break;
  }
  for (Finding& finding : run.findings_) {
    const Timeline timeline{.operations = finding.operations,
                            .steps_end = run.main_trace_steps_,
                            .steps_max = finding.operations.empty() ? size_t{8} : size_t{16}};
    const std::string text = RenderTimeline(scheduler, timeline);
    if (!text.empty()) {
      finding.details += finding.operations.empty() ? "the last steps of each task:\n" : "the steps of these operations:\n";
      finding.details += text;
    }
    result->findings.push_back(std::move(finding));
  }
  for (const Retrier& retrier : scheduler.excessive_retries()) {
    result->findings.push_back(ExcessiveRetriesFinding(scheduler, retrier));
  }
}

// Repeats the run up to where its trouble began, in a world of its own, and lets it go on fairly.
void Runner::JudgeFairly(RunEndKind unfair, uint64_t choices_before, Finding* finding) {
  if (!options_.judges_fairly) return;
  ScenarioEntry entry;
  entry.make = make_;
  Options options = options_;
  options.judges_fairly = false;
  options.scheduler.keep_trace = false;
  options.scheduler.retry_repeats_max *= kFairPatience;
  options.scheduler.idle_steps_max *= kFairIdlePatience;  // the watchdog's own steps are replayed first
  Runner fair(entry, spec_, options);
  FairContinuation source(recorded(), choices_before);
  finding->details += FairVerdict(unfair, fair.Run(source).end.kind) + "\n";
}

}  // namespace ordeal
