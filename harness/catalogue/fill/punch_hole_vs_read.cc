// B01: a punch drops the cached pages and frees their blocks; a buffered read that fills a page in between brings the
// old block back, and the file shows what it no longer owns. invalidate_lock is there to keep fills out.
#include "harness/catalogue/fill/fill_scenarios.h"
#include "harness/scenario/workload_scenario.h"

namespace ordeal {

ScenarioEntry PunchHoleVsReadScenario() {
  ScenarioEntry entry;
  entry.name = "punch-hole-vs-read";
  entry.summary = "a hole is punched while buffered reads fill the same pages and another file takes blocks";
  entry.filesystems = {"vfs", "vfs-2020", "xfs", "ext4", "ext4-immap", "xfs-4"};
  entry.bugs = {"B01", "B03"};
  entry.holes = {{"B01", "vfs-2020", "vfs", "data: "},
                 {"B03", "ext4-immap", "ext4", "data: "}};
  return FixedWorkload(entry, R"(ordeal-workload 1
file a 8
file b 4
task process 0
  punch-hole file 0 cells [0, 8)
task process 1
  read file 0 cells [0, 4)
task process 1
  read file 0 cells [4, 8)
task process 2
  direct-write file 1 cells [4, 8)
)",
                       {.readahead_pages = 0});
}

}  // namespace ordeal
