// B11: a mapping of the last page reaches behind the end of file. What was stored there must not show when the file grows:
// write-back zeroes it, and so does, under the folio lock, whatever lets the file grow.
#include "harness/catalogue/fill/fill_scenarios.h"
#include "harness/scenario/workload_scenario.h"

namespace ordeal {

ScenarioEntry GrowOverStoresScenario() {
  ScenarioEntry entry;
  entry.name = "grow-over-stores";
  entry.summary = "a file grows, by truncate, write and fallocate, over what was stored behind its end";
  entry.filesystems = {"vfs", "xfs", "ext4"};
  entry.bugs = {"B11"};
  return FixedWorkload(entry, R"(ordeal-workload 1
file a 5
file b 5
task process 0
  store file 0 cells [4, 8)
  truncate file 0 to 7
  read file 0 cells [4, 8)
task process 0
  store file 1 cells [4, 8)
  write file 1 cells [9, 10)
  read file 1 cells [4, 10)
task process 1
  fsync file 0
  store file 0 cells [4, 8)
  drop-caches file 1
  allocate file 1 cells [8, 12)
)");
}

}  // namespace ordeal
