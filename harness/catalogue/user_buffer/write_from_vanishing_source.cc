// B31: the source page of a write was faulted in but is gone when it is copied. The destination, filled in part, must
// not pass for up to date.
#include "harness/catalogue/user_buffer/user_buffer_scenarios.h"
#include "harness/scenario/workload_scenario.h"

namespace ordeal {

ScenarioEntry WriteFromVanishingSourceScenario() {
  ScenarioEntry entry;
  entry.name = "write-from-vanishing-source";
  entry.summary = "writes from a mapping that is cut and dropped from the cache meanwhile";
  entry.filesystems = {"vfs", "vfs-2020", "xfs"};
  entry.bugs = {"B31"};
  return FixedWorkload(entry, R"(ordeal-workload 1
file a 8
file b 8
task process 0
  write file 1 cells [0, 4) from mapping of file 0 at 0
task process 0
  write file 1 cells [4, 8) from mapping of file 0 at 4
task process 1
  truncate file 0 to 5
  drop-caches file 0
task process 2
  drop-caches file 0
  punch-hole file 0 cells [0, 8)
)",
                       {.readahead_pages = 0});
}

}  // namespace ordeal
