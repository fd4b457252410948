// XFS 5.15 .. 6.1 (protocols 2.4, V4b): IOLOCK (i_rwsem) around every read and write, MMAPLOCK (the mapping's invalidate_lock)
// for faults and invalidation, ILOCK for the extent map.
//
// Thread-safety: tasks of one simulation; no state besides the bugs.
// Lock order:    xfs_iolock > mmap_lock > xfs_mmaplock > folio_lock > xfs_ilock > i_pages. Two inodes: IOLOCK by creation
//                ordinal (subclass 0, then 4), MMAPLOCK by creation ordinal (0, then 1), ILOCK by inode number (0, then 1).
// Example:       const Xfs xfs(bugs); World world(sim, xfs);
#ifndef ORDEAL_HARNESS_FILESYSTEMS_XFS_XFS_H_
#define ORDEAL_HARNESS_FILESYSTEMS_XFS_XFS_H_

#include "harness/pagecache/file_system.h"

namespace ordeal {

class Xfs : public pagecache::FileSystem {
 public:
  explicit Xfs(pagecache::BugSet bugs = {}) : FileSystem(bugs) {}

  const char* name() const override { return "xfs"; }
  pagecache::LockClassNames lock_class_names() const override { return {"xfs_iolock", "xfs_mmaplock", "xfs_ilock"}; }
  void ReadEnter(pagecache::World& world, pagecache::Inode& inode) const override;
  void ReadExit(pagecache::World& world, pagecache::Inode& inode) const override;
  void FillEnter(pagecache::World& world, pagecache::AddressSpace& mapping, pagecache::FillKind kind) const override;
  void FillExit(pagecache::World& world, pagecache::AddressSpace& mapping, pagecache::FillKind kind) const override;
  pagecache::Error FaultEnter(pagecache::World& world, pagecache::AddressSpace& mapping) const override;
  void FaultExit(pagecache::World& world, pagecache::AddressSpace& mapping) const override;
  pagecache::LockMode MkwriteEnter(pagecache::World& world, pagecache::AddressSpace& mapping) const override;
  void MkwriteExit(pagecache::World& world, pagecache::AddressSpace& mapping,
                   pagecache::LockMode mode) const override;
  void MapPagesEnter(pagecache::World& world, pagecache::AddressSpace& mapping) const override;
  void MapPagesExit(pagecache::World& world, pagecache::AddressSpace& mapping) const override;
  void WriteEnter(pagecache::World& world, pagecache::Inode& inode) const override;
  void WriteExit(pagecache::World& world, pagecache::Inode& inode) const override;
  void DirectReadEnter(pagecache::World& world, pagecache::Inode& inode) const override;
  void DirectReadExit(pagecache::World& world, pagecache::Inode& inode) const override;
  pagecache::LockMode DirectWriteEnter(pagecache::World& world, pagecache::Inode& inode, uint32_t offset_cells,
                                       uint32_t length_cells) const override;
  void DirectWriteExit(pagecache::World& world, pagecache::Inode& inode, pagecache::LockMode mode) const override;
  void InvalidateEnter(pagecache::World& world, pagecache::Inode& inode) const override;
  void InvalidateExit(pagecache::World& world, pagecache::Inode& inode) const override;
  void TwoInodesEnter(pagecache::World& world, pagecache::Inode& first, pagecache::Inode& second) const override;
  void TwoInodesExit(pagecache::World& world, pagecache::Inode& first, pagecache::Inode& second) const override;
  void ForceReadaheadEnter(pagecache::World& world, pagecache::Inode& inode) const override;
  void ForceReadaheadExit(pagecache::World& world, pagecache::Inode& inode) const override;
  void LinkEnter(pagecache::World& world, pagecache::Inode& directory, pagecache::Inode& inode) const override;
  void LinkExit(pagecache::World& world, pagecache::Inode& directory, pagecache::Inode& inode) const override;

 private:
  bool SkipsFillLock(pagecache::FillKind kind) const;
};

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_FILESYSTEMS_XFS_XFS_H_
