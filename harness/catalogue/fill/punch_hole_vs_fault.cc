// B02: as B01, but a page fault fills the page. B70: a wrapper takes the fill lock around a fault that takes it again,
// and the punch that queues in between stops both.
#include "harness/catalogue/fill/fill_scenarios.h"
#include "harness/scenario/workload_scenario.h"

namespace ordeal {

ScenarioEntry PunchHoleVsFaultScenario() {
  ScenarioEntry entry;
  entry.name = "punch-hole-vs-fault";
  entry.summary = "a hole is punched while loads through mappings fault the same pages in";
  entry.filesystems = {"vfs", "vfs-2020", "xfs", "ext4", "ext4-immap", "xfs-4"};
  entry.bugs = {"B02", "B70"};
  entry.holes = {{"B02", "vfs-2020", "vfs", "data: "}};
  return FixedWorkload(entry, R"(ordeal-workload 1
file a 8
file b 4
task process 0
  punch-hole file 0 cells [0, 8)
task process 1
  load file 0 cells [0, 4)
task process 2
  load file 0 cells [4, 8)
task process 3
  direct-write file 1 cells [4, 8)
)",
                       {.readahead_pages = 0});
}

}  // namespace ordeal
