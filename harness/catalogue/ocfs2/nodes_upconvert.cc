// B56: a conversion is granted, and the worker gives the lock down again before the task that asked for it has taken it. That
// it never gets it takes a schedule that is unfair for ever; that a call is granted its conversion, loses it, and has to
// convert again, more than once, shows in ordinary ones. With one task a node the protocol as merged never loses a conversion:
// UPCONVERT_FINISHING keeps it.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "harness/catalogue/ocfs2/ocfs2_scenarios.h"
#include "harness/filesystems/ocfs2/ocfs2_state.h"
#include "harness/scenario/workload_scenario.h"

namespace ordeal {
namespace {

constexpr int kLostMax = 1;

void CheckLost(ScenarioRun& run, const WorkloadExecutor& executor) {
  const pagecache::World& world = executor.world();
  int lost = 0;
  for (int i = 0; i < world.inodes(); ++i) {
    const Ocfs2Inode& inode = OcfsInode(world.inode(i));
    lost = std::max({lost, inode.meta().most_conversions_lost(), inode.rw().most_conversions_lost()});
  }
  if (lost <= kLostMax) return;
  run.Report({.kind = FindingKind::kLivelock,
              .signature = "livelock: a granted conversion is given away before who asked for it takes it",
              .summary = absl::StrCat("livelock: one call was granted ", lost, " conversions and lost each before it took it"),
              .details = run.sim().scheduler().retries().ToString()});
}

}  // namespace

ScenarioEntry NodesUpconvertScenario() {
  ScenarioEntry entry;
  entry.name = "nodes-upconvert";
  entry.summary = "two nodes read and write one page in turn, so that both convert its lock again and again";
  entry.filesystems = {"ocfs2"};
  entry.bugs = {"B56"};
  return FixedWorkload(std::move(entry), R"(ordeal-workload 1
file a 4
task process 0
  read file 0 cells [0, 4)
  write file 0 cells [0, 2)
  read file 0 cells [0, 4)
  write file 0 cells [0, 2)
task process 1
  read file 0 cells [0, 4)
  write file 0 cells [2, 4)
  read file 0 cells [0, 4)
  write file 0 cells [2, 4)
)",
                       {.readahead_pages = 0}, {&CheckLost, {}});
}

}  // namespace ordeal
