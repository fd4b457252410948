// B34 on btrfs: direct I/O with a mapping of its own range as user memory. With page faults enabled the fault wants to fill
// a page of that range, and waits for its range lock (a read) or ordered extent (a write), which this very task gives up when
// the I/O is done.
#include "harness/catalogue/btrfs/btrfs_scenarios.h"
#include "harness/scenario/workload_scenario.h"

namespace ordeal {

ScenarioEntry BtrfsDirectIoOwnMappingScenario() {
  ScenarioEntry entry;
  entry.name = "btrfs-direct-io-own-mapping";
  entry.summary = "a direct read and a direct write whose user memory is a mapping of their own range";
  entry.filesystems = {"btrfs"};
  entry.bugs = {"B34"};
  return FixedWorkload(entry, R"(ordeal-workload 1
file a 8
task process 0
  direct-read file 0 cells [0, 4) into mapping of file 0 at 0
task process 1
  direct-write file 0 cells [4, 8) from mapping of file 0 at 4
)",
                       {.readahead_pages = 0});
}

}  // namespace ordeal
