// B35: a direct write of a page onto itself invalidates the source that it has just faulted in. It has to give up and write
// buffered; 5.16 did not.
#include "harness/catalogue/gfs2/gfs2_scenarios.h"
#include "harness/scenario/workload_scenario.h"

namespace ordeal {

ScenarioEntry Gfs2DirectWriteOwnMappingScenario() {
  ScenarioEntry entry;
  entry.name = "gfs2-direct-write-own-mapping";
  entry.summary = "a direct write of a page from a mapping of that page";
  entry.filesystems = {"gfs2", "gfs2-5.16"};
  entry.bugs = {"B35"};
  entry.holes = {{"B35", "gfs2-5.16", "gfs2", "livelock"}};
  return FixedWorkload(entry, R"(ordeal-workload 1
file a 8
task process 0
  direct-write file 0 cells [0, 8) from mapping of file 0 at 0
task process 1
  read file 0 cells [4, 8)
)",
                       {.readahead_pages = 0});
}

}  // namespace ordeal
