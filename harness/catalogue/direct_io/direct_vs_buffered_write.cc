// B25: a buffered write of a part of a page while a direct write of that page is in flight. The page is filled before the direct
// write is done and written back afterwards, with the old data around what was written. Local file systems say that data was lost
// (B17), to whoever asks; NFS keeps buffered and direct users of a file apart, so that it never happens without a mapping.
#include "harness/catalogue/direct_io/direct_io_scenarios.h"
#include "harness/scenario/workload_scenario.h"

namespace ordeal {

ScenarioEntry DirectVsBufferedWriteScenario() {
  ScenarioEntry entry;
  entry.name = "direct-vs-buffered-write";
  entry.summary = "a buffered write of a part of the page that a direct write replaces, and reads of both kinds";
  entry.filesystems = {"nfs", "vfs", "xfs", "btrfs"};
  entry.bugs = {"B25"};
  return FixedWorkload(entry, R"(ordeal-workload 1
file a 8
task process 0
  direct-write file 0 cells [0, 4)
  direct-read file 0 cells [0, 8)
task process 1
  write file 0 cells [1, 2)
  read file 0 cells [0, 8)
task process 0
  write file 0 cells [6, 7)
)",
                       {.readahead_pages = 0});
}

}  // namespace ordeal
