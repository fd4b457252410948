// B14: a direct write invalidates the cache before it writes; a buffered read that fills a page from the old block in
// between leaves it in the cache, unless the write invalidates once more when it is done. B24: or unless the read waits for the
// write, whose range is locked or has an ordered extent until then.
#include "harness/catalogue/direct_io/direct_io_scenarios.h"
#include "harness/scenario/workload_scenario.h"

namespace ordeal {

ScenarioEntry DirectWriteVsReadScenario() {
  ScenarioEntry entry;
  entry.name = "direct-write-vs-read";
  entry.summary = "buffered reads fill pages while a direct write replaces their blocks";
  entry.filesystems = {"vfs", "vfs-2020", "xfs", "btrfs"};
  entry.bugs = {"B14", "B24"};
  return FixedWorkload(entry, R"(ordeal-workload 1
file a 8
task process 0
  direct-write file 0 cells [0, 8)
task process 1
  read file 0 cells [0, 4)
task process 2
  read file 0 cells [4, 8)
)",
                       {.readahead_pages = 0});
}

}  // namespace ordeal
