#include "harness/pagecache/lock_classes.h"

namespace ordeal::pagecache {

LockClasses LockClasses::Register(Simulation& sim, const LockClassNames& names) {
  LockClasses classes;
  classes.i_rwsem = sim.Class(names.i_rwsem);
  classes.invalidate_lock = sim.Class(names.invalidate_lock);
  classes.extent_lock = sim.Class(names.extent_lock);
  classes.mmap_lock = sim.Class("mmap_lock");
  classes.folio_lock = sim.Class("folio_lock", {.ordered_by_key = true});
  classes.i_pages = sim.Class("i_pages", {.inner = lockdep::WaitType::kConfig});
  classes.folio_writeback = sim.Class("folio_writeback", {.is_event = true});
  classes.inode_dio = sim.Class("inode_dio", {.is_event = true});
  classes.block_io = sim.Class("block_io", {.is_event = true});
  classes.dio_completion = sim.Class("dio_completion", {.is_event = true});
  classes.dio_slot = sim.Class("dio_completion_slot");
  classes.sb_writers = sim.Class("sb_writers");
  classes.sb_pagefaults = sim.Class("sb_pagefaults");
  classes.sb_internal = sim.Class("sb_internal");
  classes.inode_freeing = sim.Class("inode_freeing", {.is_event = true});
  classes.s_vfs_rename = sim.Class("s_vfs_rename");
  classes.balance_dirty = sim.Class("balance_dirty_pages", {.is_event = true});
  return classes;
}

}  // namespace ordeal::pagecache
