#include "harness/sync/mutex.h"

namespace ordeal {

using lockdep::Mode;

Mutex::Mutex(Simulation& sim, lockdep::LockClassId lock_class, const char* name, uint32_t number)
    : sim_(sim),
      map_(sim.validator().NewMap(lock_class, name, number)),
      id_(sim.scheduler().NewObject(name, number, this)) {}

bool Mutex::TryLock(int subclass, lockdep::Site site) {
  Scheduler& scheduler = sim_.scheduler();
  scheduler.Point(OperationKind::kTryAcquire, id_);
  if (owner_ != kNoTask) return false;
  owner_ = scheduler.current();
  sim_.validator().Acquire(sim_.context(), map_, Mode::kExclusive, {subclass, true, site});
  return true;
}

void Mutex::HandOff() {
  owner_ = waiters_.PopFront();
  sim_.scheduler().Wake(owner_);
}

void Mutex::AppendBlockers(TaskId, Blockers* out) const { out->Add(owner_); }

}  // namespace ordeal
