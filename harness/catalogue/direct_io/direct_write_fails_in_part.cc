// B17b: a direct write of two blocks of which one fails. It returns an error, but the other block has changed: pages that were
// filled from it meanwhile must go all the same.
#include "harness/catalogue/direct_io/direct_io_scenarios.h"
#include "harness/scenario/workload_scenario.h"

namespace ordeal {

ScenarioEntry DirectWriteFailsInPartScenario() {
  ScenarioEntry entry;
  entry.name = "direct-write-fails-in-part";
  entry.summary = "reads while a direct write fails after some of its blocks have been written";
  entry.filesystems = {"xfs", "vfs", "vfs-2020"};
  entry.bugs = {"B17b"};
  entry.default_faults = {ChoiceKind::kIoError};
  return FixedWorkload(entry, R"(ordeal-workload 1
file a 8
task process 0
  direct-write file 0 cells [0, 8)
task process 1
  read file 0 cells [0, 8)
)");
}

}  // namespace ordeal
