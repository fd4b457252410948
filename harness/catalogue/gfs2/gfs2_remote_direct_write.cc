// B61: a glock that becomes deferred keeps the cached pages, and direct writes of the other node do not show.
#include "harness/catalogue/gfs2/gfs2_scenarios.h"
#include "harness/scenario/workload_scenario.h"

namespace ordeal {

ScenarioEntry Gfs2RemoteDirectWriteScenario() {
  ScenarioEntry entry;
  entry.name = "gfs2-remote-direct-write";
  entry.summary = "direct writes on one node, direct and buffered reads on the other";
  entry.filesystems = {"gfs2"};
  entry.bugs = {"B61"};
  return FixedWorkload(entry, R"(ordeal-workload 1
file a 4
task process 0
  direct-write file 0 cells [0, 4)
task process 1
  read file 0 cells [0, 4)
  direct-read file 0 cells [0, 4)
  read file 0 cells [0, 4)
  read file 0 cells [0, 4)
  read file 0 cells [0, 4)
)",
                       {.readahead_pages = 0});
}

}  // namespace ordeal
