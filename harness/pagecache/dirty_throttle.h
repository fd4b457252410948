// balance_dirty_pages: who has dirtied too much waits until the flusher has written some of it back (protocols 1.4.2, 1.4.3).
//
// The flusher is a daemon that writes every inode back, one after another. A writer waits for the pool to be below its limit, but
// not for more than a few rounds of the flusher: the kernel's pauses have an upper bound, too, and an injected error leaves dirty.
// Thread-safety: tasks of one simulation.
// Invariants:    the flusher holds nothing when it begins a round; waiters wait for it (an edge of the wait-for graph).
// Lock order:    whatever a writer may hold when it dirties (i_rwsem), but no folio lock, transaction or mmap_lock.
// Example:       world.BalanceDirtyPages();  // after each chunk of a write
#ifndef ORDEAL_HARNESS_PAGECACHE_DIRTY_THROTTLE_H_
#define ORDEAL_HARNESS_PAGECACHE_DIRTY_THROTTLE_H_

#include "harness/pagecache/page_cache.h"

namespace ordeal::pagecache {

class DirtyThrottle {
 public:
  explicit DirtyThrottle(World& world);  // spawns the flusher
  void Balance();
  uint32_t rounds() const { return rounds_; }  // of the flusher, ended

 private:
  uint32_t DirtyFolios() const;
  bool Exceeded() const { return DirtyFolios() > world_.options().dirty_folios_max; }
  void WakeFlusher();
  void Flush();

  World& world_;
  WaitQueue progress_;
  ObjectId id_;
  TaskId flusher_ = kNoTask;
  bool idle_ = false;
  bool wanted_ = false;
  uint32_t rounds_ = 0;
};

}  // namespace ordeal::pagecache

#endif  // ORDEAL_HARNESS_PAGECACHE_DIRTY_THROTTLE_H_
