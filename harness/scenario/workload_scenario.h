// A scenario that is a workload on the page cache: fixed, or generated anew from the choices of each run.
//
// Thread-safety: none.
// Example:
//   return WorkloadEntry({.name = "...", .filesystems = {"vfs"}}, [](ScenarioRun&, Workload* w) { *w = ...; });
#ifndef ORDEAL_HARNESS_SCENARIO_WORKLOAD_SCENARIO_H_
#define ORDEAL_HARNESS_SCENARIO_WORKLOAD_SCENARIO_H_

#include "absl/strings/string_view.h"
#include "harness/pagecache/page_cache.h"
#include "harness/scenario/scenario.h"
#include "harness/scenario/workload_executor.h"
#include "harness/workload/generator.h"

namespace ordeal {

// A check beside the oracles, after the tasks have ended and before these judge: for what no schedule makes a wrong byte of.
struct WorkloadCheck {
  void (*check)(ScenarioRun& run, const WorkloadExecutor& executor) = nullptr;
  FaultSet excuses;  // they give what it looks at another cause as well: with one on, or a dead node, only the oracles judge
};

// The same workload in every run. `text` is in the format of workload_text.h; a bad one is a programmer's error.
ScenarioEntry FixedWorkload(ScenarioEntry entry, absl::string_view text, pagecache::WorldOptions options = {},
                            WorkloadCheck check = {});

// A new workload in every run, from its choices.
ScenarioEntry GeneratedWorkload(ScenarioEntry entry, WorkloadShape shape, pagecache::WorldOptions options = {});

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_SCENARIO_WORKLOAD_SCENARIO_H_
