#include "harness/corpus/corpus_replay.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "lockdep/support/status_macros.h"

namespace ordeal {
namespace {

std::string Expected(const CorpusEntry& entry) {
  return entry.finding ? absl::StrCat("'", entry.finding->signature, "'") : std::string("no finding");
}

std::string Found(const std::vector<Finding>& findings) {
  return findings.empty() ? std::string("nothing") : absl::StrCat("'", findings[0].signature, "'");
}

bool SameFinding(const CorpusEntry& entry, const std::vector<Finding>& findings) {
  if (!entry.finding) return findings.empty();
  return !findings.empty() && findings[0].kind == entry.finding->kind &&
         findings[0].signature == entry.finding->signature;
}

void Judge(const CorpusEntry& entry, const absl::Status& replayed, ReplayOutcome* outcome) {
  if (!replayed.ok()) {
    outcome->verdict = ReplayVerdict::kDiverged;
    outcome->explanation = absl::StrCat("diverged at ", std::string(replayed.message()));
  } else if (!SameFinding(entry, outcome->findings)) {
    outcome->verdict = ReplayVerdict::kOtherFinding;
    outcome->explanation = absl::StrCat("expected ", Expected(entry), ", found ", Found(outcome->findings));
  } else if (outcome->trace_hash != entry.trace_hash || outcome->steps != entry.steps) {
    outcome->verdict = ReplayVerdict::kOtherTrace;
    outcome->explanation =
        absl::StrFormat("same finding, but trace hash 0x%016x after %d steps was recorded and the run gave 0x%016x after %d",
                        entry.trace_hash, entry.steps, outcome->trace_hash, outcome->steps);
  }
}

std::string DescribeStep(const Scheduler& scheduler, const TraceStep& step) {
  const std::string task = step.task == kNoTask
                               ? std::string("-")
                               : absl::StrCat(Index(step.task), " ", scheduler.task_name(step.task));
  std::string what(step.note);
  if (what.empty()) {
    const absl::string_view kind = OperationKindName(step.operation.kind);
    what.assign(kind.data(), kind.size());
    if (step.operation.object != kNoObject) absl::StrAppend(&what, " ", scheduler.ObjectName(step.operation.object));
  }
  return absl::StrFormat("%6d  %-20s %s", step.step, task, what);
}

}  // namespace

const char* ReplayVerdictName(ReplayVerdict verdict) {
  switch (verdict) {
    case ReplayVerdict::kSame: return "same";
    case ReplayVerdict::kDiverged: return "diverged";
    case ReplayVerdict::kOtherFinding: return "other-finding";
    case ReplayVerdict::kOtherTrace: return "other-trace";
  }
  return "unknown";
}

absl::StatusOr<ReplayOutcome> ReplayEntry(const Registry& registry, const CorpusEntry& entry, bool keep_trace) {
  ASSIGN_OR_RETURN(ScenarioSpec spec, registry.Resolve(entry.spec));
  const ScenarioEntry* scenario = registry.FindScenario(spec.scenario);
  Runner::Options options;
  options.scheduler.keep_trace = keep_trace;
  Runner runner(*scenario, std::move(spec), options);
  ReplaySource source(entry.choices);
  RunResult result = runner.Run(source);

  ReplayOutcome outcome;
  outcome.trace_hash = result.end.trace_hash;
  outcome.steps = result.end.steps;
  outcome.findings = std::move(result.findings);
  Judge(entry, source.Finished(), &outcome);
  if (keep_trace) {
    for (const TraceStep& step : runner.trace()) {
      outcome.trace.push_back(DescribeStep(runner.sim().scheduler(), step));
    }
  }
  return outcome;
}

}  // namespace ordeal
