// B62: two nodes store to one page through mappings. Each fault takes the cluster lock, which the other node asks for at once; if
// the page is unmapped again before the store is tried, it faults again. Nothing but a minimum time with the lock ends that. How
// long it goes on is the schedule's; that a store loses its page again and again shows it.
#include "absl/strings/str_cat.h"
#include "harness/catalogue/ocfs2/ocfs2_scenarios.h"
#include "harness/scenario/workload_scenario.h"

namespace ordeal {
namespace {

// With the minimum time a store loses its page twice at most: 20,000 random and 20,000 pct:3 schedules. One more is for luck. With
// faults the time may pass before the store is tried (a clock that jumps, a fill that takes long, a page that is reclaimed).
constexpr uint32_t kLossesMax = 3;

void CheckRetries(ScenarioRun& run, const WorkloadExecutor&) {
  const uint32_t losses = run.sim().scheduler().retries().of(RetryReason::kTruncatedPage).max;
  if (losses <= kLossesMax) return;
  run.Report({.kind = FindingKind::kLivelock,
              .signature = "livelock: a store loses its page to another node again and again",
              .summary = absl::StrCat("a store lost its page to another node ", losses, " times"),
              .details = run.sim().scheduler().retries().ToString()});
}

}  // namespace

ScenarioEntry NodesStoreOnePageScenario() {
  ScenarioEntry entry;
  entry.name = "nodes-store-one-page";
  entry.summary = "two nodes store to one page through mappings";
  entry.filesystems = {"ocfs2"};
  entry.bugs = {"B62"};
  return FixedWorkload(entry, R"(ordeal-workload 1
file a 4
task process 0
  store file 0 cells [0, 1)
task process 1
  store file 0 cells [2, 3)
)",
                       {.readahead_pages = 0}, {&CheckRetries, FaultSet::All()});
}

}  // namespace ordeal
