// B13, B13c: writes over holes that come to an end early, because their source has gone. They give back what they had reserved for
// the rest. A store through a mapping may have dirtied a page there meanwhile (B13), and pages that were seen in the cache may have
// left it (B13c).
#include "harness/catalogue/fill/fill_scenarios.h"
#include "harness/scenario/workload_scenario.h"

namespace ordeal {

ScenarioEntry ShortWriteOverHoleScenario() {
  ScenarioEntry entry;
  entry.name = "short-write-over-hole";
  entry.summary = "writes over holes from a mapping that is cut, and stores into those holes";
  entry.filesystems = {"xfs", "vfs", "ext4"};
  entry.bugs = {"B13", "B13c"};
  return FixedWorkload(entry, R"(ordeal-workload 1
file a 12
file b 12
task process 0
  punch-hole file 0 cells [0, 12)
  write file 0 cells [0, 12) from mapping of file 1 at 0
task process 1
  truncate file 1 to 1
task process 1
  load file 0 cells [4, 5)
  store file 0 cells [8, 9)
  drop-caches file 0
)",
                       {.readahead_pages = 0});
}

}  // namespace ordeal
