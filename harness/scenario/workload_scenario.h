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
#include "harness/workload/generator.h"

namespace ordeal {

// The same workload in every run. `text` is in the format of workload_text.h; a bad one is a programmer's error.
ScenarioEntry FixedWorkload(ScenarioEntry entry, absl::string_view text, pagecache::WorldOptions options = {});

// A new workload in every run, from its choices.
ScenarioEntry GeneratedWorkload(ScenarioEntry entry, WorkloadShape shape, pagecache::WorldOptions options = {});

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_SCENARIO_WORKLOAD_SCENARIO_H_
