#include <algorithm>
#include <utility>

#include "harness/scenario/run_findings.h"
#include "harness/scenario/scenario.h"

namespace ordeal {

bool ScenarioRun::HasBug(const std::string& id) const {
  return std::find(spec_.bugs.begin(), spec_.bugs.end(), id) != spec_.bugs.end();
}

void ScenarioRun::ReportAndStop(Finding finding) {
  Report(std::move(finding));
  stopped_ = true;
  sim_.scheduler().Stop();
}

Runner::Runner(const ScenarioEntry& entry, ScenarioSpec spec, Options options)
    : spec_(std::move(spec)), sim_(options.scheduler, options.validator), scenario_(entry.make()) {}

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

// What stopped the run comes first, then what the scenario's own oracles say.
void Runner::Collect(ScenarioRun& run, RunResult* result) {
  if (run.end_.kind == RunEndKind::kDeadlock) result->findings.push_back(DeadlockFinding(sim_.scheduler()));
  if (run.end_.kind == RunEndKind::kLivelock) result->findings.push_back(LivelockFinding(sim_.scheduler()));
  for (Finding& finding : run.findings_) result->findings.push_back(std::move(finding));
}

}  // namespace ordeal
