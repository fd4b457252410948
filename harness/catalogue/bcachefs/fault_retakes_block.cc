// B74b: the fault of a direct write, in the wrong order, swaps its locks under mmap_lock: to take its block back it waits for a
// read of the file, whose copyout waits for mmap_lock behind a writer, who waits for the fault.
#include "harness/catalogue/bcachefs/bcachefs_scenarios.h"
#include "harness/scenario/workload_scenario.h"

namespace ordeal {

ScenarioEntry FaultRetakesBlockScenario() {
  ScenarioEntry entry;
  entry.name = "fault-retakes-block";
  entry.summary = "in one process: a direct write from a mapping, a read of the written file into it, mmap and munmap";
  entry.filesystems = {"bcachefs-repaired", "bcachefs", "bcachefs-proposed", "vfs", "xfs"};
  entry.bugs = {"B74b"};
  entry.holes = {{"B74b", "bcachefs", "bcachefs-repaired", ""},
                 {"B74b", "bcachefs-proposed", "bcachefs-repaired", ""}};
  return FixedWorkload(entry, R"(ordeal-workload 1
file a 8
file b 4
task process 0
  direct-write file 1 cells [0, 4) from mapping of file 0 at 0
task process 1
  direct-write file 0 cells [0, 4)
task process 0
  read file 1 cells [0, 4) into mapping of file 0 at 4
task process 0
  map-unmap
)",
                       {.readahead_pages = 0});
}

}  // namespace ordeal
