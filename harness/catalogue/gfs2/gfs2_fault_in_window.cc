// B37: the window that is faulted in between two attempts never grows beyond one page, so that a transfer begins again as often as
// its buffer has pages. No schedule makes it wrong; the count of retries shows it.
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "harness/catalogue/gfs2/gfs2_scenarios.h"
#include "harness/scenario/workload_executor.h"
#include "harness/workload/workload_text.h"
#include "lockdep/support/check.h"

namespace ordeal {
namespace {

constexpr uint32_t kPages = 4;
constexpr char kWorkload[] = R"(ordeal-workload 1
file a 16
file b 16
task process 0
  direct-read file 0 cells [0, 16) into mapping of file 1 at 0
)";

class FaultInWindow final : public Scenario {
 public:
  FaultInWindow() {
    auto workload = ParseWorkload(kWorkload, "gfs2-fault-in-window");
    LD_CHECK(workload.ok(), workload.status().ToString());
    workload_ = *std::move(workload);
  }
  void Setup(ScenarioRun& run) override {
    if (!executor_.has_value()) executor_.emplace(run.sim(), run.spec(), pagecache::WorldOptions{.readahead_pages = 0});
    executor_->Begin(workload_);
  }
  void Check(ScenarioRun& run) override {
    const uint32_t retries = run.sim().scheduler().retries().of(RetryReason::kNoFault).max;
    const bool memory_stays = !run.spec().faults.Has(ChoiceKind::kUserPage);
    if (retries >= kPages && memory_stays) {
      run.Report({.kind = FindingKind::kLivelock,
                  .signature = "livelock: a transfer begins again as often as its buffer has pages",
                  .summary = absl::StrCat("a transfer of ", kPages, " pages began again ", retries, " times"),
                  .details = run.sim().scheduler().retries().ToString()});
    }
    executor_->Check(run);
  }
  void Teardown() override { executor_->End(); }

 private:
  Workload workload_;
  std::optional<WorkloadExecutor> executor_;
};

}  // namespace

ScenarioEntry Gfs2FaultInWindowScenario() {
  ScenarioEntry entry;
  entry.name = "gfs2-fault-in-window";
  entry.summary = "a direct read of several pages into memory that is not there yet";
  entry.filesystems = {"gfs2", "gfs2-5.16"};
  entry.holes = {{"B37", "gfs2-5.16", "gfs2", "livelock: a transfer begins again"}};
  entry.make = [] { return std::make_unique<FaultInWindow>(); };
  return entry;
}

}  // namespace ordeal
