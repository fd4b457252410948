// The VFS protocol since 5.15: mapping.invalidate_lock keeps fills out of truncate and punch hole (protocols 2.1, V1).
// Extent locking and direct writes are ext4's: i_data_sem, and i_rwsem shared for pure overwrites only.
//
// Thread-safety: tasks of one simulation; no state besides the bugs.
// Lock order:    i_rwsem > mmap_lock > mapping.invalidate_lock > folio_lock > i_data_sem > i_pages.
// Example:       const Vfs vfs(bugs); World world(sim, vfs);
#ifndef ORDEAL_HARNESS_FILESYSTEMS_VFS_VFS_H_
#define ORDEAL_HARNESS_FILESYSTEMS_VFS_VFS_H_

#include "harness/pagecache/file_system.h"

namespace ordeal {

class Vfs : public pagecache::FileSystem {
 public:
  explicit Vfs(pagecache::BugSet bugs = {}) : FileSystem(bugs) {}

  const char* name() const override { return "vfs"; }
  absl::Span<const char* const> lock_order() const override;
  pagecache::AsyncDirectIoRule async_direct_io() const override { return pagecache::AsyncDirectIoRule::kInPlace; }
  void FillEnter(pagecache::World& world, pagecache::AddressSpace& mapping, pagecache::FillKind kind) const override;
  void FillExit(pagecache::World& world, pagecache::AddressSpace& mapping, pagecache::FillKind kind) const override;
  pagecache::Error FaultEnter(pagecache::World& world, pagecache::AddressSpace& mapping) const override;
  void FaultExit(pagecache::World& world, pagecache::AddressSpace& mapping) const override;
  pagecache::LockMode MkwriteEnter(pagecache::World& world, pagecache::AddressSpace& mapping) const override;
  void MkwriteExit(pagecache::World& world, pagecache::AddressSpace& mapping,
                   pagecache::LockMode mode) const override;
  pagecache::LockMode DirectWriteEnter(pagecache::World& world, pagecache::Inode& inode, uint32_t offset_cells,
                                       uint32_t length_cells) const override;
  void InvalidateEnter(pagecache::World& world, pagecache::Inode& inode) const override;
  void InvalidateExit(pagecache::World& world, pagecache::Inode& inode) const override;
  void TwoInodesEnter(pagecache::World& world, pagecache::Inode& first, pagecache::Inode& second) const override;
  void TwoInodesExit(pagecache::World& world, pagecache::Inode& first, pagecache::Inode& second) const override;

 private:
  bool SkipsFillLock(pagecache::FillKind kind) const;
};

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_FILESYSTEMS_VFS_VFS_H_
