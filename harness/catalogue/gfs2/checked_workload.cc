#include "harness/catalogue/gfs2/checked_workload.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "harness/workload/workload_text.h"
#include "lockdep/support/check.h"

namespace ordeal {
namespace {

class CheckedRun final : public Scenario {
 public:
  CheckedRun(Workload workload, WorkloadCheck check, FaultSet excuses)
      : workload_(std::move(workload)), check_(check), excuses_(excuses) {}
  void Setup(ScenarioRun& run) override {
    if (!executor_.has_value()) executor_.emplace(run.sim(), run.spec(), pagecache::WorldOptions{.readahead_pages = 0});
    executor_->Begin(workload_);
  }
  void Check(ScenarioRun& run) override {
    const bool excused = std::any_of(AllFaults().begin(), AllFaults().end(), [&](ChoiceKind fault) {
      return excuses_.Has(fault) && run.spec().faults.Has(fault);
    });
    if (!excused) check_(run, *executor_);
    executor_->Check(run);
  }
  void Teardown() override { executor_->End(); }

 private:
  const Workload workload_;
  const WorkloadCheck check_;
  const FaultSet excuses_;
  std::optional<WorkloadExecutor> executor_;
};

}  // namespace

ScenarioEntry CheckedWorkload(ScenarioEntry entry, absl::string_view text, WorkloadCheck check, FaultSet excuses) {
  auto workload = ParseWorkload(text, entry.name);
  LD_CHECK(workload.ok(), workload.status().ToString());
  entry.make = [workload = *std::move(workload), check, excuses] {
    return std::make_unique<CheckedRun>(workload, check, excuses);
  };
  return entry;
}

}  // namespace ordeal
