// B18: a direct read looks at the device; what was written before it through the cache must be written back first.
#include "harness/catalogue/direct_io/direct_io_scenarios.h"
#include "harness/scenario/workload_scenario.h"

namespace ordeal {

ScenarioEntry WriteThenDirectReadScenario() {
  ScenarioEntry entry;
  entry.name = "write-then-direct-read";
  entry.summary = "direct reads after buffered writes and stores of the same cells";
  entry.filesystems = {"vfs", "vfs-2020", "xfs"};
  entry.bugs = {"B18"};
  return FixedWorkload(entry, R"(ordeal-workload 1
file a 8
task process 0
  write file 0 cells [0, 4)
  direct-read file 0 cells [0, 8)
task process 1
  store file 0 cells [4, 8)
  direct-read file 0 cells [0, 8)
)",
                       {.readahead_pages = 0});
}

}  // namespace ordeal
