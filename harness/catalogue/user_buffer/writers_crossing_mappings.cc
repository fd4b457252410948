// B28: two writes that fault in each other's destination page under their own folio lock wait for each other.
#include "harness/catalogue/user_buffer/user_buffer_scenarios.h"
#include "harness/scenario/workload_scenario.h"

namespace ordeal {

ScenarioEntry WritersCrossingMappingsScenario() {
  ScenarioEntry entry;
  entry.name = "writers-crossing-mappings";
  entry.summary = "two writes whose sources are mappings of each other's destination";
  entry.filesystems = {"vfs", "vfs-2020", "xfs"};
  entry.bugs = {"B28"};
  return FixedWorkload(entry, R"(ordeal-workload 1
file a 4
file b 4
task process 0
  write file 0 cells [0, 4) from mapping of file 1 at 0
task process 1
  write file 1 cells [0, 4) from mapping of file 0 at 0
)",
                       {.readahead_pages = 0});
}

}  // namespace ordeal
