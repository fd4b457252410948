// A fixed workload with a check of its own beside the oracles: for findings that no schedule makes a wrong byte of.
//
// Thread-safety: none.
// Example:       return CheckedWorkload(std::move(entry), R"(ordeal-workload 1 ...)", &CheckAppends);
#ifndef ORDEAL_HARNESS_CATALOGUE_GFS2_CHECKED_WORKLOAD_H_
#define ORDEAL_HARNESS_CATALOGUE_GFS2_CHECKED_WORKLOAD_H_

#include "absl/strings/string_view.h"
#include "harness/scenario/scenario.h"
#include "harness/scenario/workload_executor.h"

namespace ordeal {

// After the tasks have ended and before the oracles judge.
using WorkloadCheck = void (*)(ScenarioRun& run, const WorkloadExecutor& executor);

// No readahead. `text` as for FixedWorkload: a bad one is a programmer's error. Where one of `excuses` may happen, what the check
// looks at has another cause as well, and only the oracles judge.
ScenarioEntry CheckedWorkload(ScenarioEntry entry, absl::string_view text, WorkloadCheck check, FaultSet excuses = {});

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_CATALOGUE_GFS2_CHECKED_WORKLOAD_H_
