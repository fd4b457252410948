// B09: who waited for a folio's lock must look whether it is still the file's: a truncate may have dropped it
// meanwhile, and what is stored into it is lost.
#include "harness/catalogue/fill/fill_scenarios.h"
#include "harness/scenario/workload_scenario.h"

namespace ordeal {

ScenarioEntry TruncateVsStoreScenario() {
  ScenarioEntry entry;
  entry.name = "truncate-vs-store";
  entry.summary = "stores and writes that wait for a folio while the file is cut and grows again";
  entry.filesystems = {"vfs", "vfs-2020", "xfs", "ext4", "ext4-immap"};
  entry.bugs = {"B09"};
  return FixedWorkload(entry, R"(ordeal-workload 1
file a 8
task process 0
  truncate file 0 to 1
  truncate file 0 to 8
task process 1
  store file 0 cells [0, 1)
  load file 0 cells [0, 1)
task process 2
  punch-hole file 0 cells [0, 4)
task process 0
  write file 0 cells [0, 2)
  read file 0 cells [0, 8)
)",
                       {.readahead_pages = 0});
}

}  // namespace ordeal
