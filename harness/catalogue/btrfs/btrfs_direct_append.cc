// B39: a direct append writes its first page and finds the second one of its source not present. The file ends already where
// all of it would end; who looks for the place again when the source is there leaves a hole. B39b: the attempt after the
// fault-in goes on under i_rwsem, which was released for it as for any other write; at the end it is released again.
#include "harness/catalogue/btrfs/btrfs_scenarios.h"
#include "harness/scenario/workload_scenario.h"

namespace ordeal {

ScenarioEntry BtrfsDirectAppendScenario() {
  ScenarioEntry entry;
  entry.name = "btrfs-direct-append";
  entry.summary = "direct appends to one file, of which one has a source that is present in part";
  entry.filesystems = {"btrfs"};
  entry.bugs = {"B39", "B39b"};
  return FixedWorkload(entry, R"(ordeal-workload 1
file a 4
file b 8
task process 0
  load file 1 cells [0, 4)
  direct-append file 0 cells [0, 8) from mapping of file 1 at 0
task process 1
  direct-append file 0 cells [0, 4)
  read file 0 cells [0, 16)
)",
                       {.readahead_pages = 0});
}

}  // namespace ordeal
