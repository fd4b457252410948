// B33 on one node: two writes hold the glock of their file and fault on the other's.
#include "harness/catalogue/gfs2/gfs2_scenarios.h"
#include "harness/scenario/workload_scenario.h"

namespace ordeal {

ScenarioEntry Gfs2CrossingMappingsScenario() {
  ScenarioEntry entry;
  entry.name = "gfs2-crossing-mappings";
  entry.summary = "on one node, two writes whose sources are mappings of each other's file";
  entry.filesystems = {"gfs2", "gfs2-5.15", "gfs2-5.16"};
  entry.holes = {{"B33", "gfs2-5.15", "gfs2", "deadlock: acquire glock of inode"}};
  return FixedWorkload(entry, R"(ordeal-workload 1
file a 4
file b 4
task process 0
  write file 0 cells [0, 4) from mapping of file 1 at 0
task process 2
  write file 1 cells [0, 4) from mapping of file 0 at 0
)",
                       {.readahead_pages = 0});
}

}  // namespace ordeal
