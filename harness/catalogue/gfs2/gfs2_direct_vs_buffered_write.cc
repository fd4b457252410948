// B60: direct I/O takes the inode lock after the glock, a buffered write before it.
#include "harness/catalogue/gfs2/gfs2_scenarios.h"
#include "harness/scenario/workload_scenario.h"

namespace ordeal {

ScenarioEntry Gfs2DirectVsBufferedWriteScenario() {
  ScenarioEntry entry;
  entry.name = "gfs2-direct-vs-buffered-write";
  entry.summary = "on one node, a direct read or write and a buffered write of one file";
  entry.filesystems = {"gfs2", "gfs2-5.15", "gfs2-5.16", "gfs2-2006"};
  entry.holes = {{"B60", "gfs2-2006", "gfs2", "deadlock: acquire glock of inode > acquire i_rwsem of inode"}};
  return FixedWorkload(entry, R"(ordeal-workload 1
file a 8
task process 0
  direct-write file 0 cells [0, 4)
task process 2
  write file 0 cells [4, 8)
)",
                       {.readahead_pages = 0});
}

}  // namespace ordeal
