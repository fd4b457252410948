// B46 with one task more: a truncate has the cluster lock and wants the lock of a page, whose owner waits for the cluster lock
// behind another node's request, for which the truncate has to give the lock back. PG_fs_misc lends the page to the downconvert
// worker, but it is not the worker that the page's owner stands in the way of.
#include "harness/catalogue/ocfs2/ocfs2_scenarios.h"
#include "harness/scenario/workload_scenario.h"

namespace ordeal {

ScenarioEntry TruncateVsFillScenario() {
  ScenarioEntry entry;
  entry.name = "truncate-vs-fill";
  entry.summary = "one node truncates and reads a file that another node writes";
  entry.filesystems = {"ocfs2", "ocfs2-naive", "ocfs2-guard", "ocfs2-fs-misc"};
  entry.holes = {{"B46", "ocfs2-fs-misc", "ocfs2", "ocfs2_data_lock"}};
  return FixedWorkload(entry, R"(ordeal-workload 1
file a 8
task process 0
  truncate file 0 to 4
task process 0
  read file 0 cells [0, 8)
task process 1
  write file 0 cells [0, 2)
)",
                       {.readahead_pages = 0});
}

}  // namespace ordeal
