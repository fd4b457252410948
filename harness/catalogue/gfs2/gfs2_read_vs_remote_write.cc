// B46, as GFS2 had it: readpage waits for the glock with the folio locked, and the demotion that has to come first waits for the
// folio.
#include "harness/catalogue/gfs2/gfs2_scenarios.h"
#include "harness/scenario/workload_scenario.h"

namespace ordeal {

ScenarioEntry Gfs2ReadVsRemoteWriteScenario() {
  ScenarioEntry entry;
  entry.name = "gfs2-read-vs-remote-write";
  entry.summary = "reads on one node while the other one writes";
  entry.filesystems = {"gfs2", "gfs2-5.15", "gfs2-5.16", "gfs2-2006"};
  entry.holes = {{"B46", "gfs2-2006", "gfs2", "deadlock: acquire folio"}};
  return FixedWorkload(entry, R"(ordeal-workload 1
file a 8
task process 0
  read file 0 cells [0, 4)
  read file 0 cells [4, 8)
task process 1
  write file 0 cells [4, 8)
)",
                       {.readahead_pages = 0});
}

}  // namespace ordeal
