// B62: two nodes store to one page through mappings. Each fault takes the cluster lock, which the other node asks for at once; if
// the page is unmapped again before the store is tried, it faults again. Nothing but a minimum time with the lock ends that.
#include "harness/catalogue/ocfs2/ocfs2_scenarios.h"
#include "harness/scenario/workload_scenario.h"

namespace ordeal {

ScenarioEntry NodesStoreOnePageScenario() {
  ScenarioEntry entry;
  entry.name = "nodes-store-one-page";
  entry.summary = "two nodes store to one page through mappings";
  entry.filesystems = {"ocfs2"};
  entry.bugs = {"B62"};
  return FixedWorkload(entry, R"(ordeal-workload 1
file a 4
task process 0
  store file 0 cells [0, 1)
task process 1
  store file 0 cells [2, 3)
)",
                       {.readahead_pages = 0});
}

}  // namespace ordeal
