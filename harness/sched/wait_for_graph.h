// Who waits for whom, judged at the moment a task blocks: a cycle that closes is a deadlock, named with everyone in it.
//
// Thread-safety: none; belongs to one scheduler.
// Invariants:    an edge is drawn only to tasks that must act before the waiter can go on; an event that anybody may
//                trigger has no edges (the end-of-run rule "all blocked" catches a lost wake-up).
// Example:
//   class Mutex : public Waitable {
//     void AppendBlockers(TaskId, Blockers* out) const override { out->Add(owner_); }
//   };
//   scheduler.Block({.kind = OperationKind::kAcquire, .object = id_, .waitable = this, .site = site});
#ifndef ORDEAL_HARNESS_SCHED_WAIT_FOR_GRAPH_H_
#define ORDEAL_HARNESS_SCHED_WAIT_FOR_GRAPH_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/functional/function_ref.h"
#include "absl/types/span.h"
#include "harness/choice/choice_point.h"
#include "lockdep/graph/lock_class.h"
#include "lockdep/graph/site.h"

namespace ordeal {

// The tasks that a waiter waits for.
class Blockers {
 public:
  void Add(TaskId task) {
    if (task != kNoTask) tasks_.push_back(task);
  }
  absl::Span<const TaskId> tasks() const { return tasks_; }

 private:
  absl::InlinedVector<TaskId, 8> tasks_;
};

// Something a task can block on. Stays where it is: the scheduler knows it by its address while it lives.
class Waitable {
 public:
  Waitable() = default;
  Waitable(const Waitable&) = delete;
  Waitable& operator=(const Waitable&) = delete;
  virtual ~Waitable() = default;
  // The tasks that must act before `waiter` can go on. Nothing for an owner that is no task (an I/O request).
  virtual void AppendBlockers(TaskId waiter, Blockers* out) const = 0;
  // Its class in the validator, if it has one.
  virtual std::optional<lockdep::LockClassId> lock_class() const { return std::nullopt; }
};

// Why a task is blocked.
struct Wait {
  OperationKind kind = OperationKind::kWait;
  ObjectId object = kNoObject;
  const Waitable* waitable = nullptr;  // null: an event without known triggers
  lockdep::Site site;
  TaskId owner = kNoTask;  // the only blocker, where there is just one: while it is not blocked no search is needed
};

// A deadlock, as a value.
struct Deadlock {
  struct Waiter {
    TaskId task = kNoTask;
    std::string task_name;
    std::string object;  // "folio 3"
    OperationKind kind = OperationKind::kWait;
    lockdep::Site site;
    std::optional<lockdep::LockClassId> lock_class;  // of the object
  };
  std::vector<Waiter> cycle;  // each waits for the next, the last for the first; empty if !is_cycle
  std::vector<Waiter> blocked;  // all blocked tasks, in order of creation
  bool is_cycle = false;        // false: everybody is blocked and nothing is pending (a lost wake-up)
};

// Searches for a cycle through `start`, which has just blocked. `wait_of` gives what a task is blocked on, null if it can
// run or has a timer. On success `cycle` starts with `start`; each waits for the next, the last for the first.
// Cost: one virtual call when the owner runs; otherwise a depth-first search over the blocked tasks.
bool FindWaitCycle(TaskId start, absl::FunctionRef<const Wait*(TaskId)> wait_of, std::vector<TaskId>* cycle);

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_SCHED_WAIT_FOR_GRAPH_H_
