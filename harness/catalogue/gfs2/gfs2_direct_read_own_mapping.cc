// B36: a direct read of a page into a mapping of itself. The flush write-protects what has just been faulted in for writing, so
// that without page faults the page can never be pinned. B34: with page faults it waits for its own deferred glock.
#include "harness/catalogue/gfs2/gfs2_scenarios.h"
#include "harness/scenario/workload_scenario.h"

namespace ordeal {

ScenarioEntry Gfs2DirectReadOwnMappingScenario() {
  ScenarioEntry entry;
  entry.name = "gfs2-direct-read-own-mapping";
  entry.summary = "a direct read of a page into a mapping of that page";
  entry.filesystems = {"gfs2", "gfs2-5.15", "gfs2-5.16"};
  entry.bugs = {"B36"};
  entry.holes = {{"B34", "gfs2-5.15", "gfs2", "deadlock: acquire glock of inode"},
                 {"B36", "gfs2-5.16", "gfs2", "livelock"}};
  return FixedWorkload(entry, R"(ordeal-workload 1
file a 8
task process 0
  direct-read file 0 cells [0, 4) into mapping of file 0 at 0
task process 1
  read file 0 cells [4, 8)
)",
                       {.readahead_pages = 0});
}

}  // namespace ordeal
