// B20: two direct writes, each of a part of the same new block. Who finds the block without data zeroes the rest of it; if the
// other may be under way meanwhile, it zeroes what that has written.
#include "harness/catalogue/direct_io/direct_io_scenarios.h"
#include "harness/scenario/workload_scenario.h"

namespace ordeal {

ScenarioEntry DirectWritesOfOneBlockScenario() {
  ScenarioEntry entry;
  entry.name = "direct-writes-of-one-block";
  entry.summary = "direct writes of parts of one block that holds no data yet";
  entry.filesystems = {"xfs"};
  entry.bugs = {"B20"};
  return FixedWorkload(entry, R"(ordeal-workload 1
file a 4
task process 0
  punch-hole file 0 cells [0, 4)
  direct-write file 0 cells [0, 2)
task process 1
  direct-write file 0 cells [2, 3)
  read file 0 cells [0, 4)
task process 1
  direct-write file 0 cells [3, 4)
)");
}

}  // namespace ordeal
