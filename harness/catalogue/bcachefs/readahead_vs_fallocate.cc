// B73: readahead is called with its folios locked and in the tree, and waits for the two-state lock. A punch that has it blocked
// waits for the folios.
#include "harness/catalogue/bcachefs/bcachefs_scenarios.h"
#include "harness/scenario/workload_scenario.h"

namespace ordeal {

ScenarioEntry ReadaheadVsFallocateScenario() {
  ScenarioEntry entry;
  entry.name = "readahead-vs-fallocate";
  entry.summary = "forced readahead against a punch hole and a direct write of the same range";
  entry.filesystems = {"bcachefs-repaired", "bcachefs", "bcachefs-proposed", "vfs", "xfs"};
  entry.bugs = {"B73"};
  entry.holes = {{"B73", "bcachefs", "bcachefs-repaired", ""}};
  return FixedWorkload(entry, R"(ordeal-workload 1
file a 8
task process 0
  fadvise-willneed file 0 cells [0, 8)
task process 1
  punch-hole file 0 cells [0, 4)
task process 2
  direct-write file 0 cells [4, 8)
)");
}

}  // namespace ordeal
