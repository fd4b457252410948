// B32: with page faults enabled a read or write under the glock faults on its own file and waits for itself.
#include "harness/catalogue/gfs2/gfs2_scenarios.h"
#include "harness/scenario/workload_scenario.h"

namespace ordeal {

ScenarioEntry Gfs2OwnMappingScenario() {
  ScenarioEntry entry;
  entry.name = "gfs2-own-mapping";
  entry.summary = "a write from and a read into a mapping of the same file";
  entry.filesystems = {"gfs2", "gfs2-5.15", "gfs2-5.16"};
  entry.holes = {{"B32", "gfs2-5.15", "gfs2", "deadlock: acquire glock of inode"}};
  return FixedWorkload(entry, R"(ordeal-workload 1
file a 12
task process 0
  write file 0 cells [0, 4) from mapping of file 0 at 4
task process 1
  read file 0 cells [0, 4) into mapping of file 0 at 8
)",
                       {.readahead_pages = 0});
}

}  // namespace ordeal
