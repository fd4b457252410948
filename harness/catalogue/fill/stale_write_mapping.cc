// B12: a write looks up its extents, then faults in its source. Meanwhile older data of the same page is written back, so that its
// extent has a block with data, and the page is dropped. Who goes by what was looked up finds the new folio of that page nothing
// but zeros, and writes them.
#include "harness/catalogue/fill/fill_scenarios.h"
#include "harness/scenario/workload_scenario.h"

namespace ordeal {

ScenarioEntry StaleWriteMappingScenario() {
  ScenarioEntry entry;
  entry.name = "stale-write-mapping";
  entry.summary = "a write of a part of a page while the rest of it is written back and dropped from the cache";
  entry.filesystems = {"xfs", "vfs", "ext4"};
  entry.bugs = {"B12"};
  return FixedWorkload(entry, R"(ordeal-workload 1
file a 4
file b 4
task process 0
  punch-hole file 0 cells [0, 4)
  store file 0 cells [0, 1)
  fsync file 0
  drop-caches file 0
task process 1
  write file 0 cells [2, 3) from mapping of file 1 at 0
)",
                       {.readahead_pages = 0});
}

}  // namespace ordeal
