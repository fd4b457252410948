// bcachefs' lock of one mapping: add and block (harness/sync/two_state_lock.h), as merged without fairness, or, as an experiment,
// fair: arrivals of both states pass a turnstile in order, and one who waits stands in it.
//
// Fairness is what the review of the proposal asked for (protocols 2.5, hole c): whoever holds add and wants add again, as a read
// does whose copyout faults, then waits behind whoever wants block, who waits for the first hold.
//
// Thread-safety: tasks of one simulation.
// Lock order:    pagecache turnstile > pagecache_lock. Several mappings: block before add, ascending inode number.
// Example:
//   PagecacheStateLock& lock = ...;
//   lock.Lock(TwoState::kAdd);  lock.Unlock(TwoState::kAdd);
#ifndef ORDEAL_HARNESS_FILESYSTEMS_BCACHEFS_PAGECACHE_STATE_LOCK_H_
#define ORDEAL_HARNESS_FILESYSTEMS_BCACHEFS_PAGECACHE_STATE_LOCK_H_

#include <optional>
#include <string>

#include "harness/sync/mutex.h"
#include "harness/sync/two_state_lock.h"

namespace ordeal {

struct PagecacheStateLockClasses {
  lockdep::LockClassId lock{};
  lockdep::LockClassId turnstile{};  // used if fair

  static PagecacheStateLockClasses Register(Simulation& sim) {
    return {sim.Class("pagecache_lock", {.ordered_by_key = true, .kind = &lockdep::kTwoStateLock}),
            sim.Class("pagecache turnstile")};
  }
};

class PagecacheStateLock {
 public:
  PagecacheStateLock(Simulation& sim, const PagecacheStateLockClasses& classes, uint32_t inode_number, bool fair)
      : lock_(sim, classes.lock, "pagecache_lock of inode", inode_number, inode_number) {
    if (fair) turnstile_.emplace(sim, classes.turnstile, "pagecache turnstile of inode", inode_number);
  }

  void Lock(TwoState state, lockdep::Site site = lockdep::Site::Here()) {
    if (turnstile_.has_value()) turnstile_->Lock(0, site);
    lock_.Lock(state, 1, site);
    if (turnstile_.has_value()) turnstile_->Unlock(site);
  }
  bool TryLock(TwoState state, lockdep::Site site = lockdep::Site::Here()) {
    if (turnstile_.has_value() && !turnstile_->TryLock(0, site)) return false;
    const bool locked = lock_.TryLock(state, 1, site);
    if (turnstile_.has_value()) turnstile_->Unlock(site);
    return locked;
  }
  void Unlock(TwoState state, lockdep::Site site = lockdep::Site::Here()) { lock_.Unlock(state, 1, site); }
  bool HeldByCurrent(TwoState state) const { return lock_.HeldByCurrent(state); }
  bool has_waiters() const { return lock_.has_waiters(); }
  std::optional<std::string> FindBroken() const { return lock_.FindBroken(); }

 private:
  TwoStateLock lock_;
  std::optional<Mutex> turnstile_;
};

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_FILESYSTEMS_BCACHEFS_PAGECACHE_STATE_LOCK_H_
