// B51: two readers of one node find the same page missing. The second one finds it read when its guard is there, and leaves early:
// a guard that it forgets keeps the cluster lock in use, and the other node waits for it for ever.
#include "harness/catalogue/ocfs2/ocfs2_scenarios.h"
#include "harness/scenario/workload_scenario.h"

namespace ordeal {

ScenarioEntry ReadersRaceToFillScenario() {
  ScenarioEntry entry;
  entry.name = "readers-race-to-fill";
  entry.summary = "two readers of one node fill the same page while another node writes it";
  entry.filesystems = {"ocfs2-guard", "ocfs2", "ocfs2-atp"};
  entry.bugs = {"B51"};
  return FixedWorkload(entry, R"(ordeal-workload 1
file a 4
task process 0
  read file 0 cells [0, 4)
task process 0
  read file 0 cells [0, 4)
task process 1
  write file 0 cells [0, 2)
)",
                       {.readahead_pages = 0});
}

}  // namespace ordeal
