// B22: a clone shares a block to which an asynchronous direct write is in flight: the write, which mapped the block before, changes
// the clone as well. A read of the clone in between leaves the snapshot in the cache, which the device then contradicts.
#include "harness/catalogue/direct_io/direct_io_scenarios.h"
#include "harness/scenario/workload_scenario.h"

namespace ordeal {

ScenarioEntry CloneVsDirectWriteScenario() {
  ScenarioEntry entry;
  entry.name = "clone-vs-direct-write";
  entry.summary = "a clone, and a read of it, while an asynchronous direct write to its source is in flight";
  entry.filesystems = {"xfs", "vfs"};
  entry.bugs = {"B22"};
  entry.default_faults = {ChoiceKind::kIoDelay};  // the write must last longer than the clone
  return FixedWorkload(entry, R"(ordeal-workload 1
file a 4
file b 4
task process 0
  async-direct-write file 0 cells [0, 4)
task process 1
  clone file 0 cells [0, 4) to file 1
  read file 1 cells [0, 4)
)");
}

}  // namespace ordeal
