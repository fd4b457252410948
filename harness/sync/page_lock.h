// PG_locked: a lock bit whose owner is a task or an I/O request, and which another context may release (a read's completion
// unlocks the folio that the reader locked).
//
// Waiters either want the lock or only want to see it released (WaitUnlocked); both queue in order of arrival. Unlock hands
// the lock to the first waiter that wants it and wakes the waiters-to-see before it. As an option (PageLockRules) it is as unfair
// as the kernel's: unlock only wakes a waiter, which may find the lock stolen by an arrival, so many times before it is handed
// over; and pages whose wait queues have one hash wake each other's waiters, who then sleep again.
// Source: mm/filemap.c as described in protocols 1.1.1.
//
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

#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/functional/function_ref.h"
#include "harness/sync/plugged_request.h"
#include "harness/sync/simulation.h"

namespace ordeal {

class PageLock;

// The hash table of the wait queues of page locks. It must outlive the locks.
class PageWaitTable {
 public:
  explicit PageWaitTable(size_t buckets) : buckets_(buckets) {}

 private:
  friend class PageLock;
  std::vector<std::vector<PageLock*>> buckets_;  // those with waiters, in order of their first one
};

inline constexpr int kPageStealsOfKernel = 5;    // since 5.9
inline constexpr int kPageStealsUnbounded = -1;  // before
struct PageLockRules {
  int steals_max = 0;  // how often a woken waiter may find the lock stolen; 0: it is always handed over
  PageWaitTable* wait_table = nullptr;  // null: each has a queue of its own
};

class PageLock : public Waitable {
 public:
  enum class Owner : uint8_t { kNone, kTask, kIo };

  PageLock(Simulation& sim, lockdep::LockClassId lock_class, const char* name = "folio", uint32_t number = 0,
           uint64_t order_key = 0, PageLockRules rules = {});
  ~PageLock() override;

  void Lock(lockdep::Site site = lockdep::Site::Here());
  // False, with nothing taken, if a signal (a fault, ChoiceKind::kSignal) ends the wait.
  bool LockKillable(lockdep::Site site = lockdep::Site::Here());
  // Waits for the lock or until `instead()` is true: false then, with nothing taken. It is asked once on arrival and after each
  // wake-up that did not bring the lock; whoever makes it true says WakeWaiters. The validator is told of a trylock.
  bool LockOr(absl::FunctionRef<bool()> instead, lockdep::Site site = lockdep::Site::Here());
  // All waiters look again (wake_up_page_all); no scheduling point.
  void WakeWaiters();
  // May also fail as a fault (ChoiceKind::kTrylock).
  bool TryLock(lockdep::Site site = lockdep::Site::Here());
  // Born locked: takes a lock that nobody else can see yet, without a scheduling point.
  void LockNew(lockdep::Site site = lockdep::Site::Here());
  void Unlock(lockdep::Site site = lockdep::Site::Here());
  // Sleeps until it is seen unlocked (or released once); takes nothing.
  void WaitUnlocked(lockdep::Site site = lockdep::Site::Here());

  // `request`, if known, must live until the completion takes over or unlocks: while it is plugged, waiters wait for its task.
  void HandOverToIo(const PluggedRequest* request = nullptr);
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
    bool woken = false;  // has been told that the lock is free, and has not looked yet
    int steals = 0;      // how often it found the lock stolen
  };
  using Waiters = absl::InlinedVector<Waiter, 4>;
  bool TakeIfFree();
  bool WaitFor(bool wants_lock, bool killable, lockdep::Site site);
  bool Served(TaskId task, bool wants_lock);
  Waiters::iterator Find(TaskId task);
  void Leave(Waiters::iterator waiter);
  void Enqueue(TaskId task, bool wants_lock);
  void Release();
  void HandTo(Waiters::iterator waiter);
  void WakeSharers(size_t first_waiters);
  void WakeOneOfUnfair();
  void WakeCollisions();

  Simulation& sim_;
  lockdep::LockMap map_;
  ObjectId id_;
  Owner owner_ = Owner::kNone;
  TaskId owner_task_ = kNoTask;
  TaskId completing_ = kNoTask;  // kIo: the task of the completion, once that has begun
  const PluggedRequest* request_ = nullptr;
  PageLockRules rules_;
  Waiters waiters_;
};

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_SYNC_PAGE_LOCK_H_
