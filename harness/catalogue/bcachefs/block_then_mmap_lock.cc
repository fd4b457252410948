// B74: a direct write has its file blocked and waits for mmap_lock to fault in its buffer, behind a writer of mmap_lock, which
// waits for a fault on the blocked file, which waits for the block under mmap_lock.
#include "harness/catalogue/bcachefs/bcachefs_scenarios.h"
#include "harness/scenario/workload_scenario.h"

namespace ordeal {

ScenarioEntry BlockThenMmapLockScenario() {
  ScenarioEntry entry;
  entry.name = "block-then-mmap-lock";
  entry.summary = "in one process: a direct write from a mapping, a fault on the written file, mmap and munmap";
  entry.filesystems = {"bcachefs-repaired", "bcachefs", "bcachefs-proposed", "vfs", "xfs"};
  entry.bugs = {"B74"};
  entry.holes = {{"B74", "bcachefs", "bcachefs-repaired", ""},
                 {"B74", "bcachefs-proposed", "bcachefs-repaired", ""}};
  return FixedWorkload(entry, R"(ordeal-workload 1
file a 4
file b 4
task process 0
  direct-write file 0 cells [0, 4) from mapping of file 1 at 0
task process 0
  store file 0 cells [0, 2)
task process 0
  map-unmap
)",
                       {.readahead_pages = 0});
}

}  // namespace ordeal
