// grant-before-replay: a node has grown a file and synced it, and dies. What says so is in its journal; a survivor that is
// granted the dead node's lock before the journal is replayed sees the file end where it ended before. (The reads of the other
// file are for time.)
#include <utility>

#include "harness/catalogue/basics/basics_scenarios.h"
#include "harness/scenario/workload_scenario.h"

namespace ordeal {

ScenarioEntry NodeDiesAfterFsyncScenario() {
  ScenarioEntry entry;
  entry.name = "node-dies-after-fsync";
  entry.summary = "a node grows a file, syncs it and may die; another one reads it";
  entry.filesystems = {"gfs2", "ocfs2"};
  entry.bugs = {"grant-before-replay"};
  entry.default_faults = {ChoiceKind::kNodeDeath};
  return FixedWorkload(std::move(entry), R"(ordeal-workload 1
file a 4
file b 4
task process 0
  write file 0 cells [4, 8)
  fsync file 0
task process 1
  read file 1 cells [0, 4)
  read file 1 cells [0, 4)
  read file 1 cells [0, 4)
  read file 1 cells [0, 4)
  read file 1 cells [0, 4)
  read file 1 cells [0, 4)
  read file 0 cells [0, 8)
)",
                       {.readahead_pages = 0});
}

}  // namespace ordeal
