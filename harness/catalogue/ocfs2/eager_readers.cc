// B48, Altaparmakov's proposal in the thread of 2005: drop the pages first, keep users out only when none is left, else begin
// again.
// While some reader is always at work on the node, each pass finds pages that were brought back, and the writer of the other node
// waits. Reads end, so that no schedule makes it wait for ever: who passed it is counted.
#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "harness/catalogue/ocfs2/ocfs2_scenarios.h"
#include "harness/filesystems/ocfs2/ocfs2_state.h"
#include "harness/scenario/workload_scenario.h"

namespace ordeal {
namespace {

constexpr int kBypassesMax = 8;  // the twin lets none in

void CheckBypasses(ScenarioRun& run, const WorkloadExecutor& executor) {
  const pagecache::World& world = executor.world();
  int bypasses = 0;
  for (int i = 0; i < world.inodes(); ++i) {
    bypasses = std::max(bypasses, OcfsInode(world.inode(i)).meta().most_admitted_while_blocked());
  }
  if (bypasses <= kBypassesMax) return;
  run.Report({.kind = FindingKind::kStarvation,
              .signature = "starvation: reads that arrive later pass a writer of another node",
              .summary = absl::StrCat("starvation: ", bypasses, " users of the lock that arrived later passed another node"),
              .details = run.sim().scheduler().retries().ToString()});
}

}  // namespace

ScenarioEntry EagerReadersScenario() {
  ScenarioEntry entry;
  entry.name = "eager-readers";
  entry.summary = "three tasks of one node read a page again and again, another node wants to write it";
  entry.filesystems = {"ocfs2"};
  entry.bugs = {"B48"};
  constexpr char kReads[] = "  read file 0 cells [0, 4)\n";
  std::string text = "ordeal-workload 1\nfile a 4\n";
  for (int reader = 0; reader < 3; ++reader) {
    absl::StrAppend(&text, "task process 0\n");
    for (int read = 0; read < 10; ++read) absl::StrAppend(&text, kReads);
  }
  absl::StrAppend(&text, "task process 1\n  write file 0 cells [0, 2)\n");
  return FixedWorkload(std::move(entry), text, {.readahead_pages = 0}, {&CheckBypasses, {}});
}

}  // namespace ordeal
