#include "harness/sync/page_lock.h"

#include "lockdep/support/check.h"

namespace ordeal {

using lockdep::Mode;

PageLock::PageLock(Simulation& sim, lockdep::LockClassId lock_class, const char* name, uint32_t number,
                   uint64_t order_key)
    : sim_(sim),
      map_(sim.validator().NewMap(lock_class, name, number, order_key)),
      id_(sim.scheduler().NewObject(name, number, this)) {}

void PageLock::Lock(lockdep::Site site) {
  Scheduler& scheduler = sim_.scheduler();
  scheduler.Point(OperationKind::kAcquire, id_);
  sim_.validator().Acquire(sim_.context(), map_, Mode::kExclusive, {0, false, site});
  if (!locked()) {
    owner_ = Owner::kTask;
    owner_task_ = scheduler.current();
    return;
  }
  waiters_.push_back({scheduler.current(), true});
  scheduler.Block({OperationKind::kAcquire, id_, this, site});
}

bool PageLock::TryLock(lockdep::Site site) {
  Scheduler& scheduler = sim_.scheduler();
  scheduler.Point(OperationKind::kTryAcquire, id_);
  if (locked()) return false;
  LockNew(site);
  return true;
}

void PageLock::LockNew(lockdep::Site site) {
  LD_CHECK(!locked(), "LockNew of a folio lock that is held");
  owner_ = Owner::kTask;
  owner_task_ = sim_.scheduler().current();
  sim_.validator().Acquire(sim_.context(), map_, Mode::kExclusive, {0, true, site});
}

void PageLock::Unlock(lockdep::Site site) {
  Scheduler& scheduler = sim_.scheduler();
  scheduler.Point(OperationKind::kRelease, id_);
  if (scheduler.unwinding()) return;
  sim_.validator().Release(sim_.context(), map_, site);
  if (!HeldByCurrent()) return;  // the validator has reported it
  Release();
}

void PageLock::WaitUnlocked(lockdep::Site site) {
  Scheduler& scheduler = sim_.scheduler();
  scheduler.Point(OperationKind::kWait, id_);
  sim_.validator().Wait(sim_.context(), map_, {0, false, site});
  if (!locked()) return;
  waiters_.push_back({scheduler.current(), false});
  scheduler.Block({OperationKind::kWait, id_, this, site});
}

void PageLock::HandOverToIo() {
  if (sim_.scheduler().unwinding()) return;
  LD_CHECK(HeldByCurrent(), "only the owner hands a folio lock to an I/O request");
  sim_.validator().HandOver(sim_.context(), map_);
  owner_ = Owner::kIo;
  owner_task_ = kNoTask;
}

void PageLock::TakeOverFromIo(lockdep::Site site) {
  if (sim_.scheduler().unwinding()) return;
  LD_CHECK(owner_ == Owner::kIo, "an I/O completion takes over a folio lock that no I/O request owns");
  sim_.validator().Owe(sim_.context(), map_, site);
}

void PageLock::UnlockFromIo(lockdep::Site site) {
  Scheduler& scheduler = sim_.scheduler();
  scheduler.Point(OperationKind::kRelease, id_);
  if (scheduler.unwinding()) return;
  LD_CHECK(owner_ == Owner::kIo, "an I/O completion unlocks a folio that no I/O request owns");
  if (sim_.context().Holds(map_)) sim_.validator().Release(sim_.context(), map_, site);
  Release();
}

// Wakes those who only wait to see it unlocked, up to the first who wants the lock; that one owns it now.
void PageLock::Release() {
  Scheduler& scheduler = sim_.scheduler();
  owner_ = Owner::kNone;
  owner_task_ = kNoTask;
  while (!waiters_.empty() && !locked()) {
    const Waiter head = waiters_.front();
    waiters_.erase(waiters_.begin());
    if (head.wants_lock) {
      owner_ = Owner::kTask;
      owner_task_ = head.task;
    }
    scheduler.Wake(head.task);
  }
}

bool PageLock::HeldByCurrent() const {
  return owner_ == Owner::kTask && owner_task_ == sim_.scheduler().current();
}

void PageLock::AppendBlockers(TaskId, Blockers* out) const {
  if (owner_ == Owner::kTask) out->Add(owner_task_);
}

}  // namespace ordeal
