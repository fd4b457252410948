// B27: write(2) whose source is a mapping of the very page it writes. Copying with faults on under the folio lock
// faults on that folio and waits for itself; copying with faults off, after faulting the source in, does not.
#include "harness/catalogue/user_buffer/user_buffer_scenarios.h"
#include "harness/scenario/workload_scenario.h"

namespace ordeal {

ScenarioEntry WriteFromOwnMappingScenario() {
  ScenarioEntry entry;
  entry.name = "write-from-own-mapping";
  entry.summary = "writes whose source is a mapping of the page that they write, or of each other's";
  entry.filesystems = {"vfs", "vfs-2020", "xfs"};
  entry.bugs = {"B27"};
  return FixedWorkload(entry, R"(ordeal-workload 1
file a 8
task process 0
  write file 0 cells [0, 4) from mapping of file 0 at 0
task process 1
  write file 0 cells [4, 8) from mapping of file 0 at 0
  load file 0 cells [4, 8)
task process 0
  map-unmap
)");
}

}  // namespace ordeal
