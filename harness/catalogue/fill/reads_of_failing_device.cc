// B94, B99: reads that fail. Whoever ends a failed read must unlock its folio (B94), and who asked for it gives up with an error:
// a block that cannot be read once may never be readable, and trying it for ever helps nobody (B99).
#include "harness/catalogue/fill/fill_scenarios.h"
#include "harness/scenario/workload_scenario.h"

namespace ordeal {

ScenarioEntry ReadsOfFailingDeviceScenario() {
  ScenarioEntry entry;
  entry.name = "reads-of-failing-device";
  entry.summary = "reads and loads of a device that returns errors";
  entry.filesystems = {"vfs", "xfs", "ext4"};
  entry.bugs = {"B94", "B99"};
  entry.default_faults = {ChoiceKind::kIoError};
  return FixedWorkload(entry, R"(ordeal-workload 1
file a 8
task process 0
  read file 0 cells [0, 4)
task process 0
  read file 0 cells [2, 8)
task process 1
  load file 0 cells [4, 6)
)");
}

}  // namespace ordeal
