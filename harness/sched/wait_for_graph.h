// Who waits for whom, judged at the moment a task blocks: a cycle that closes is a deadlock, named with everyone in it.
//
// A waiter waits for each of its blockers (a lock's holders), or for any one of them (memory that kswapd, a reclaimer or a
// completed write-back may give): then it is stuck only if all of them are. Where every wait is of the first sort a deadlock is a
// cycle; else it is a knot: tasks of which none can go on unless another one of them does.
//
// Thread-safety: none; belongs to one scheduler.
// Invariants:    an edge is drawn only to tasks that must act before the waiter can go on, or to all of which one must; an
//                event that anybody may trigger has no edges (the end-of-run rule "all blocked" catches a lost wake-up).
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

// The tasks that a waiter waits for: for each of them, or for any one.
class Blockers {
 public:
  void Add(TaskId task) {
    if (task != kNoTask) tasks_.push_back(task);
  }
  // Any one of the tasks, added before or after, suffices.
  void AnySuffices() { any_ = true; }
  // So does something that is no task and gets there by itself (a device): the waiter waits for none of the tasks.
  void AnySufficesAndOneProgresses() {
    any_ = true;
    progresses_ = true;
  }
  bool any() const { return any_; }
  absl::Span<const TaskId> tasks() const {
    return progresses_ ? absl::Span<const TaskId>() : absl::Span<const TaskId>(tasks_);
  }

 private:
  absl::InlinedVector<TaskId, 8> tasks_;
  bool any_ = false;
  bool progresses_ = false;
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
    std::vector<TaskId> any_of;  // not empty: any of these would do, and the next one of the cycle is but one of them
  };
  std::vector<Waiter> cycle;  // each waits for the next, the last for the first; empty if !is_cycle
  std::vector<Waiter> knot;   // the others that would do for a waiter of the cycle with any_of, and are stuck as well
  std::vector<Waiter> blocked;  // all blocked tasks, in order of creation
  bool is_cycle = false;        // false: everybody is blocked and nothing is pending (a lost wake-up)
};

// Searches for a deadlock that `start`, which has just blocked, closes. `wait_of` gives what a task is blocked on, null if it
// can run or has a timer. On success `cycle` starts with `start`; each waits for the next, the last for the first. `knot`, if
// not null, gets the tasks outside the cycle on whose being stuck the verdict rests (waits for any one of several).
// Cost: one virtual call when the owner runs; otherwise a depth-first search over the blocked tasks; where a cycle passes through
// a wait for any one of several, a greatest fixed point over the blocked tasks.
bool FindWaitCycle(TaskId start, absl::FunctionRef<const Wait*(TaskId)> wait_of, std::vector<TaskId>* cycle,
                   std::vector<TaskId>* knot = nullptr);

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_SCHED_WAIT_FOR_GRAPH_H_
