// B58: a check of permissions has the cluster lock of the directory and takes it once more to read the ACL. If another node has
// asked for it in between, the second one waits until the first one is given back.
#include "harness/catalogue/ocfs2/ocfs2_scenarios.h"
#include "harness/scenario/workload_scenario.h"

namespace ordeal {

ScenarioEntry NodesLinkScenario() {
  ScenarioEntry entry;
  entry.name = "nodes-link";
  entry.summary = "two nodes link and unlink names in one directory";
  entry.filesystems = {"ocfs2"};
  entry.bugs = {"B58"};
  return FixedWorkload(entry, R"(ordeal-workload 1
file a 4
file b 4
task process 0
  link file 0
task process 1
  link file 1
)",
                       {.readahead_pages = 0});
}

}  // namespace ordeal
