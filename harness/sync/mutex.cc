#include "harness/sync/mutex.h"

namespace ordeal {

using lockdep::Mode;

Mutex::Mutex(Simulation& sim, lockdep::LockClassId lock_class, const char* name, uint32_t number)
    : sim_(sim),
      map_(sim.validator().NewMap(lock_class, name, number)),
      id_(sim.scheduler().NewObject(name, number)) {}

void Mutex::Lock(int subclass, lockdep::Site site) {
  Scheduler& scheduler = sim_.scheduler();
  scheduler.Point(OperationKind::kAcquire, id_);
  sim_.validator().Acquire(sim_.context(), map_, Mode::kExclusive, {subclass, false, site});
  if (owner_ == kNoTask) {
    owner_ = scheduler.current();
    return;
  }
  LockContended(site);
}

// The unlocker makes this task the owner before it wakes it.
void Mutex::LockContended(lockdep::Site site) {
  waiters_.PushBack(sim_.scheduler().current());
  sim_.scheduler().Block({OperationKind::kAcquire, id_, this, site});
}

bool Mutex::TryLock(int subclass, lockdep::Site site) {
  Scheduler& scheduler = sim_.scheduler();
  scheduler.Point(OperationKind::kTryAcquire, id_);
  if (owner_ != kNoTask) return false;
  owner_ = scheduler.current();
  sim_.validator().Acquire(sim_.context(), map_, Mode::kExclusive, {subclass, true, site});
  return true;
}

void Mutex::Unlock(lockdep::Site site) {
  Scheduler& scheduler = sim_.scheduler();
  scheduler.Point(OperationKind::kRelease, id_);
  if (scheduler.unwinding()) return;
  sim_.validator().Release(sim_.context(), map_, site);
  if (owner_ != scheduler.current()) return;  // the validator has reported it
  if (waiters_.empty()) {
    owner_ = kNoTask;
  } else {
    owner_ = waiters_.PopFront();
    scheduler.Wake(owner_);
  }
}

void Mutex::AppendBlockers(TaskId, Blockers* out) const { out->Add(owner_); }

}  // namespace ordeal
