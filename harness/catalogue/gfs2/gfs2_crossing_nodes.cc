// B33 over two nodes: neither node alone sees the cycle.
#include "harness/catalogue/gfs2/gfs2_scenarios.h"
#include "harness/scenario/workload_scenario.h"

namespace ordeal {

ScenarioEntry Gfs2CrossingNodesScenario() {
  ScenarioEntry entry;
  entry.name = "gfs2-crossing-nodes";
  entry.summary = "on two nodes, two writes whose sources are mappings of each other's file";
  entry.filesystems = {"gfs2", "gfs2-5.15", "gfs2-5.16"};
  return FixedWorkload(entry, R"(ordeal-workload 1
file a 4
file b 4
task process 0
  write file 0 cells [0, 4) from mapping of file 1 at 0
task process 1
  write file 1 cells [0, 4) from mapping of file 0 at 0
)",
                       {.readahead_pages = 0});
}

}  // namespace ordeal
