// The VFS protocol before 5.15 (protocols 2.2, V2): nothing keeps fills out of punch hole. Truncate is safe thanks to i_size.
//
// Historical: stale exposure by punch hole against reads, faults and page_mkwrite (B01, B02, B05) is inherent.
// Thread-safety: tasks of one simulation; no state besides the bugs.
// Lock order:    i_rwsem > mmap_lock > folio_lock > i_data_sem > i_pages.
// Example:       const Vfs2020 vfs(bugs); World world(sim, vfs);
#ifndef ORDEAL_HARNESS_FILESYSTEMS_VFS_2020_VFS_2020_H_
#define ORDEAL_HARNESS_FILESYSTEMS_VFS_2020_VFS_2020_H_

#include "harness/pagecache/file_system.h"

namespace ordeal {

// The defaults of FileSystem are this protocol.
class Vfs2020 : public pagecache::FileSystem {
 public:
  explicit Vfs2020(pagecache::BugSet bugs = {}) : FileSystem(bugs) {}
  const char* name() const override { return "vfs-2020"; }
  absl::Span<const char* const> lock_order() const override {
    static constexpr const char* kOrder[] = {
        "sb_writers",          "s_vfs_rename", "i_rwsem/1",       "i_rwsem/5",     "i_rwsem",
        "i_rwsem/4",           "inode_dio",    "mmap_lock",       "mmap_lock/1",   "sb_pagefaults",
        "balance_dirty_pages", "folio_lock",   "folio_writeback", "block_io",      "sb_internal",
        "i_data_sem",          "i_data_sem/1", "i_data_sem/2",    "i_data_sem/3", "i_pages",
    };
    return kOrder;
  }
  pagecache::AsyncDirectIoRule async_direct_io() const override { return pagecache::AsyncDirectIoRule::kInPlace; }
};

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_FILESYSTEMS_VFS_2020_VFS_2020_H_
