// B64: two nodes that have a file cached both want to write it. One of them has to give its shared lock up first.
#include "harness/catalogue/gfs2/gfs2_scenarios.h"
#include "harness/scenario/workload_scenario.h"

namespace ordeal {

ScenarioEntry Gfs2TwoUpconvertsScenario() {
  ScenarioEntry entry;
  entry.name = "gfs2-two-upconverts";
  entry.summary = "reads and then writes of one file on both nodes";
  entry.filesystems = {"gfs2", "gfs2-5.15", "gfs2-5.16"};
  entry.bugs = {"B64"};
  return FixedWorkload(entry, R"(ordeal-workload 1
file a 4
task process 0
  read file 0 cells [0, 4)
  write file 0 cells [0, 2)
task process 1
  read file 0 cells [0, 4)
  write file 0 cells [2, 4)
)",
                       {.readahead_pages = 0});
}

}  // namespace ordeal
