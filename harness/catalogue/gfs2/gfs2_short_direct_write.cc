// B40: a direct write whose source is dropped by another node begins again behind what it has written. What it returns is all of
// it, not what the last attempt did. The file has the right bytes in any case: who is told less would write them again.
#include <utility>

#include "absl/strings/str_cat.h"
#include "harness/catalogue/gfs2/gfs2_scenarios.h"
#include "harness/scenario/workload_scenario.h"

namespace ordeal {
namespace {

// Nothing fails here and the source does not end, so that no write has a reason to be short.
void CheckWhole(ScenarioRun& run, const WorkloadExecutor& executor) {
  for (const OperationEvent& event : executor.history().events) {
    if (event.error != 0 || event.completed_cells == event.operation.length_cells) continue;
    run.Report({.kind = FindingKind::kData,
                .signature = "data: a write returns less than it has written",
                .summary = absl::StrCat("data: a write of ", event.operation.length_cells, " cells returns ",
                                        event.completed_cells),
                .details = absl::StrCat(ToString(event), "\n"),
                .sites = {absl::StrCat(event.site.file, ":", event.site.line)}});
  }
}

}  // namespace

ScenarioEntry Gfs2ShortDirectWriteScenario() {
  ScenarioEntry entry;
  entry.name = "gfs2-short-direct-write";
  entry.summary = "a direct write from a mapping of a file that another node writes";
  entry.filesystems = {"gfs2"};
  entry.bugs = {"B40"};
  return FixedWorkload(std::move(entry), R"(ordeal-workload 1
file a 8
file b 8
task process 0
  direct-write file 0 cells [0, 8) from mapping of file 1 at 0
task process 1
  write file 1 cells [4, 5)
)",
                       {.readahead_pages = 0},
                       {&CheckWhole,
                        {ChoiceKind::kIoShort, ChoiceKind::kUserPage, ChoiceKind::kAllocation,
                         ChoiceKind::kIoError, ChoiceKind::kDeviceFull}});
}

}  // namespace ordeal
