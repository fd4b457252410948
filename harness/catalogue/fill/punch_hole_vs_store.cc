// B05: page_mkwrite dirties a page while a punch frees its block; without the lock between them a dirty page is left
// over a hole, or over a block that is another file's by then.
#include "harness/catalogue/fill/fill_scenarios.h"
#include "harness/scenario/workload_scenario.h"

namespace ordeal {

ScenarioEntry PunchHoleVsStoreScenario() {
  ScenarioEntry entry;
  entry.name = "punch-hole-vs-store";
  entry.summary = "a hole is punched while a store faults the page in, and another file takes the block";
  entry.filesystems = {"vfs", "vfs-2020", "xfs", "ext4", "ext4-immap", "xfs-4"};
  entry.bugs = {"B05"};
  entry.holes = {{"B05", "vfs-2020", "vfs", ""}};
  return FixedWorkload(entry, R"(ordeal-workload 1
file a 8
file b 4
task process 0
  punch-hole file 0 cells [0, 8)
task process 1
  store file 0 cells [0, 2)
task process 2
  store file 0 cells [4, 5)
task process 0
  direct-write file 1 cells [4, 8)
)",
                       {.readahead_pages = 0});
}

}  // namespace ordeal
