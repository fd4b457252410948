// The locks of one run as a trace (lockdep/trace): what `ordeal replay FILE --lock-trace=OUT` writes, and what
// `ordeal lockdep --trace OUT` judges.
//
// Nothing is recorded on the way of an acquisition. The runner keeps its trace of steps, and at each of them what the tasks hold
// is compared with what they held before: a task changes its locks only between two of its own steps, and no other runs
// meanwhile. The operation that it declared last tells what is never held: waits, signals, failed trylocks.
//
// A trigger is written only of an event that its task owed: since when an event is asked for cannot be seen from outside, and a
// trigger without that would depend on all that its task did before.
//
// Thread-safety: none; belongs to one runner.
// Invariants:    events of one task are in its order; a lock is released before another task acquires it.
// Cost:          at each step O(tasks * held locks).
// Example:
//   Runner runner(scenario, spec, {.scheduler = {.keep_trace = true}});
//   LockTraceRecorder recorder(runner.sim());
//   runner.Run(source);
//   out << lockdep::FormatTrace(recorder.Take());
#ifndef ORDEAL_HARNESS_CAMPAIGN_LOCK_TRACE_H_
#define ORDEAL_HARNESS_CAMPAIGN_LOCK_TRACE_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "harness/corpus/corpus_entry.h"
#include "harness/sync/simulation.h"
#include "lockdep/trace/symbols.h"

namespace ordeal {

class LockTraceRecorder {
 public:
  // Observes the simulation's scheduler, whose runs must keep their trace. One run only.
  explicit LockTraceRecorder(Simulation& sim);
  ~LockTraceRecorder();
  LockTraceRecorder(const LockTraceRecorder&) = delete;
  LockTraceRecorder& operator=(const LockTraceRecorder&) = delete;

  // What was recorded so far; the recorder must not be used afterwards.
  lockdep::Trace Take() { return std::move(trace_); }

 private:
  struct Held {
    const lockdep::LockMap* map = nullptr;
    uint32_t lock = 0;  // in the trace
    lockdep::Mode mode = lockdep::Mode::kExclusive;
    bool owed = false;  // an event that the task must trigger
  };
  struct TaskRow {
    uint32_t symbol = 0;
    std::vector<Held> held;
    OperationKind declared = OperationKind::kStart;
    uint32_t object = 0;    // of `declared`, in the trace, if it is a wait, a signal or a trylock
    bool is_event = false;  // `object` is an event, no lock
    bool pending = false;   // no event was written for `declared`
    bool requested = false;
    bool triggers_owed = false;  // `declared` signals an event that the task owed
    bool ended = false;
  };

  void AddTask(TaskId task);
  void AtStep(bool run_ended);
  void CatchUp(TaskId task, bool declared_is_done);
  void DropReleased(const lockdep::TaskContext& context, TaskRow* row);
  void AddAcquired(const lockdep::TaskContext& context, bool blocked, TaskRow* row);
  void FinishDeclared(bool blocked, TaskRow* row);
  void Declare(TaskId task);
  uint32_t LockOf(const lockdep::HeldLock& held);
  uint32_t NewLock(const std::string& name, lockdep::LockClassId lock_class, uint64_t order_key);
  void Append(lockdep::EventOp op, uint32_t task, uint32_t object, uint8_t flags = 0);

  Simulation& sim_;
  lockdep::Trace trace_;
  uint32_t main_ = 0;
  bool run_ended_ = false;
  std::vector<TaskRow> tasks_;  // by task
  std::map<std::pair<const lockdep::LockMap*, std::string>, uint32_t> locks_;
};

// Runs the entry again and records it.
absl::StatusOr<lockdep::Trace> LockTraceOf(const Registry& registry, const CorpusEntry& entry);

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_CAMPAIGN_LOCK_TRACE_H_
