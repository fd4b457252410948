// B21: fallocate looks at i_size while an asynchronous direct write that will grow the file is in flight, and sets it from what it
// saw when the write has long set a larger one.
#include "harness/catalogue/direct_io/direct_io_scenarios.h"
#include "harness/scenario/workload_scenario.h"

namespace ordeal {

ScenarioEntry AllocateVsExtendingWriteScenario() {
  ScenarioEntry entry;
  entry.name = "allocate-vs-extending-write";
  entry.summary = "fallocate while an asynchronous direct write grows the file further";
  entry.filesystems = {"xfs", "vfs"};
  entry.bugs = {"B21"};
  return FixedWorkload(entry, R"(ordeal-workload 1
file a 4
task process 0
  async-direct-write file 0 cells [4, 12)
task process 1
  allocate file 0 cells [0, 8)
)");
}

}  // namespace ordeal
