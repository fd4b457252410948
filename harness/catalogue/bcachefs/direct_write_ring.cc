// B42: direct writes each of whose buffers is a mapping of the next one's file, in a ring (the torture test of the series that
// proposed faults_disabled_mapping). Each keeps faults on its own file out until its data is written; a fault that does not
// know that its task does so waits for the next one, and they all wait for ever.
#include "harness/catalogue/bcachefs/bcachefs_scenarios.h"
#include "harness/scenario/workload_scenario.h"

namespace ordeal {

ScenarioEntry DirectWriteRingScenario() {
  ScenarioEntry entry;
  entry.name = "direct-write-ring";
  entry.summary = "three direct writes, each from a mapping of the next one's file";
  entry.filesystems = {"bcachefs-repaired", "bcachefs", "bcachefs-proposed", "vfs", "xfs"};
  entry.bugs = {"B42"};
  return FixedWorkload(entry, R"(ordeal-workload 1
file a 8
file b 8
file c 8
task process 0
  direct-write file 0 cells [0, 8) from mapping of file 1 at 0
task process 1
  direct-write file 1 cells [0, 8) from mapping of file 2 at 0
task process 2
  direct-write file 2 cells [0, 8) from mapping of file 0 at 0
)",
                       {.readahead_pages = 0});
}

}  // namespace ordeal
