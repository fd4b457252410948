// Turns what the scheduler, the validator and the oracles say about one run into findings. Pure conversion: values in,
// values out; nothing here runs or chooses.
//
// Thread-safety: pure functions.
// Invariants:    signatures name object roles, operations, lock classes and reasons of retries; never a number of a task, step,
//                cell or object.
// Example:       findings.push_back(DeadlockFinding(scheduler));
#ifndef ORDEAL_HARNESS_SCENARIO_RUN_FINDINGS_H_
#define ORDEAL_HARNESS_SCENARIO_RUN_FINDINGS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "harness/oracle/judge.h"
#include "harness/scenario/finding.h"
#include "harness/sched/scheduler.h"
#include "lockdep/runtime/violation.h"

namespace ordeal {

// Of a run that ended with RunEndKind::kDeadlock: a cycle, or everybody blocked with nothing pending.
Finding DeadlockFinding(const Scheduler& scheduler);
// Of a run that ended with RunEndKind::kLivelock: tasks that retry in one state, or just no progress.
Finding LivelockFinding(const Scheduler& scheduler);
// Of a run that ended with RunEndKind::kStarvation.
Finding StarvationFinding(const Scheduler& scheduler);
// Of a run in which an operation retried more often than SchedulerOptions::retries_max.
Finding ExcessiveRetriesFinding(const Scheduler& scheduler, const Retrier& retrier);
Finding ViolationFinding(const lockdep::Violation& violation);
Finding DataFinding(const History& history, const DataViolation& violation);

// What a finding's timeline shows.
struct Timeline {
  std::vector<TaskId> tasks;           // empty: all
  std::vector<uint32_t> operations;    // not empty: what their tasks did in them, instead of `tasks`
  std::vector<TaskId> blocked;         // whose last step is marked
  size_t steps_end = SIZE_MAX;         // of the trace: what comes after is not looked at (final checks)
  size_t steps_max = 12;               // of each task, or operation: the last ones
};
// The steps in order of time, one a line: step, task, operation, object and source line. Empty when the run kept no trace: run
// the same choices again with SchedulerOptions::keep_trace to get it.
std::string RenderTimeline(const Scheduler& scheduler, const Timeline& timeline);
// What became of the run when it was let go on fairly (harness/sched/fair_schedule.h) from where its trouble began.
std::string FairVerdict(RunEndKind unfair, RunEndKind fair);

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_SCENARIO_RUN_FINDINGS_H_
