// B30: a copy whose source crosses into a page that is not mapped, while only its first byte is faulted in: nothing of the new page
// can be kept, and the copy begins again for ever.
#include "harness/catalogue/gfs2/gfs2_scenarios.h"
#include "harness/scenario/workload_scenario.h"

namespace ordeal {

ScenarioEntry Gfs2WriteAcrossPagesScenario() {
  ScenarioEntry entry;
  entry.name = "gfs2-write-across-pages";
  entry.summary = "a write whose second page comes from the middle of two mapped pages";
  entry.filesystems = {"gfs2"};
  entry.bugs = {"B30"};
  return FixedWorkload(entry, R"(ordeal-workload 1
file a 8
file b 8
task process 0
  write file 0 cells [2, 8) from mapping of file 1 at 0
task process 1
  write file 0 cells [0, 2)
)",
                       {.readahead_pages = 0});
}

}  // namespace ordeal
