// Waiting for somebody else: completions, page bits, counters, grants, work items, as a user of the validator says it.
//
// One graph for locks and events: X -> Y says that whoever is responsible for X (holds lock X, or must trigger event X) waits
// for Y meanwhile. Holding a lock is owing its release. So
//   * a wait makes an edge from all that is held or owed to the event; nothing is held afterwards;
//   * between Owe and Trigger every wait of the context makes an edge event -> what is waited for. Say so wherever it is
//     known who is responsible: it needs no luck and no history;
//   * a trigger that was not owed comes after what its task acquired since it last triggered an event of the class (or since
//     Validator::RememberAcquisitions). Where such an acquisition can delay a wait that the trigger satisfied, what the
//     waiter held waits for it. Where it cannot, there is no edge: it is known to have happened before the wait began or
//     before the event was armed, by fork, join or other events (event_book.h).
// A lock that another context releases: Validator::HandOver in the one that took it, Owe in the one that will release it.
// docs/events.md tells the model and its limits.
//
// Thread-safety: Event: its validator's; a TaskContext is used by its own task only.
// Invariants:    a task waits for one event at a time; an owed event is triggered or handed over before its task ends.
// Cost:          two look-ups under the validator's mutex a wait or trigger once some task's acquisitions are remembered;
//                before, a wait costs what a lock pair costs.
// Example:
//   Event done(validator, validator.RegisterClass("io done", {.is_event = true}), "io", 7);
//   ... in the waiter
//   done.BeginWait(task);
//   while (!flag) Sleep();
//   done.EndWait(task);
//   ... in the worker
//   Owed promise(done, worker);   // from here the event waits for all that this task waits for
//   lock.Lock(); ...
//   promise.Trigger();            // or the end of the scope
#ifndef ORDEAL_LOCKDEP_RUNTIME_EVENT_H_
#define ORDEAL_LOCKDEP_RUNTIME_EVENT_H_

#include "lockdep/runtime/validator.h"

namespace ordeal::lockdep {

class Event {
 public:
  // `event_class` is registered with .is_event. `instance` outlives the event.
  Event(Validator& validator, LockClassId event_class, const char* instance = "", uint32_t number = 0)
      : validator_(validator), map_(validator.NewMap(event_class, instance, number)) {}
  ~Event() { validator_.ForgetEvent(map_); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  // Before the wait blocks, and when it has returned because the event was triggered.
  void BeginWait(TaskContext& task, Site site = Site::Here(), int subclass = 0) {
    validator_.BeginWait(task, map_, {.subclass = subclass, .site = site});
  }
  void EndWait(TaskContext& task) { validator_.EndWait(task, map_); }
  // Both in one, before the wait blocks: taken to be satisfied by the last trigger since Arm, or else by the next one.
  void Wait(TaskContext& task, Site site = Site::Here(), int subclass = 0) {
    validator_.Wait(task, map_, {.subclass = subclass, .site = site});
  }
  // A wait that gives up after a time is no dependency, neither of what is held nor of what is triggered later: the context
  // must allow sleeping, that is all. It is still ordered after the trigger that it follows.
  void WaitTimed(TaskContext& task, Site site = Site::Here(), int subclass = 0) {
    validator_.WaitTimed(task, map_, {.subclass = subclass, .site = site});
  }

  void Owe(TaskContext& task, Site site = Site::Here(), int subclass = 0) { validator_.Owe(task, map_, site, subclass); }
  // Somebody else will trigger it (and says Owe when it begins to be responsible).
  void HandOver(TaskContext& task) { validator_.HandOver(task, map_); }
  void Trigger(TaskContext& task, Site site = Site::Here(), int subclass = 0) {
    validator_.Trigger(task, map_, site, subclass);
  }
  // Only now can anybody have to wait for it: what is known to have happened before cannot delay it. `anew`: earlier triggers
  // satisfy no wait any more (a bit set again, a completion re-initialised); false for one more unit of a counter.
  void Arm(TaskContext& task, bool anew = true) { validator_.Arm(task, map_, anew); }

  const LockMap& map() const { return map_; }

 private:
  Validator& validator_;
  LockMap map_;
};

// Responsible for an event until it is triggered or handed over, at the latest at the end of the scope.
class Owed {
 public:
  Owed(Event& event, TaskContext& task, Site site = Site::Here()) : event_(&event), task_(task), site_(site) {
    event.Owe(task, site);
  }
  ~Owed() { Trigger(site_); }
  Owed(const Owed&) = delete;
  Owed& operator=(const Owed&) = delete;

  void Trigger(Site site = Site::Here()) {
    if (event_ != nullptr) event_->Trigger(task_, site);
    event_ = nullptr;
  }
  void HandOver() {
    if (event_ != nullptr) event_->HandOver(task_);
    event_ = nullptr;
  }

 private:
  Event* event_;
  TaskContext& task_;
  Site site_;
};

// A finite set of workers. Whoever executes an item holds a slot; an item that is queued waits for one, and what waits for
// the item waits for that. One slot or many are one class: with n slots it takes n such items to fill them.
// A pool with a rescuer can always execute one more item, so nothing waits for a slot.
class WorkPool {
 public:
  // `slot_class`: a lock class of the pool's own.
  WorkPool(Validator& validator, LockClassId slot_class, bool rescuer, const char* instance = "")
      : validator_(validator), slot_(validator.NewMap(slot_class, instance)), rescuer_(rescuer) {}
  bool rescuer() const { return rescuer_; }

 private:
  friend class WorkExecution;
  Validator& validator_;
  LockMap slot_;
  const bool rescuer_;
};

// One execution of a work item by a worker: it owes the item's completion, and that waits first for a slot of the pool.
// A flush is a wait for `done`.
// Example:
//   { WorkExecution execution(pool, item_done, worker);  item.function(); }
class WorkExecution {
 public:
  WorkExecution(WorkPool& pool, Event& done, TaskContext& worker, Site site = Site::Here())
      : pool_(pool), done_(done), worker_(worker), site_(site) {
    done.Owe(worker, site);
    const bool known_free = pool.rescuer_;
    pool.validator_.Acquire(worker, pool.slot_, Mode::kExclusive, {.trylock = known_free, .site = site});
  }
  ~WorkExecution() {
    pool_.validator_.Release(worker_, pool_.slot_, site_);
    done_.Trigger(worker_, site_);
  }
  WorkExecution(const WorkExecution&) = delete;
  WorkExecution& operator=(const WorkExecution&) = delete;

 private:
  WorkPool& pool_;
  Event& done_;
  TaskContext& worker_;
  Site site_;
};

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_RUNTIME_EVENT_H_
