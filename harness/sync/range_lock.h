// A lock on ranges of a file: two tasks hold it at once only where their ranges do not overlap, or both are shared. Fair: a
// request waits for every one before it that it conflicts with, whether that is held or waits itself.
// Kernel: btrfs' extent lock (lock_extent), zfs' range lock.
//
// Thread-safety: tasks of one simulation.
// Invariants:    a task has at most one range of a lock; ranges that are held do not conflict; ranges_ is in order of arrival.
//                To the validator all ranges are one lock: who holds one and wants another of the same lock is reported.
// Cost:          each call looks at all ranges.
// Example:
//   RangeLock lock(sim, sim.Class("btrfs_range_lock"), "range lock of inode", 1);
//   lock.LockExclusive(0, 4);
//   lock.Unlock();
#ifndef ORDEAL_HARNESS_SYNC_RANGE_LOCK_H_
#define ORDEAL_HARNESS_SYNC_RANGE_LOCK_H_

#include "absl/container/inlined_vector.h"
#include "harness/sync/simulation.h"

namespace ordeal {

class RangeLock : public Waitable {
 public:
  RangeLock(Simulation& sim, lockdep::LockClassId lock_class, const char* name = "range lock", uint32_t number = 0);

  // [begin, end), end > begin.
  void LockExclusive(uint32_t begin, uint32_t end, lockdep::Site site = lockdep::Site::Here());
  void LockShared(uint32_t begin, uint32_t end, lockdep::Site site = lockdep::Site::Here());
  // The range that the current task holds.
  void Unlock(lockdep::Site site = lockdep::Site::Here());

  bool HeldByCurrent() const;
  bool unused() const { return ranges_.empty(); }  // neither held nor waited for

  void AppendBlockers(TaskId waiter, Blockers* out) const override;
  std::optional<lockdep::LockClassId> lock_class() const override { return map_.lock_class; }

 private:
  // kDeclared: about to ask for it; others may come first.
  enum class State : uint8_t { kDeclared, kWaiting, kHeld };
  struct Range {
    TaskId task;
    uint32_t begin;
    uint32_t end;
    bool exclusive;
    State state;
  };
  static bool Conflict(const Range& a, const Range& b) {
    return a.begin < b.end && b.begin < a.end && (a.exclusive || b.exclusive);
  }
  void Lock(Range range, lockdep::Site site);
  bool MustWait(size_t index) const;
  size_t Find(TaskId task, State state) const;

  Simulation& sim_;
  lockdep::LockMap map_;
  ObjectId id_;
  absl::InlinedVector<Range, 4> ranges_;
};

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_SYNC_RANGE_LOCK_H_
