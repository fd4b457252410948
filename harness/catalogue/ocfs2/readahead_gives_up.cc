// B57: a readahead does not wait for the cluster lock, but what it has asked for is granted later. If nobody remembers that nobody
// will take it, the node's worker leaves the lock to a task that is not there, and the other node waits for ever.
#include "harness/catalogue/ocfs2/ocfs2_scenarios.h"
#include "harness/scenario/workload_scenario.h"

namespace ordeal {

ScenarioEntry ReadaheadGivesUpScenario() {
  ScenarioEntry entry;
  entry.name = "readahead-gives-up";
  entry.summary = "one node reads ahead in a file that another node writes";
  entry.filesystems = {"ocfs2"};
  entry.bugs = {"B57"};
  return FixedWorkload(entry, R"(ordeal-workload 1
file a 8
file b 8
task process 0
  read file 0 cells [0, 4)
  read file 1 cells [0, 4)
  read file 1 cells [4, 8)
  fadvise-willneed file 0 cells [4, 8)
task process 1
  write file 0 cells [0, 2)
  write file 0 cells [2, 4)
)",
                       {.readahead_pages = 0});
}

}  // namespace ordeal
