#include "harness/campaign/confirm.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "harness/campaign/predicted_cycle.h"
#include "harness/corpus/corpus_replay.h"
#include "injectors/fault/fault_plan.h"
#include "injectors/schedule/directed.h"
#include "injectors/schedule/random_walk.h"
#include "lockdep/support/status_macros.h"

namespace ordeal {
namespace {

using lockdep::Grade;
using lockdep::Violation;

// Schedules by the directed strategy, data as recorded, faults as recorded or drawn.
class ConfirmSource final : public ChoiceSource {
 public:
  ConfirmSource(Directed* directed, absl::Span<const RecordedChoice> recorded, uint64_t seed)
      : directed_(*directed), drawn_(seed), plan_(seed, &drawn_) {
    for (const RecordedChoice& choice : recorded) {
      if (choice.kind == ChoiceKind::kSchedule) continue;
      answers_[{static_cast<int>(choice.kind), choice.task}].answers.push_back(choice);
    }
    has_recording_ = !recorded.empty();
  }

  void BeginRun(uint64_t run) override {
    directed_.BeginRun(run);
    plan_.BeginRun(run);
    for (auto& [key, queue] : answers_) queue.next = 0;
    faults_as_recorded_ = run % 2 == 0;
  }
  bool WantsCandidates() const override { return true; }

  int Choose(const ChoicePoint& point) override {
    if (point.kind == ChoiceKind::kSchedule) return directed_.Choose(point);
    if (!has_recording_ || (IsFault(point.kind) && !faults_as_recorded_)) return plan_.Choose(point);
    const auto found = answers_.find({static_cast<int>(point.kind), Index(point.task)});
    if (found == answers_.end() || found->second.next == found->second.answers.size()) return 0;
    const RecordedChoice& choice = found->second.answers[found->second.next++];
    return choice.options == point.options ? choice.answer : 0;
  }

 private:
  struct Queue {
    std::vector<RecordedChoice> answers;
    size_t next = 0;
  };
  static bool IsFault(ChoiceKind kind) {
    const absl::Span<const FaultEntry> faults = Faults();
    return std::any_of(faults.begin(), faults.end(), [kind](const FaultEntry& fault) { return fault.kind == kind; });
  }

  Directed& directed_;
  RandomWalk drawn_;
  FaultPlan plan_;
  std::map<std::pair<int, uint16_t>, Queue> answers_;  // by kind and task: what one task is asked has an order of its own
  bool has_recording_ = false;
  bool faults_as_recorded_ = true;
};

// One confirmation: the experiment, and what the runs so far have shown.
class Confirmer {
 public:
  Confirmer(const Registry& registry, ScenarioSpec spec, const Violation& violation, const ConfirmOptions& options)
      : registry_(registry),
        spec_(std::move(spec)),
        violation_(violation),
        options_(options),
        runner_(*registry.FindScenario(spec_.scenario), spec_,
                {.scheduler = {}, .validator = {.grade_online = true, .count_sites = true}}),
        cycle_(runner_.sim(), violation) {}

  absl::StatusOr<Confirmation> Run(absl::Span<const RecordedChoice> recorded) {
    RETURN_IF_ERROR(ReadGrade(recorded));
    Directed directed(runner_.sim().scheduler(), options_.seed,
                      [this](const Candidate& task) { return cycle_.StandsAtEdge(task); });
    ConfirmSource source(&directed, recorded, options_.seed);
    while (confirmation_.schedules < options_.schedules_max && !confirmation_.confirmed) {
      const uint64_t run = confirmation_.schedules++;
      const RunResult result = runner_.Run(source, run);
      RETURN_IF_ERROR(result.status);
      const Scheduler& scheduler = runner_.sim().scheduler();
      if (result.end.kind != RunEndKind::kDeadlock || !Matches(scheduler.deadlock())) continue;
      RETURN_IF_ERROR(Keep(result, run));
    }
    Conclude();
    return std::move(confirmation_);
  }

 private:
  bool Matches(const Deadlock& deadlock) {
    return PredictedCycle::Predicts(deadlock, runner_.sim().validator().classes(), violation_);
  }

  // The run that showed the violation, once more with tasks told apart.
  absl::Status ReadGrade(absl::Span<const RecordedChoice> recorded) {
    if (recorded.empty()) return absl::OkStatus();
    ReplaySource replay(recorded);
    const RunResult result = runner_.Run(replay);
    RETURN_IF_ERROR(replay.Finished());
    for (const Violation& seen : result.violations) {
      if (seen.signature != violation_.signature) continue;
      confirmation_.grade = seen.grade;
      confirmation_.reason = seen.grade_reason;
      confirmation_.instances = seen.instances;
      confirmation_.hint = seen.hint;
    }
    return absl::OkStatus();
  }

  absl::Status Keep(const RunResult& result, uint64_t run) {
    CorpusEntry entry = MakeCorpusEntry(runner_, result, {"directed", options_.seed, run});
    // With the trace kept, the replay also tells the story with its last steps.
    ASSIGN_OR_RETURN(ReplayOutcome outcome, ReplayEntry(registry_, entry, /*keep_trace=*/true));
    if (outcome.verdict != ReplayVerdict::kSame) return absl::OkStatus();  // not what others could repeat
    confirmation_.confirmed = true;
    confirmation_.deadlock = std::move(outcome.findings.front());
    confirmation_.entry = std::move(entry);
    return absl::OkStatus();
  }

  void Conclude() {
    const std::string schedules =
        absl::StrCat(confirmation_.schedules, " directed schedule", confirmation_.schedules == 1 ? "" : "s");
    if (confirmation_.confirmed) {
      confirmation_.grade = Grade::kConfirmed;
      confirmation_.reason = absl::StrCat("confirmed after ", schedules);
      return;
    }
    std::vector<std::string> reasons;
    if (confirmation_.grade == Grade::kOrder && !confirmation_.reason.empty()) reasons.push_back(confirmation_.reason);
    const std::string missing = cycle_.MissingTasks();
    if (!missing.empty()) {
      reasons.push_back(absl::StrCat("needs ", missing, ": not confirmable with this scenario's tasks"));
    }
    reasons.push_back(absl::StrCat("not reached in ", schedules));
    confirmation_.reason = absl::StrJoin(reasons, "; ");
  }

  const Registry& registry_;
  const ScenarioSpec spec_;
  const Violation& violation_;
  const ConfirmOptions options_;
  Runner runner_;
  PredictedCycle cycle_;
  Confirmation confirmation_;
};

}  // namespace

bool CanBeConfirmed(const Violation& violation) {
  if (violation.kind == lockdep::ViolationKind::kCircular) return !violation.cycle.empty();
  return violation.kind == lockdep::ViolationKind::kRecursive && !violation.conflicting.node.empty();
}

absl::StatusOr<Confirmation> Confirm(const Registry& registry, const ScenarioSpec& unresolved,
                                     absl::Span<const RecordedChoice> recorded, const Violation& violation,
                                     const ConfirmOptions& options) {
  ASSIGN_OR_RETURN(ScenarioSpec spec, registry.Resolve(unresolved));
  if (!CanBeConfirmed(violation)) {
    return absl::InvalidArgumentError(absl::StrCat("a violation of kind ", violation.KindText(), " is no lock cycle"));
  }
  return Confirmer(registry, std::move(spec), violation, options).Run(recorded);
}

absl::StatusOr<Confirmation> Confirm(const Registry& registry, const CorpusEntry& entry, const Violation& violation,
                                     const ConfirmOptions& options) {
  ASSIGN_OR_RETURN(ScenarioSpec spec, registry.Resolve(entry.spec));
  const ScenarioEntry* scenario = registry.FindScenario(spec.scenario);
  Runner runner(*scenario, std::move(spec));
  ReplaySource replay(entry.choices);  // the entry is sparse; its run has all the choices
  runner.Run(replay);
  RETURN_IF_ERROR(replay.Finished());
  return Confirm(registry, entry.spec, runner.recorded(), violation, options);
}

void ApplyConfirmation(const Confirmation& confirmation, const std::string& corpus_file, Violation* violation) {
  violation->grade = confirmation.grade;
  violation->grade_reason = confirmation.reason;
  violation->instances = confirmation.instances;
  violation->hint = confirmation.hint;
  violation->corpus_file = confirmation.confirmed ? corpus_file : std::string();
}

bool DeadlockMatches(const Deadlock& deadlock, const lockdep::LockClassTable& classes, const Violation& violation) {
  return PredictedCycle::Predicts(deadlock, classes, violation);
}

}  // namespace ordeal
