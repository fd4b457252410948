// B43: the buffer of a direct write is a mapping of the file that it writes. The write keeps faults on the file out; its own fault
// must fail (EFAULT), or it waits for itself.
#include "harness/catalogue/bcachefs/bcachefs_scenarios.h"
#include "harness/scenario/workload_scenario.h"

namespace ordeal {

ScenarioEntry DirectWriteOwnMappingScenario() {
  ScenarioEntry entry;
  entry.name = "direct-write-own-mapping";
  entry.summary = "direct writes from mappings of their own file, and reads of it";
  entry.filesystems = {"bcachefs-repaired", "bcachefs", "bcachefs-proposed", "vfs", "xfs"};
  entry.bugs = {"B43"};
  return FixedWorkload(entry, R"(ordeal-workload 1
file a 8
task process 0
  direct-write file 0 cells [0, 4) from mapping of file 0 at 4
task process 1
  load file 0 cells [0, 8)
  direct-write file 0 cells [4, 8) from mapping of file 0 at 0
task process 0
  read file 0 cells [0, 8)
)",
                       {.readahead_pages = 0});
}

}  // namespace ordeal
