// B52, B53, B54 [analysis]: PG_fs_misc lends a locked page to the downconvert worker while its owner waits for a cluster lock. One
// node reads and rewrites a page of a file that the other node writes: the worker must not use a page when its owner goes on (B52),
// must not leave one that the other node is about to change as up to date (B53), and must hear that it may have it (B54).
#include "harness/catalogue/ocfs2/ocfs2_scenarios.h"
#include "harness/scenario/workload_scenario.h"

namespace ordeal {

ScenarioEntry PageLentToWorkerScenario() {
  ScenarioEntry entry;
  entry.name = "page-lent-to-worker";
  entry.summary = "one node reads and rewrites pages of a file while another node writes the same page";
  entry.filesystems = {"ocfs2-fs-misc", "ocfs2", "ocfs2-guard"};
  entry.bugs = {"B52", "B53", "B54"};
  return FixedWorkload(entry, R"(ordeal-workload 1
file a 12
task process 0
  read file 0 cells [0, 4)
  write file 0 cells [2, 4)
task process 0
  read file 0 cells [4, 12)
task process 1
  write file 0 cells [0, 2)
)",
                       {.readahead_pages = 0});
}

}  // namespace ordeal
