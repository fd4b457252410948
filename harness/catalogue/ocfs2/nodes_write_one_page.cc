// Two nodes read and write the same page, so that the cluster lock goes to and fro: whoever finds it taken must get it in the end,
// and see what the other one wrote.
#include "harness/catalogue/ocfs2/ocfs2_scenarios.h"
#include "harness/scenario/workload_scenario.h"

namespace ordeal {

ScenarioEntry NodesWriteOnePageScenario() {
  ScenarioEntry entry;
  entry.name = "nodes-write-one-page";
  entry.summary = "two nodes read and write one page of one file";
  entry.filesystems = {"ocfs2", "ocfs2-guard", "ocfs2-atp", "ocfs2-fs-misc"};
  return FixedWorkload(entry, R"(ordeal-workload 1
file a 4
task process 0
  read file 0 cells [0, 4)
task process 1
  write file 0 cells [2, 4)
  read file 0 cells [0, 4)
)",
                       {.readahead_pages = 0});
}

}  // namespace ordeal
