#include "harness/scenario/workload_scenario.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "harness/workload/workload_text.h"
#include "lockdep/support/check.h"

namespace ordeal {
namespace {

class WorkloadScenario : public Scenario {
 public:
  explicit WorkloadScenario(pagecache::WorldOptions options, WorkloadCheck check = {}) : options_(options), check_(check) {}

  void Setup(ScenarioRun& run) override {
    began_ = false;
    if (!executor_.has_value()) executor_.emplace(run.sim(), run.spec(), options_);
    if (!Prepare(run.choices(), &workload_)) return;  // the choice source stopped the run
    executor_->Begin(workload_);
    began_ = true;
  }
  void Check(ScenarioRun& run) override {
    const bool excused = std::any_of(AllFaults().begin(), AllFaults().end(), [&](ChoiceKind fault) {
      return check_.excuses.Has(fault) && run.spec().faults.Has(fault);
    });
    if (check_.check != nullptr && !excused && !executor_->world().AnyNodeIsDead()) check_.check(run, *executor_);
    executor_->Check(run);
  }
  void Teardown() override {
    if (began_) executor_->End();
  }

 private:
  // The workload of this run; false if there is none.
  virtual bool Prepare(ChoiceRecorder& choices, Workload* workload) = 0;

  const pagecache::WorldOptions options_;
  const WorkloadCheck check_;
  std::optional<WorkloadExecutor> executor_;
  Workload workload_;
  bool began_ = false;
};

class FixedWorkloadScenario final : public WorkloadScenario {
 public:
  FixedWorkloadScenario(Workload workload, pagecache::WorldOptions options, WorkloadCheck check)
      : WorkloadScenario(options, check), fixed_(std::move(workload)) {}

 private:
  bool Prepare(ChoiceRecorder&, Workload* workload) override {
    if (workload->tasks.empty()) *workload = fixed_;
    return true;
  }

  const Workload fixed_;
};

class GeneratedWorkloadScenario final : public WorkloadScenario {
 public:
  GeneratedWorkloadScenario(WorkloadShape shape, pagecache::WorldOptions options)
      : WorkloadScenario(options), shape_(std::move(shape)) {}

 private:
  bool Prepare(ChoiceRecorder& choices, Workload* workload) override {
    absl::StatusOr<Workload> generated = GenerateWorkload(shape_, choices);
    if (choices.stopped()) return false;
    LD_CHECK(generated.ok(), generated.status().ToString());
    *workload = *std::move(generated);
    return true;
  }

  const WorkloadShape shape_;
};

}  // namespace

ScenarioEntry FixedWorkload(ScenarioEntry entry, absl::string_view text, pagecache::WorldOptions options,
                            WorkloadCheck check) {
  const absl::StatusOr<Workload> workload = ParseWorkload(text, entry.name);
  LD_CHECK(workload.ok(), workload.status().ToString());
  entry.make = [workload = *workload, options, check] {
    return std::make_unique<FixedWorkloadScenario>(workload, options, check);
  };
  return entry;
}

ScenarioEntry GeneratedWorkload(ScenarioEntry entry, WorkloadShape shape, pagecache::WorldOptions options) {
  entry.make = [shape = std::move(shape), options] {
    return std::make_unique<GeneratedWorkloadScenario>(shape, options);
  };
  return entry;
}

}  // namespace ordeal
