// B45: a direct write to a file of higher number than that of its buffer may have to let go of its block state for the fault. Who
// reads meanwhile brings old data back into the cache; the write must invalidate once more before it goes on.
#include "harness/catalogue/bcachefs/bcachefs_scenarios.h"
#include "harness/scenario/workload_scenario.h"

namespace ordeal {

ScenarioEntry DirectWriteLosesBlockScenario() {
  ScenarioEntry entry;
  entry.name = "direct-write-loses-block";
  entry.summary = "a direct write lets others add pages while it faults in its buffer, which is being written, too";
  entry.filesystems = {"bcachefs-repaired", "bcachefs", "bcachefs-proposed", "vfs", "xfs"};
  entry.bugs = {"B45"};
  return FixedWorkload(entry, R"(ordeal-workload 1
file a 4
file b 4
task process 0
  direct-write file 1 cells [0, 4) from mapping of file 0 at 0
task process 1
  direct-write file 0 cells [0, 4)
task process 1
  read file 1 cells [0, 4)
)",
                       {.readahead_pages = 0});
}

}  // namespace ordeal
