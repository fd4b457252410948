// B74c: get_user_pages without leave to fault still waits for mmap_lock, with the glock held; a fault has mmap_lock and waits for
// the glock, and a third task only has to queue for mmap_lock in between.
#include "harness/catalogue/gfs2/gfs2_scenarios.h"
#include "harness/scenario/workload_scenario.h"

namespace ordeal {

ScenarioEntry Gfs2DirectWriteVsMmapScenario() {
  ScenarioEntry entry;
  entry.name = "gfs2-direct-write-vs-mmap";
  entry.summary = "one process: a direct write from a mapping, a load of its file, and mmap";
  entry.filesystems = {"gfs2"};
  entry.bugs = {"B74c"};
  return FixedWorkload(entry, R"(ordeal-workload 1
file a 4
file b 4
task process 0
  direct-write file 0 cells [0, 4) from mapping of file 1 at 0
task process 0
  load file 0 cells [0, 4)
task process 0
  map-unmap
)",
                       {.readahead_pages = 0});
}

}  // namespace ordeal
