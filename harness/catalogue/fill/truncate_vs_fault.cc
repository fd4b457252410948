// B08: a fault that finds its page cached takes no fill lock, so it may map the page after a truncate or punch has cleared the
// page tables and before it removes the page. It must be unmapped again with the removal. (The kernel's case is a private copy,
// which only a pass after the removal catches; the model has no private mappings and shows it with the page itself.)
#include "harness/catalogue/fill/fill_scenarios.h"
#include "harness/scenario/workload_scenario.h"

namespace ordeal {

ScenarioEntry TruncateVsFaultScenario() {
  ScenarioEntry entry;
  entry.name = "truncate-vs-fault";
  entry.summary = "a file is cut while loads map its cached pages";
  entry.filesystems = {"vfs", "vfs-2020", "xfs", "ext4", "ext4-immap"};
  entry.bugs = {"B08"};
  return FixedWorkload(entry, R"(ordeal-workload 1
file a 8
task process 0
  read file 0 cells [0, 8)
  truncate file 0 to 4
task process 1
  load file 0 cells [4, 6)
task process 2
  load file 0 cells [4, 6)
)",
                       {.readahead_pages = 0});
}

}  // namespace ordeal
