// B16: a direct write into a hole becomes readable when its extent is converted. Invalidating before that lets a read
// cache the zeros of the unwritten extent.
#include "harness/catalogue/direct_io/direct_io_scenarios.h"
#include "harness/scenario/workload_scenario.h"

namespace ordeal {

ScenarioEntry DirectWriteIntoHoleScenario() {
  ScenarioEntry entry;
  entry.name = "direct-write-into-hole";
  entry.summary = "buffered reads while a direct write fills a hole";
  entry.filesystems = {"vfs", "vfs-2020", "xfs"};
  entry.bugs = {"B16"};
  return FixedWorkload(entry, R"(ordeal-workload 1
file a 8
task process 0
  punch-hole file 0 cells [0, 8)
  direct-write file 0 cells [0, 8)
task process 1
  read file 0 cells [0, 4)
  drop-caches file 0
  read file 0 cells [0, 4)
task process 2
  drop-caches file 0
  read file 0 cells [4, 8)
)",
                       {.readahead_pages = 0});
}

}  // namespace ordeal
