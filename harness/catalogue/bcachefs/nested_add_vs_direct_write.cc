// B76b: two-state locks that are fair, as the review of the series asked for. A read that copies to a mapping adds again, behind
// the direct write that waits for the read to end. Without fairness nested adds never wait, and block may starve (B76).
#include "harness/catalogue/bcachefs/bcachefs_scenarios.h"
#include "harness/scenario/workload_scenario.h"

namespace ordeal {

ScenarioEntry NestedAddVsDirectWriteScenario() {
  ScenarioEntry entry;
  entry.name = "nested-add-vs-direct-write";
  entry.summary = "reads of two files, each into a mapping of the other, against direct writes of both";
  entry.filesystems = {"bcachefs-repaired", "vfs", "xfs"};
  entry.bugs = {"B76b"};
  return FixedWorkload(entry, R"(ordeal-workload 1
file a 4
file b 4
task process 0
  read file 0 cells [0, 4) into mapping of file 1 at 0
task process 1
  read file 1 cells [0, 4) into mapping of file 0 at 0
task process 2
  direct-write file 0 cells [0, 4)
task process 2
  direct-write file 1 cells [0, 4)
)",
                       {.readahead_pages = 0});
}

}  // namespace ordeal
