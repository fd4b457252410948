// B04: fadvise and madvise (WILLNEED) read pages in by force; where the lock against a punch is the one that reads take around
// themselves, they come without it. B03 is the same with readahead of a read that takes no such lock (punch-hole-vs-read).
#include "harness/catalogue/fill/fill_scenarios.h"
#include "harness/scenario/workload_scenario.h"

namespace ordeal {

ScenarioEntry PunchHoleVsFadviseScenario() {
  ScenarioEntry entry;
  entry.name = "punch-hole-vs-fadvise";
  entry.summary = "a hole is punched while fadvise and madvise (WILLNEED) read the same pages in";
  entry.filesystems = {"ext4", "ext4-immap", "vfs", "vfs-2020", "xfs", "xfs-4"};
  entry.bugs = {"B01", "B04"};
  entry.holes = {{"B04", "ext4-immap", "ext4", "data: "},
                 {"B04", "xfs-4", "xfs", "data: "}};
  return FixedWorkload(entry, R"(ordeal-workload 1
file a 8
file b 4
task process 0
  punch-hole file 0 cells [0, 8)
  read file 0 cells [0, 8)
task process 1
  fadvise-willneed file 0 cells [0, 8)
task process 2
  direct-write file 1 cells [4, 8)
)",
                       {.readahead_pages = 0});
}

}  // namespace ordeal
