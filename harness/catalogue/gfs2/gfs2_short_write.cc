// B38: a buffered write of two pages finds that the source of the second one has been dropped by another node. Its error path gives
// back the blocks behind what it has copied - also those that were there before and hold data.
#include "harness/catalogue/gfs2/gfs2_scenarios.h"
#include "harness/scenario/workload_scenario.h"

namespace ordeal {

ScenarioEntry Gfs2ShortWriteScenario() {
  ScenarioEntry entry;
  entry.name = "gfs2-short-write";
  entry.summary = "a write from a mapping of a file that another node writes";
  entry.filesystems = {"gfs2"};
  entry.bugs = {"B38"};
  return FixedWorkload(entry, R"(ordeal-workload 1
file a 8
file b 8
task process 0
  write file 0 cells [0, 6) from mapping of file 1 at 0
task process 1
  write file 1 cells [4, 5)
)",
                       {.readahead_pages = 0});
}

}  // namespace ordeal
