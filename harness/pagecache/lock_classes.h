// The lock classes of one world, resolved once for a simulation. A file system chooses the names of three of them.
//
// Thread-safety: plain value.
// Example:       const LockClasses classes = LockClasses::Register(sim, file_system.lock_class_names());
#ifndef ORDEAL_HARNESS_PAGECACHE_LOCK_CLASSES_H_
#define ORDEAL_HARNESS_PAGECACHE_LOCK_CLASSES_H_

#include "harness/sync/rw_semaphore.h"
#include "harness/sync/simulation.h"

namespace ordeal::pagecache {

struct LockClassNames {
  const char* i_rwsem = "i_rwsem";
  const char* invalidate_lock = "mapping.invalidate_lock";
  const char* extent_lock = "i_data_sem";
};

struct LockClasses {
  lockdep::LockClassId i_rwsem;
  lockdep::LockClassId invalidate_lock;
  lockdep::LockClassId extent_lock;
  lockdep::LockClassId mmap_lock;
  lockdep::LockClassId folio_lock;       // ordered by (inode number << 32 | index)
  lockdep::LockClassId i_pages;          // spins
  lockdep::LockClassId folio_writeback;  // event
  lockdep::LockClassId inode_dio;        // event
  lockdep::LockClassId block_io;         // event: a direct I/O or a synchronous read completes
  lockdep::LockClassId dio_completion;   // event: a work item has completed an asynchronous direct I/O
  lockdep::LockClassId dio_slot;         // of the workers that do
  lockdep::LockClassId sb_writers;       // freeze levels
  lockdep::LockClassId sb_pagefaults;
  lockdep::LockClassId sb_internal;
  lockdep::LockClassId inode_freeing;    // event: an eviction ends
  lockdep::LockClassId s_vfs_rename;
  lockdep::LockClassId balance_dirty;    // event: the flusher has written enough

  static LockClasses Register(Simulation& sim, const LockClassNames& names);
};

}  // namespace ordeal::pagecache

#endif  // ORDEAL_HARNESS_PAGECACHE_LOCK_CLASSES_H_
