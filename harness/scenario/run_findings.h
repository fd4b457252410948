// Turns what the scheduler, the validator and the oracles say about one run into findings. Pure conversion: values in,
// values out; nothing here runs or chooses.
//
// Thread-safety: pure functions.
// Invariants:    signatures name object roles, operations and lock classes; never a number of a task, step, cell or
// object. Example:       findings.push_back(DeadlockFinding(scheduler));
#ifndef ORDEAL_HARNESS_SCENARIO_RUN_FINDINGS_H_
#define ORDEAL_HARNESS_SCENARIO_RUN_FINDINGS_H_

#include <cstddef>
#include <string>

#include "absl/types/span.h"
#include "harness/oracle/judge.h"
#include "harness/scenario/finding.h"
#include "harness/sched/scheduler.h"
#include "lockdep/runtime/violation.h"

namespace ordeal {

// Of a run that ended with RunEndKind::kDeadlock: a cycle, or everybody blocked with nothing pending.
Finding DeadlockFinding(const Scheduler& scheduler);
// Of a run that ended with RunEndKind::kLivelock.
Finding LivelockFinding(const Scheduler& scheduler);
Finding ViolationFinding(const lockdep::Violation& violation);
Finding DataFinding(const History& history, const DataViolation& violation);

// The last steps of some tasks (all tasks, if `tasks` is empty), one a line; empty when the run kept no trace. Run the
// same choices again with SchedulerOptions::keep_trace to get it.
std::string RenderTimeline(const Scheduler& scheduler, absl::Span<const TaskId> tasks, size_t steps_max = 60);

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_SCENARIO_RUN_FINDINGS_H_
