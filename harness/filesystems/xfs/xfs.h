// XFS 5.15 .. 6.1 (protocols 2.4, V4b): IOLOCK (i_rwsem) around every read and write, MMAPLOCK (the mapping's invalidate_lock)
// for faults and invalidation, ILOCK for the extent map.
//
// Thread-safety: tasks of one simulation; an inode's state belongs to one run.
// Lock order:    xfs_iolock > mmap_lock > xfs_mmaplock > folio_lock > sb_internal > xfs_ilock > i_pages. Two inodes: IOLOCK by
//                creation ordinal (subclass 0, then 4), MMAPLOCK by creation ordinal (0, then 1), ILOCK by inode number (0, then
//                1); a directory in which something is made: ILOCK of subclass 5, before the new inode's.
// Example:       const Xfs xfs(bugs); World world(sim, xfs);
#ifndef ORDEAL_HARNESS_FILESYSTEMS_XFS_XFS_H_
#define ORDEAL_HARNESS_FILESYSTEMS_XFS_XFS_H_

#include <memory>

#include "harness/pagecache/file_system.h"

namespace ordeal {

// What XFS keeps with an inode.
class XfsInode : public pagecache::FileSystemInodeState {
 public:
  static XfsInode& Of(const pagecache::Inode& inode) { return static_cast<XfsInode&>(*inode.fs_state); }
  // IREMAPPING: a clone of it is under way, with its locks held shared: readers go on, writers lock exclusively (2.4.4).
  bool is_remapping = false;
  // REFLINK of the inode on disk: it has, or had, blocks that others share.
  bool is_reflinked = false;
};

class Xfs : public pagecache::FileSystem {
 public:
  explicit Xfs(pagecache::BugSet bugs = {}) : FileSystem(bugs) {}

  const char* name() const override { return "xfs"; }
  absl::Span<const char* const> lock_order() const override;
  pagecache::AsyncDirectIoRule async_direct_io() const override { return pagecache::AsyncDirectIoRule::kMayExtend; }
  pagecache::LockClassNames lock_class_names() const override { return {"xfs_iolock", "xfs_mmaplock", "xfs_ilock"}; }
  std::unique_ptr<pagecache::FileSystemInodeState> MakeInodeState(pagecache::World& world,
                                                                  pagecache::Inode& inode) const override;
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
  bool MapsBeforeFolioLock() const override { return true; }
  bool DirectWritesPartOfBlock() const override { return true; }
  void DirectReadEnter(pagecache::World& world, pagecache::Inode& inode) const override;
  void DirectReadExit(pagecache::World& world, pagecache::Inode& inode) const override;
  pagecache::LockMode DirectWriteEnter(pagecache::World& world, pagecache::Inode& inode, uint32_t offset_cells,
                                       uint32_t length_cells) const override;
  void DirectWriteExit(pagecache::World& world, pagecache::Inode& inode, pagecache::LockMode mode) const override;
  void InvalidateEnter(pagecache::World& world, pagecache::Inode& inode) const override;
  void InvalidateExit(pagecache::World& world, pagecache::Inode& inode) const override;
  void RangeEnter(pagecache::World& world, pagecache::Inode& inode, pagecache::RangeOperation operation) const override;
  void TwoInodesEnter(pagecache::World& world, pagecache::Inode& first, pagecache::Inode& second) const override;
  void TwoInodesExit(pagecache::World& world, pagecache::Inode& first, pagecache::Inode& second) const override;
  bool RemapLocksBothExtents() const override { return false; }
  void RemapEnter(pagecache::World& world, pagecache::Inode& source, pagecache::Inode& target) const override;
  void RemapPrepared(pagecache::World& world, pagecache::Inode& source, pagecache::Inode& target) const override;
  void RemapExit(pagecache::World& world, pagecache::Inode& source, pagecache::Inode& target) const override;
  void ForceReadaheadEnter(pagecache::World& world, pagecache::Inode& inode) const override;
  void ForceReadaheadExit(pagecache::World& world, pagecache::Inode& inode) const override;
  void LinkEnter(pagecache::World& world, pagecache::Inode& directory, pagecache::Inode& inode) const override;
  void LinkExit(pagecache::World& world, pagecache::Inode& directory, pagecache::Inode& inode) const override;
  void CreateEnter(pagecache::World& world, pagecache::Inode& directory, pagecache::Inode& inode) const override;
  void CreateExit(pagecache::World& world, pagecache::Inode& directory, pagecache::Inode& inode) const override;
  void RenameEnter(pagecache::World& world, pagecache::Inode& source, pagecache::Inode& target) const override;
  void RenameExit(pagecache::World& world, pagecache::Inode& source, pagecache::Inode& target) const override;

 private:
  bool SkipsFillLock(pagecache::FillKind kind) const;
  pagecache::LockMode LockForDirectWrite(pagecache::Inode& inode, uint32_t offset_cells, uint32_t length_cells) const;
  static void UpdateTime(pagecache::World& world, pagecache::Inode& inode);
  static void MarkReflinked(pagecache::World& world, pagecache::Inode& source, pagecache::Inode& target);
  static void LockTwoIlocks(pagecache::World& world, pagecache::Inode& first, pagecache::Inode& second);
};

// 4.x .. 5.14 (V4a): MMAPLOCK is a lock of XFS's own, which the VFS does not take where it fills, but ->fault around all of it.
// Reads fill under the IOLOCK; fadvise took neither before c:40144e49ff84 (B04).
class Xfs4 : public Xfs {
 public:
  explicit Xfs4(pagecache::BugSet bugs = {}) : Xfs(bugs) {}

  const char* name() const override { return "xfs-4"; }
  bool MapsBeforeFolioLock() const override { return false; }
  void FillEnter(pagecache::World&, pagecache::AddressSpace&, pagecache::FillKind) const override {}
  void FillExit(pagecache::World&, pagecache::AddressSpace&, pagecache::FillKind) const override {}
  pagecache::Error FaultEnter(pagecache::World& world, pagecache::AddressSpace& mapping) const override;
  void FaultExit(pagecache::World& world, pagecache::AddressSpace& mapping) const override;
  void ForceReadaheadEnter(pagecache::World&, pagecache::Inode&) const override {}
  void ForceReadaheadExit(pagecache::World&, pagecache::Inode&) const override {}
};

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_FILESYSTEMS_XFS_XFS_H_
