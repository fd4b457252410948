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

  void Lock(int subclass = 0, lockdep::Site site = lockdep::Site::Here());
  bool TryLock(int subclass = 0, lockdep::Site site = lockdep::Site::Here());
  void Unlock(lockdep::Site site = lockdep::Site::Here());

  TaskId owner() const { return owner_; }
  bool HeldByCurrent() const { return owner_ == sim_.scheduler().current() && owner_ != kNoTask; }
  ObjectId id() const { return id_; }

  void AppendBlockers(TaskId waiter, Blockers* out) const override;

 private:
  void LockContended(lockdep::Site site);

  Simulation& sim_;
  lockdep::LockMap map_;
  ObjectId id_;
  TaskId owner_ = kNoTask;
  TaskQueue waiters_;
};

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_SYNC_MUTEX_H_
