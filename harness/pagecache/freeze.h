// Freezing a file system (sb_start_write and its kin): three levels that who changes something holds shared, and that a freeze
// takes exclusively in this order, with everything written back before the last.
//
// Thread-safety: tasks of one simulation.
// Lock order:    sb_writers > i_rwsem > mmap_lock > sb_pagefaults > ... > folio_lock > sb_internal > extent lock.
// Cost:          nothing unless the world is freezable (the kernel's are per-CPU counters).
// Example:       const FreezeGuard guard(world, FreezeLevel::kWrite);
#ifndef ORDEAL_HARNESS_PAGECACHE_FREEZE_H_
#define ORDEAL_HARNESS_PAGECACHE_FREEZE_H_

#include "harness/pagecache/page_cache.h"

namespace ordeal::pagecache {

class FreezeGuard {
 public:
  FreezeGuard(World& world, FreezeLevel level) : semaphore_(world.freeze_level(level)) {
    if (semaphore_ != nullptr) semaphore_->LockShared();
  }
  ~FreezeGuard() {
    if (semaphore_ != nullptr) semaphore_->UnlockShared();
  }
  FreezeGuard(const FreezeGuard&) = delete;
  FreezeGuard& operator=(const FreezeGuard&) = delete;

 private:
  RwSemaphore* const semaphore_;
};

// A transaction of the file system (FileSystem::TransactionEnter): the third level, and what else it takes.
class TransactionGuard {
 public:
  TransactionGuard(World& world, Inode& inode) : world_(world), inode_(inode) { world_.fs().TransactionEnter(world_, inode_); }
  ~TransactionGuard() { world_.fs().TransactionExit(world_, inode_); }
  TransactionGuard(const TransactionGuard&) = delete;
  TransactionGuard& operator=(const TransactionGuard&) = delete;

 private:
  World& world_;
  Inode& inode_;
};

}  // namespace ordeal::pagecache

#endif  // ORDEAL_HARNESS_PAGECACHE_FREEZE_H_
