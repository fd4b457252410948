// B50 [analysis]: the guard of a write keeps the cluster lock of the file while the copy faults on its source, whose fill needs the
// guard of the source's file. Two nodes that write each other's source wait for each other.
#include "harness/catalogue/ocfs2/ocfs2_scenarios.h"
#include "harness/scenario/workload_scenario.h"

namespace ordeal {

ScenarioEntry GuardedCopiesCrossScenario() {
  ScenarioEntry entry;
  entry.name = "guarded-copies-cross";
  entry.summary = "two nodes write two files, each from a mapping of the other one's file";
  entry.filesystems = {"ocfs2-guard", "ocfs2", "ocfs2-atp"};
  entry.bugs = {"B50"};
  return FixedWorkload(entry, R"(ordeal-workload 1
file a 4
file b 4
task process 0
  write file 0 cells [0, 4) from mapping of file 1 at 0
task process 1
  write file 1 cells [0, 4) from mapping of file 0 at 0
)",
                       {.readahead_pages = 0});
}

}  // namespace ordeal
