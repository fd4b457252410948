#include "harness/sync/mutex.h"

namespace ordeal {

using lockdep::Mode;

Mutex::Mutex(Simulation& sim, lockdep::LockClassId lock_class, const char* name, uint32_t number)
    : sim_(sim),
      map_(sim.validator().NewMap(lock_class, name, number)),
      id_(sim.scheduler().NewObject(name, number, this)) {}

bool Mutex::TryLock(int subclass, lockdep::Site site) {
  Scheduler& scheduler = sim_.scheduler();
  scheduler.Point(OperationKind::kTryAcquire, id_, site);
  if (owner_ != kNoTask) return false;
  if (trylock_may_fail_ && scheduler.ChooseFault(ChoiceKind::kTrylock, 2, id_) == 1) return false;
  owner_ = scheduler.current();
  sim_.validator().Acquire(sim_.context(), map_, Mode::kExclusive, {subclass, true, site});
  return true;
}

bool Mutex::LockKillable(int subclass, lockdep::Site site) {
  Scheduler& scheduler = sim_.scheduler();
  scheduler.Point(OperationKind::kAcquire, id_, site);
  sim_.validator().Acquire(sim_.context(), map_, Mode::kExclusive, {subclass, false, site});
  const TaskId self = scheduler.current();
  if (owner_ == kNoTask) {
    owner_ = self;
    return true;
  }
  waiters_.PushBack(self);
  scheduler.BlockKillable({OperationKind::kAcquire, id_, this, site, owner_});
  if (owner_ == self && !waiters_.Remove(self)) return true;  // it was handed over, perhaps as the signal came
  waiters_.Remove(self);
  sim_.validator().Release(sim_.context(), map_, site);
  return false;
}

void Mutex::HandOff() {
  owner_ = waiters_.PopFront();
  sim_.scheduler().Wake(owner_);
}

void Mutex::AppendBlockers(TaskId, Blockers* out) const { out->Add(owner_); }

}  // namespace ordeal
