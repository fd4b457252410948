// The locked entries of a DAX mapping's page tree: each index has an entry or none, an entry is locked or not, and who wants one
// that is locked sleeps in a queue that all indices share (the kernel hashes). Waiters are exclusive: an unlock wakes one of its
// index, whoever takes an entry away wakes all of its waiters.
//
// Thread-safety: tasks of one simulation; made anew for each run.
// Invariants:    an entry's owner is a live task; a waiter waits for the owner of its entry. The validator does not know of
//                these locks, as the kernel's does not.
// Lock order:    entry > extent lock (a fault maps its blocks with the entry locked); entries of one task by ascending index.
// Example:
//   if (entries.Lock(0)) { ...; entries.Unlock(0); }        // false: there is none (any more)
#ifndef ORDEAL_HARNESS_FILESYSTEMS_DAX_DAX_ENTRIES_H_
#define ORDEAL_HARNESS_FILESYSTEMS_DAX_DAX_ENTRIES_H_

#include <array>
#include <vector>

#include "harness/sched/scheduler.h"

namespace ordeal {

inline constexpr int kDaxEntries = 2;

class DaxEntries {
 public:
  // With entries for all indices, unlocked.
  explicit DaxEntries(Scheduler& scheduler);

  // Sleeps while the entry is locked. False if there is none (any more).
  bool Lock(int index, lockdep::Site site = lockdep::Site::Here());
  void Unlock(int index, lockdep::Site site = lockdep::Site::Here());
  // Takes a locked entry away: nobody will unlock it, so everybody who waits for it must look. `wakes_one` (B77): only one is
  // woken, and if that one finds no entry nobody wakes the next.
  void Delete(int index, bool wakes_one, lockdep::Site site = lockdep::Site::Here());

 private:
  struct Entry : Waitable {
    void AppendBlockers(TaskId, Blockers* out) const override { out->Add(owner); }
    bool exists = true;
    TaskId owner = kNoTask;
    ObjectId id = kNoObject;
  };
  struct Waiter {
    TaskId task;
    int index;
  };
  void Wake(int index, bool all);

  Scheduler& scheduler_;
  std::array<Entry, kDaxEntries> entries_;
  std::vector<Waiter> queue_;  // of all indices
};

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_FILESYSTEMS_DAX_DAX_ENTRIES_H_
