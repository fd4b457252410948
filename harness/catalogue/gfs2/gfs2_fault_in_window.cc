// B37: the window that is faulted in between two attempts never grows beyond one page, so that a transfer begins again as often as
// its buffer has pages. No schedule makes it wrong; the count of retries shows it.
#include <utility>

#include "absl/strings/str_cat.h"
#include "harness/catalogue/gfs2/gfs2_scenarios.h"
#include "harness/scenario/workload_scenario.h"

namespace ordeal {
namespace {

constexpr uint32_t kPages = 4;

void CheckRetries(ScenarioRun& run, const WorkloadExecutor&) {
  const uint32_t retries = run.sim().scheduler().retries().of(RetryReason::kNoFault).max;
  if (retries < kPages) return;
  run.Report({.kind = FindingKind::kLivelock,
              .signature = "livelock: a transfer begins again as often as its buffer has pages",
              .summary = absl::StrCat("a transfer of ", kPages, " pages began again ", retries, " times"),
              .details = run.sim().scheduler().retries().ToString()});
}

}  // namespace

ScenarioEntry Gfs2FaultInWindowScenario() {
  ScenarioEntry entry;
  entry.name = "gfs2-fault-in-window";
  entry.summary = "a direct read of several pages into memory that is not there yet";
  entry.filesystems = {"gfs2", "gfs2-5.16"};
  entry.holes = {{"B37", "gfs2-5.16", "gfs2", "livelock: a transfer begins again"}};
  return FixedWorkload(std::move(entry), R"(ordeal-workload 1
file a 16
file b 16
task process 0
  direct-read file 0 cells [0, 16) into mapping of file 1 at 0
)",
                       {.readahead_pages = 0},
                       {&CheckRetries,
                        {ChoiceKind::kIoShort, ChoiceKind::kUserPage, ChoiceKind::kAllocation,
                         ChoiceKind::kMemoryPressure}});
}

}  // namespace ordeal
