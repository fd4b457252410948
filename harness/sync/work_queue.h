// A work queue: items that a finite pool of workers executes one after another, and that can be waited for (flushed).
//
// The validator is told that an executing item owes its completion, that a queued one waits for a slot of the pool, and that
// an executing one holds a slot: an item that flushes another one of its pool is found although a worker was free. A pool with
// a rescuer executes one item more when all its workers are busy, so nothing waits for a slot.
// Source: kernel/workqueue.c as described in protocols 1.1 and B96; one worker a slot, first come first served.
//
// Thread-safety: tasks of one simulation.
// Invariants:    an item is queued at most once; its function runs in a worker task; workers are daemons.
// Example:
//   WorkQueue queue(sim, sim.Class("conversion slot"), {.workers = 1});
//   WorkItem item(sim, sim.Class("conversion", {.is_event = true}), [&] { ... });
//   queue.Queue(item);
//   item.Flush();
#ifndef ORDEAL_HARNESS_SYNC_WORK_QUEUE_H_
#define ORDEAL_HARNESS_SYNC_WORK_QUEUE_H_

#include <functional>
#include <vector>

#include "harness/sync/simulation.h"
#include "harness/sync/wait_queue.h"

namespace ordeal {

class WorkQueue;

class WorkItem {
 public:
  // `work_class` is registered with .is_event: "the work is done".
  WorkItem(Simulation& sim, lockdep::LockClassId work_class, std::function<void()> function, const char* name = "work",
           uint32_t number = 0)
      : function_(std::move(function)), done_(sim, work_class, name, number) {}

  // Returns once the item is neither queued nor executed. Not to be called by its own function, which the validator reports.
  void Flush(lockdep::Site site = lockdep::Site::Here()) {
    done_.WaitUntil([this] { return state_ == State::kIdle; }, site);
  }
  bool idle() const { return state_ == State::kIdle; }

 private:
  friend class WorkQueue;
  enum class State : uint8_t { kIdle, kQueued, kExecuting };

  std::function<void()> function_;
  WaitQueue done_;
  State state_ = State::kIdle;
};

struct WorkQueueOptions {
  int workers = 1;
  bool rescuer = false;
};

class WorkQueue {
 public:
  // Spawns the workers. `slot_class`: a lock class of this pool alone.
  WorkQueue(Simulation& sim, lockdep::LockClassId slot_class, WorkQueueOptions options = {},
            const char* name = "work queue");
  WorkQueue(const WorkQueue&) = delete;
  WorkQueue& operator=(const WorkQueue&) = delete;

  // False if the item was queued or executing already.
  bool Queue(WorkItem& item);
  size_t queued() const { return queue_.size(); }

 private:
  void Serve(bool rescuer);
  void Execute(WorkItem& item, lockdep::Site site);
  void SetTriggers();

  Simulation& sim_;
  const WorkQueueOptions options_;
  lockdep::LockMap slot_;
  ObjectId id_;
  std::vector<WorkItem*> queue_;
  std::vector<TaskId> idle_;  // workers, the one that has been idle longest first
  TaskId idle_rescuer_ = kNoTask;
  TaskId executing_ = kNoTask;  // the only worker of a pool of one
};

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_SYNC_WORK_QUEUE_H_
