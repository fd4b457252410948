// Events: the wait queue that everything else builds on, and the three forms the page cache uses. A wait is told to the
// validator as an acquisition of the event's class that is never held, so the order "held locks -> event" is in its graph.
// A wake-up is told as a trigger. Whoever is known to be responsible says so (Owe); in a simulation that follows events what a
// task acquired before a wake-up that it did not owe may be in the way of the waiter, too (docs/events.md).
//
// Thread-safety: tasks of one simulation.
// Invariants:    a waiter re-tests its condition after each wake-up (wake-ups may be spurious); what is owed is triggered or
//                handed over before its task ends.
// Example:
//   WaitQueue queue(sim, sim.Class("reclaim progress", {.is_event = true}), "reclaim");
//   queue.WaitUntil([&] { return free_pages > 0; });
//   queue.WakeAll();
#ifndef ORDEAL_HARNESS_SYNC_WAIT_QUEUE_H_
#define ORDEAL_HARNESS_SYNC_WAIT_QUEUE_H_

#include "absl/container/inlined_vector.h"
#include "absl/types/span.h"
#include "harness/sync/plugged_request.h"
#include "harness/sync/simulation.h"
#include "harness/sync/task_queue.h"

namespace ordeal {

class WaitQueue : public Waitable {
 public:
  WaitQueue(Simulation& sim, lockdep::LockClassId event_class, const char* name = "event", uint32_t number = 0);
  ~WaitQueue() override;

  // Returns once condition() is true; it is tested before sleeping, without a gap.
  template <typename Condition>
  void WaitUntil(Condition condition, lockdep::Site site = lockdep::Site::Here()) {
    BeginWait(site);
    if (!condition()) {
      int spurious_left = BeginSleep();
      do {
        Sleep(site, &spurious_left);
      } while (!condition());
    } else if (__builtin_expect(!waiters_.empty(), 0)) {
      NoteWaitersPassed(waiters_.size());
    }
    EndWait();
  }
  // The same, unless a signal (a fault, ChoiceKind::kSignal) comes first: then false. Who was woken (WakeOne) and leaves because of
  // a signal has eaten the wake-up; passing it on is the caller's business, as it is in the kernel.
  template <typename Condition>
  bool WaitUntilInterruptible(Condition condition, lockdep::Site site = lockdep::Site::Here()) {
    BeginWait(site);
    if (!condition()) {
      BeginSleep();
      do {
        if (!SleepInterruptible(site) && !condition()) return false;
      } while (!condition());
    }
    EndWait();
    return true;
  }
  void WakeOne(lockdep::Site site = lockdep::Site::Here());
  void WakeAll(lockdep::Site site = lockdep::Site::Here());

  // From here on the current task must wake the waiters: whatever it waits for before it does, they wait for.
  void Owe(lockdep::Site site = lockdep::Site::Here());
  // ... no more: somebody else will, who says Owe when it begins. Nothing if the task does not owe it.
  void HandOver();
  // Only now can anybody have to wait. `anew`: earlier wake-ups satisfy nobody any more.
  void Arm(bool anew = true);
  bool has_waiters() const { return !waiters_.empty(); }
  ObjectId id() const { return id_; }

  // WakeOne wakes any of the waiters (a choice, ChoiceKind::kWakeOrder), not the first.
  void set_unordered(bool unordered) { unordered_ = unordered; }

  // The task that will trigger the event, where one is known: draws the wait-for edge. kNoTask: anybody.
  void set_trigger(TaskId task) { trigger_ = task; }
  // The tasks of which any one may trigger it; none: not known. `device_too`: so may something that is no task.
  void set_any_trigger(absl::Span<const TaskId> tasks, bool device_too = false) {
    any_trigger_.assign(tasks.begin(), tasks.end());
    device_may_trigger_ = device_too;
  }
  // The request whose completion triggers it; while it is in a plug, its owner must submit it first. Null: none. It must live as
  // long as it is set.
  void set_request(const PluggedRequest* request) { request_ = request; }
  void AppendBlockers(TaskId waiter, Blockers* out) const override;
  std::optional<lockdep::LockClassId> lock_class() const override { return map_.lock_class; }

 private:
  void BeginWait(lockdep::Site site);
  void EndWait();
  int BeginSleep();
  void Sleep(lockdep::Site site, int* spurious_left);
  bool SleepInterruptible(lockdep::Site site);
  void NoteWaitersPassed(size_t first_waiters);

  Simulation& sim_;
  lockdep::LockMap map_;
  ObjectId id_;
  TaskId trigger_ = kNoTask;
  bool told_ = false;  // the validator knows of it
  bool unordered_ = false;
  bool device_may_trigger_ = false;
  absl::InlinedVector<TaskId, 2> any_trigger_;
  const PluggedRequest* request_ = nullptr;
  TaskQueue waiters_;
};

// Done once, waited for by many (struct completion).
class Completion {
 public:
  Completion(Simulation& sim, lockdep::LockClassId event_class, const char* name = "completion", uint32_t number = 0)
      : queue_(sim, event_class, name, number) {}
  void Complete(lockdep::Site site = lockdep::Site::Here()) {
    done_ = true;
    queue_.WakeAll(site);
  }
  void Wait(lockdep::Site site = lockdep::Site::Here()) {
    queue_.WaitUntil([this] { return done_; }, site);
  }
  bool done() const { return done_; }
  void Reset() {
    done_ = false;
    queue_.Arm();
  }
  WaitQueue& queue() { return queue_; }

 private:
  bool done_ = false;
  WaitQueue queue_;
};

// PG_writeback: set under the folio lock, cleared by the I/O's completion; may be set again after a wake-up.
class WritebackBit {
 public:
  WritebackBit(Simulation& sim, lockdep::LockClassId event_class, const char* name = "writeback", uint32_t number = 0)
      : queue_(sim, event_class, name, number) {}
  void Set() {
    set_ = true;
    queue_.Arm();
  }
  void Clear(lockdep::Site site = lockdep::Site::Here()) {
    set_ = false;
    queue_.WakeAll(site);
  }
  bool is_set() const { return set_; }
  void WaitClear(lockdep::Site site = lockdep::Site::Here()) {
    queue_.WaitUntil([this] { return !set_; }, site);
  }
  WaitQueue& queue() { return queue_; }

 private:
  bool set_ = false;
  WaitQueue queue_;
};

// inode_dio_begin / _end / _wait: a count that is waited down to zero. Does not keep new ones out by itself.
//
// A completion that runs without the locks under which the count was raised says TakeOver when it begins: what it waits for
// before its End, a drain waits for. Who begins and ends under one lock, which a drain holds too, says nothing: the drain is
// never in its way, but the validator knows classes only.
class CounterDrain {
 public:
  CounterDrain(Simulation& sim, lockdep::LockClassId event_class, const char* name = "drain", uint32_t number = 0)
      : queue_(sim, event_class, name, number) {}
  void Begin();
  void TakeOver(lockdep::Site site = lockdep::Site::Here());
  void End(lockdep::Site site = lockdep::Site::Here());
  void WaitZero(lockdep::Site site = lockdep::Site::Here()) {
    queue_.WaitUntil([this] { return count_ == 0; }, site);
  }
  int count() const { return count_; }
  WaitQueue& queue() { return queue_; }

 private:
  int count_ = 0;
  WaitQueue queue_;
};

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_SYNC_WAIT_QUEUE_H_
