// B47: page_mkwrite makes the page dirty after it has released the glock: a demotion in between writes nothing back, and then drops
// the page with what was stored.
#include "harness/catalogue/gfs2/gfs2_scenarios.h"
#include "harness/scenario/workload_scenario.h"

namespace ordeal {

ScenarioEntry Gfs2StoreVsRemoteReadScenario() {
  ScenarioEntry entry;
  entry.name = "gfs2-store-vs-remote-read";
  entry.summary = "a store on one node while the other one reads the page";
  entry.filesystems = {"gfs2"};
  entry.bugs = {"B47"};
  return FixedWorkload(entry, R"(ordeal-workload 1
file a 4
task process 0
  store file 0 cells [0, 1)
  store file 0 cells [1, 2)
task process 1
  read file 0 cells [0, 4)
  write file 0 cells [2, 3)
)",
                       {.readahead_pages = 0});
}

}  // namespace ordeal
