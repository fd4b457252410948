// A sleeping mutex: one owner, FIFO waiters, direct hand-off to the first one.
//
// Thread-safety: tasks of one simulation.
// Invariants:    owner is a live task or none; only the owner unlocks; waiters wait in order of arrival.
// Cost:          uncontended Lock + Unlock: two scheduling points and a cached validator pair.
// Example:
//   Mutex mutex(sim, sim.Class("journal"));
//   mutex.Lock();
//   mutex.Unlock();
#ifndef ORDEAL_HARNESS_SYNC_MUTEX_H_
#define ORDEAL_HARNESS_SYNC_MUTEX_H_

#include "harness/sync/simulation.h"
#include "harness/sync/task_queue.h"

namespace ordeal {

class Mutex : public Waitable {
 public:
  // `name` is shown in reports and must outlive the mutex; `number` tells instances of one role apart.
  Mutex(Simulation& sim, lockdep::LockClassId lock_class, const char* name = "mutex", uint32_t number = 0);

  // Inline, so that a fiber that is continued here runs on in its caller: each return after a switch is mispredicted.
  [[gnu::always_inline]] void Lock(int subclass = 0, lockdep::Site site = lockdep::Site::Here()) {
    Scheduler& scheduler = sim_.scheduler();
    scheduler.Point(OperationKind::kAcquire, id_, site);
    sim_.validator().Acquire(sim_.context(), map_, lockdep::Mode::kExclusive, {subclass, false, site});
    if (__builtin_expect(owner_ == kNoTask, 1)) {
      owner_ = scheduler.current();
      return;
    }
    // The unlocker makes this task the owner before it wakes it.
    waiters_.PushBack(scheduler.current());
    scheduler.BlockInline({OperationKind::kAcquire, id_, this, site, owner_});
  }
  // May also fail as a fault (ChoiceKind::kTrylock).
  bool TryLock(int subclass = 0, lockdep::Site site = lockdep::Site::Here());
  // False, with nothing taken, if a signal (a fault, ChoiceKind::kSignal) ends the wait.
  bool LockKillable(int subclass = 0, lockdep::Site site = lockdep::Site::Here());
  [[gnu::always_inline]] void Unlock(lockdep::Site site = lockdep::Site::Here()) {
    Scheduler& scheduler = sim_.scheduler();
    scheduler.Point(OperationKind::kRelease, id_, site);
    if (__builtin_expect(scheduler.unwinding(), 0)) return;
    sim_.validator().Release(sim_.context(), map_, site);
    if (owner_ != scheduler.current()) return;  // the validator has reported it
    if (waiters_.empty()) {
      owner_ = kNoTask;
    } else {
      HandOff();
    }
  }

  TaskId owner() const { return owner_; }
  bool HeldByCurrent() const { return owner_ == sim_.scheduler().current() && owner_ != kNoTask; }
  ObjectId id() const { return id_; }

  void AppendBlockers(TaskId waiter, Blockers* out) const override;
  std::optional<lockdep::LockClassId> lock_class() const override { return map_.lock_class; }

 protected:
  // Its trylock fails only if the lock is held.
  void NeverFailFreeTrylock() { trylock_may_fail_ = false; }

 private:
  void HandOff();

  Simulation& sim_;
  lockdep::LockMap map_;
  ObjectId id_;
  TaskId owner_ = kNoTask;
  TaskQueue waiters_;
  bool trylock_may_fail_ = true;
};

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_SYNC_MUTEX_H_
