// The ordered extents of an inode: ranges that a write is on its way to. Who fills a page of one, maps its blocks or changes its
// extents waits until it is finished - without the range lock, which finishing takes.
//
// Thread-safety: tasks of one simulation.
// Invariants:    of two that overlap one is finished; who adds one owes its end: to the validator and the wait-for graph it is
//                the task to wait for. A finished one is kept until the run ends: waiters may still look at it.
// Cost:          a look is O(those added in the run).
// Example:
//   extents.Add(0, 4);
//   if (OrderedExtent* extent = extents.Find(2, 3); extent != nullptr) extent->Wait();
//   extents.Finish(0, 4);
#ifndef ORDEAL_HARNESS_FILESYSTEMS_BTRFS_ORDERED_EXTENTS_H_
#define ORDEAL_HARNESS_FILESYSTEMS_BTRFS_ORDERED_EXTENTS_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "harness/sync/wait_queue.h"

namespace ordeal {

class OrderedExtent {
 public:
  OrderedExtent(Simulation& sim, lockdep::LockClassId event_class, uint32_t inode_number, uint32_t begin, uint32_t end);

  bool Overlaps(uint32_t begin, uint32_t end) const { return !finished_ && begin_ < end && begin < end_; }
  bool Is(uint32_t begin, uint32_t end) const { return !finished_ && begin_ == begin && end_ == end; }
  void Wait();
  void Finish();

 private:
  const uint32_t begin_;  // pages
  const uint32_t end_;
  bool finished_ = false;
  WaitQueue queue_;
};

class OrderedExtents {
 public:
  OrderedExtents(Simulation& sim, lockdep::LockClassId event_class, uint32_t inode_number)
      : sim_(sim),
        event_class_(event_class),
        inode_number_(inode_number),
        might_wait_(sim, event_class, "ordered extents of inode", inode_number) {}

  // The current task will finish it.
  void Add(uint32_t begin, uint32_t end);
  void Finish(uint32_t begin, uint32_t end);
  // One that is not finished and overlaps; null if there is none. No scheduling point.
  OrderedExtent* Find(uint32_t begin, uint32_t end) const;
  // For the validator: the caller waits if there is one.
  void MightWait();
  // btrfs_wait_ordered_range, of the whole file. Without the range lock.
  void WaitForAll();
  bool empty() const { return Find(0, UINT32_MAX) == nullptr; }

 private:
  Simulation& sim_;
  const lockdep::LockClassId event_class_;
  const uint32_t inode_number_;
  WaitQueue might_wait_;  // the order counts where there happens to be none, too
  std::vector<std::unique_ptr<OrderedExtent>> extents_;
};

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_FILESYSTEMS_BTRFS_ORDERED_EXTENTS_H_
