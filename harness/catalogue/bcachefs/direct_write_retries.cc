// B44: a fault that swaps its locks fails without having brought the page in, so the direct write tries again and finds the
// mapping blocked once more, if others keep writing to it. It is no livelock: each retry has waited for one of them to complete,
// and in a ring the lowest inode is never the one that lets go. But only who stops writing lets it on. Nothing to find here; the
// test counts retries.
#include "harness/catalogue/bcachefs/bcachefs_scenarios.h"
#include "harness/scenario/workload_scenario.h"

namespace ordeal {

ScenarioEntry DirectWriteRetriesScenario() {
  ScenarioEntry entry;
  entry.name = "direct-write-retries";
  entry.summary = "a direct write from a mapping of a file that others write directly, again and again";
  entry.filesystems = {"bcachefs-repaired", "bcachefs", "bcachefs-proposed", "vfs", "xfs"};
  return FixedWorkload(entry, R"(ordeal-workload 1
file a 4
file b 4
task process 0
  direct-write file 1 cells [0, 4) from mapping of file 0 at 0
task process 1
  direct-write file 0 cells [0, 4)
  direct-write file 0 cells [0, 4)
  direct-write file 0 cells [0, 4)
task process 2
  direct-write file 0 cells [0, 4)
  direct-write file 0 cells [0, 4)
  direct-write file 0 cells [0, 4)
)",
                       {.readahead_pages = 0});
}

}  // namespace ordeal
