// B42b: remap blocks two mappings, in order. A read of the one that is blocked last holds add of it, and its copyout waits to add
// to the one that is blocked already. It also drains direct I/O with both blocked, which may be about to add to the other one.
#include "harness/catalogue/bcachefs/bcachefs_scenarios.h"
#include "harness/scenario/workload_scenario.h"

namespace ordeal {

ScenarioEntry RemapVsReadIntoMappingScenario() {
  ScenarioEntry entry;
  entry.name = "remap-vs-read-into-mapping";
  entry.summary = "a dedupe of two files against reads of each into a mapping of the other";
  entry.filesystems = {"bcachefs-repaired", "bcachefs", "bcachefs-proposed", "vfs", "xfs"};
  entry.bugs = {"B42b"};
  entry.holes = {{"B42b", "bcachefs", "bcachefs-repaired", "deadlock: "}};
  return FixedWorkload(entry, R"(ordeal-workload 1
file a 4
file b 4
task process 0
  dedupe file 0 cells [0, 4) against file 1
task process 1
  read file 1 cells [0, 4) into mapping of file 0 at 0
task process 2
  read file 0 cells [0, 4) into mapping of file 1 at 0
)",
                       {.readahead_pages = 0});
}

}  // namespace ordeal
