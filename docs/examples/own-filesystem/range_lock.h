// A lock on ranges of a file: two tasks hold it at once only if their ranges do not overlap. Fair: a request waits for every
// overlapping one that came before it, whether that is held or waits itself.
//
// Thread-safety: tasks of one simulation.
// Invariants:    a task has at most one range; ranges that are held do not overlap; ranges_ is in order of arrival.
// Cost:          Lock and Unlock look at all ranges.
// Example:
//   RangeLock lock(sim, sim.Class("ledger.range_lock"), "range lock of inode", 1);
//   lock.Lock(0, 4);
//   lock.Unlock();
#ifndef MYTRIAL_RANGE_LOCK_H_
#define MYTRIAL_RANGE_LOCK_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "harness/sync/simulation.h"

namespace mytrial {

class RangeLock : public ordeal::Waitable {
 public:
  // `name` is shown in reports and must outlive the lock; `number` tells instances apart.
  RangeLock(ordeal::Simulation& sim, ordeal::lockdep::LockClassId lock_class, const char* name, uint32_t number);

  // [begin, end), end > begin.
  void Lock(uint32_t begin, uint32_t end, ordeal::lockdep::Site site = ordeal::lockdep::Site::Here());
  // The range that the current task holds.
  void Unlock(ordeal::lockdep::Site site = ordeal::lockdep::Site::Here());

  // For the wait-for graph: a waiter waits for all overlapping requests before its own.
  void AppendBlockers(ordeal::TaskId waiter, ordeal::Blockers* out) const override;
  std::optional<ordeal::lockdep::LockClassId> lock_class() const override { return map_.lock_class; }

 private:
  struct Range {
    ordeal::TaskId task;
    uint32_t begin;
    uint32_t end;
    bool held;
  };
  static bool Overlap(const Range& a, const Range& b) { return a.begin < b.end && b.begin < a.end; }
  bool MustWait(size_t index) const;
  size_t IndexOf(ordeal::TaskId task) const;

  ordeal::Simulation& sim_;
  ordeal::lockdep::LockMap map_;
  ordeal::ObjectId id_;
  std::vector<Range> ranges_;
};

}  // namespace mytrial

#endif  // MYTRIAL_RANGE_LOCK_H_
