// B13b: an unshare that cannot read what it should copy gives back what it had reserved, under the lock that keeps page faults out:
// it holds that lock already.
#include "harness/catalogue/fill/fill_scenarios.h"
#include "harness/scenario/workload_scenario.h"

namespace ordeal {

ScenarioEntry UnshareFailsScenario() {
  ScenarioEntry entry;
  entry.name = "unshare-fails";
  entry.summary = "an unshare of a cloned range that the device cannot read";
  entry.filesystems = {"xfs", "vfs"};
  entry.bugs = {"B13b"};
  entry.default_faults = {ChoiceKind::kIoError};
  return FixedWorkload(entry, R"(ordeal-workload 1
file a 4
file b 4
task process 0
  clone file 0 cells [0, 4) to file 1
  unshare file 1 cells [0, 4)
task process 1
  load file 1 cells [0, 1)
)");
}

}  // namespace ordeal
