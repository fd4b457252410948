// PG_locked: a lock bit whose owner is a task or an I/O request, and which another context may release (a read's completion
// unlocks the folio that the reader locked).
//
// Waiters either want the lock or only want to see it released (WaitUnlocked); both queue in order of arrival. Unlock hands
// the lock to the first waiter that wants it and wakes the waiters-to-see before it.
// Thread-safety: tasks of one simulation.
// Invariants:    owner is kNone, kTask (owner_task() is live) or kIo; only an owner's context releases.
// Example:
//   PageLock lock(sim, sim.Class("folio_lock", {.ordered_by_key = true}), "folio", 7);
//   lock.Lock();
//   lock.HandOverToIo();     // the task no longer owns it
//   lock.TakeOverFromIo();   // in the completion, before it takes other locks
//   lock.UnlockFromIo();
#ifndef ORDEAL_HARNESS_SYNC_PAGE_LOCK_H_
#define ORDEAL_HARNESS_SYNC_PAGE_LOCK_H_

#include "absl/container/inlined_vector.h"
#include "harness/sync/simulation.h"

namespace ordeal {

class PageLock : public Waitable {
 public:
  enum class Owner : uint8_t { kNone, kTask, kIo };

  PageLock(Simulation& sim, lockdep::LockClassId lock_class, const char* name = "folio", uint32_t number = 0,
           uint64_t order_key = 0);

  void Lock(lockdep::Site site = lockdep::Site::Here());
  bool TryLock(lockdep::Site site = lockdep::Site::Here());
  // Born locked: takes a lock that nobody else can see yet, without a scheduling point.
  void LockNew(lockdep::Site site = lockdep::Site::Here());
  void Unlock(lockdep::Site site = lockdep::Site::Here());
  // Sleeps until it is seen unlocked (or released once); takes nothing.
  void WaitUnlocked(lockdep::Site site = lockdep::Site::Here());

  void HandOverToIo();
  // The completion begins: what the current task waits for before it unlocks, whoever wants the lock waits for.
  void TakeOverFromIo(lockdep::Site site = lockdep::Site::Here());
  void UnlockFromIo(lockdep::Site site = lockdep::Site::Here());

  Owner owner() const { return owner_; }
  TaskId owner_task() const { return owner_task_; }
  bool locked() const { return owner_ != Owner::kNone; }
  bool HeldByCurrent() const;
  ObjectId id() const { return id_; }

  void AppendBlockers(TaskId waiter, Blockers* out) const override;
  std::optional<lockdep::LockClassId> lock_class() const override { return map_.lock_class; }

 private:
  struct Waiter {
    TaskId task;
    bool wants_lock;
  };
  void Release();

  Simulation& sim_;
  lockdep::LockMap map_;
  ObjectId id_;
  Owner owner_ = Owner::kNone;
  TaskId owner_task_ = kNoTask;
  absl::InlinedVector<Waiter, 4> waiters_;
};

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_SYNC_PAGE_LOCK_H_
