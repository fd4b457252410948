// B67: two operations lock the same two inodes. With one order for all callers nothing can happen; taken in the order
// of the arguments, two of them in opposite directions wait for each other. One lock class with subclasses hides it
// from a validator of classes; the wait-for graph sees it.
#include "harness/catalogue/lock_order/lock_order_scenarios.h"
#include "harness/scenario/workload_scenario.h"

namespace ordeal {

ScenarioEntry TwoInodeLockScenario() {
  ScenarioEntry entry;
  entry.name = "two-inode-lock";
  entry.summary = "two dedupes of the same two files in opposite directions";
  entry.filesystems = {"vfs", "vfs-2020", "xfs"};
  entry.bugs = {"B67"};
  return FixedWorkload(entry, R"(ordeal-workload 1
file a 4
file b 4
task process 0
  dedupe file 0 cells [0, 4) against file 1
task process 1
  dedupe file 1 cells [0, 4) against file 0
)");
}

}  // namespace ordeal
