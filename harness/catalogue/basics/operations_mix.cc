// Everything at once: a generated workload of all operations on few files, with buffers that are mappings of the same
// files and less memory than the files have pages, so that reclaim is always at work.
#include "harness/catalogue/basics/basics_scenarios.h"
#include "harness/scenario/workload_scenario.h"

namespace ordeal {

ScenarioEntry OperationsMixScenario() {
  ScenarioEntry entry;
  entry.name = "operations-mix";
  entry.summary = "a generated mix of all operations on two files, short of memory";
  entry.filesystems = {"vfs", "vfs-2020", "xfs"};
  entry.bugs = {"B02", "B14", "B17", "B18", "B27", "B28", "B67", "B70"};
  WorkloadShape shape;
  shape.pages_per_file = 3;
  shape.tasks = 3;
  shape.processes = 2;
  shape.operations_per_task = 3;
  pagecache::WorldOptions options;
  options.memory_folios = 10;
  options.kswapd = true;
  options.fault_around = true;
  return GeneratedWorkload(entry, shape, options);
}

}  // namespace ordeal
