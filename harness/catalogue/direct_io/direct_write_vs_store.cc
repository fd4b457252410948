// B17: a store during a direct write dirties the page, which then cannot be invalidated. The old data around the store
// may win, but not silently: the mapping must remember an error.
#include "harness/catalogue/direct_io/direct_io_scenarios.h"
#include "harness/scenario/workload_scenario.h"

namespace ordeal {

ScenarioEntry DirectWriteVsStoreScenario() {
  ScenarioEntry entry;
  entry.name = "direct-write-vs-store";
  entry.summary = "a store through a mapping while a direct write replaces the block";
  entry.filesystems = {"vfs", "vfs-2020", "xfs"};
  entry.bugs = {"B17"};
  return FixedWorkload(entry, R"(ordeal-workload 1
file a 4
task process 0
  direct-write file 0 cells [0, 4)
task process 1
  store file 0 cells [1, 2)
  fsync file 0
)",
                       {.readahead_pages = 0});
}

}  // namespace ordeal
