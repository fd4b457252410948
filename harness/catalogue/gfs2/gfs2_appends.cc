// B65: the place of an append is found with the glock, which is then released before it is taken to write: the other node may have
// appended meanwhile, and is overwritten. As writes of the same cells at the same time either may win; as appends both must stay.
#include <utility>

#include "absl/strings/str_cat.h"
#include "harness/catalogue/gfs2/gfs2_scenarios.h"
#include "harness/scenario/workload_scenario.h"

namespace ordeal {
namespace {

void CheckPlaces(ScenarioRun& run, const WorkloadExecutor& executor) {
  const std::vector<OperationEvent>& events = executor.history().events;
  for (size_t i = 1; i < events.size(); ++i) {
    const uint32_t first = events[i - 1].operation.offset_cells;
    const uint32_t second = events[i].operation.offset_cells;
    if (first + events[i - 1].completed_cells <= second || second + events[i].completed_cells <= first) continue;
    run.Report({.kind = FindingKind::kData,
                .signature = "data: lost-write: an append over another one",
                .summary = "data: lost-write: an append lies where another one lay",
                .details = absl::StrCat(ToString(events[i - 1]), "\n", ToString(events[i]), "\n"),
                .sites = {absl::StrCat(events[i].site.file, ":", events[i].site.line)}});
  }
}

}  // namespace

ScenarioEntry Gfs2AppendsScenario() {
  ScenarioEntry entry;
  entry.name = "gfs2-appends";
  entry.summary = "appends to one file on two nodes";
  entry.filesystems = {"gfs2"};
  entry.bugs = {"B65"};
  return FixedWorkload(std::move(entry), R"(ordeal-workload 1
file a 2
task process 0
  append file 0 cells [0, 2)
task process 1
  append file 0 cells [0, 2)
)",
                       {.readahead_pages = 0}, {&CheckPlaces, {}});
}

}  // namespace ordeal
