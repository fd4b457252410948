// btrfs (protocols V15): a range lock and ordered extents keep page cache, direct I/O and extents apart where others have a fill
// lock. Direct I/O holds its range only with page faults disabled, and begins again when user memory has been faulted in (5.16).
//
//   fill          invalidate_lock shared (nobody takes it exclusively); under the folio lock: range lock, ordered extents
//                 waited for without it; let go once the read is submitted
//   buffered      under the folio lock: the same, until the data is in the folio
//   mkwrite       a transaction for the time, i_mmap_lock shared, folio lock, the same, until the folio is dirty
//   direct read   i_rwsem shared, range lock until the data is there
//   direct write  i_rwsem (shared inside the file), range lock, no page cached; an ordered extent keeps others out from there on
//   truncate      i_rwsem, ordered extents waited for, pages dropped, range lock, no page cached, extents change
//   fallocate, clone, dedupe: the same with i_mmap_lock
//   names         one transaction
//
// Thread-safety: tasks of one simulation. What a run needs is in BtrfsInode, made with each inode.
// Invariants:    no folio is locked, no user memory faulted in and no ordered extent waited for with a range lock held; in a
//                range with an ordered extent no page is filled, so that a direct write need not invalidate at its end.
// A transaction holds sb_internal. The ordered extents of write-back are not modelled: PG_writeback stands for them.
// Lock order:    i_rwsem > mmap_lock > btrfs_i_mmap_lock > mapping.invalidate_lock > folio_lock > btrfs_ordered_extent >
//                btrfs_range_lock > sb_internal > em_tree > i_pages. Two inodes: by number.
// Example:       const Btrfs btrfs(bugs); World world(sim, btrfs);
#ifndef ORDEAL_HARNESS_FILESYSTEMS_BTRFS_BTRFS_H_
#define ORDEAL_HARNESS_FILESYSTEMS_BTRFS_BTRFS_H_

#include <memory>
#include <vector>

#include "harness/filesystems/btrfs/ordered_extents.h"
#include "harness/pagecache/file_system.h"
#include "harness/pagecache/page_cache.h"
#include "harness/sync/range_lock.h"

namespace ordeal {

// Of an inode.
struct BtrfsInode : pagecache::FileSystemInodeState {
  BtrfsInode(Simulation& sim, uint32_t number, StealRule steal)
      : mmap_lock(sim, sim.Class("btrfs_i_mmap_lock"), "i_mmap_lock of inode", number, steal),
        range_lock(sim, sim.Class("btrfs_range_lock"), "range lock of inode", number),
        ordered(sim, sim.Class("btrfs_ordered_extent", {.is_event = true}), number) {}

  // Over pages, with no ordered extent in them: waits for those that there are, without the lock.
  void LockRange(uint32_t begin, uint32_t end);

  RwSemaphore mmap_lock;  // i_mmap_lock
  RangeLock range_lock;
  OrderedExtents ordered;
};
BtrfsInode& BtrfsOf(const pagecache::Inode& inode);

class Btrfs : public pagecache::FileSystem {
 public:
  explicit Btrfs(pagecache::BugSet bugs = {}) : FileSystem(bugs) {}

  const char* name() const override { return "btrfs"; }
  pagecache::LockClassNames lock_class_names() const override { return {"i_rwsem", "mapping.invalidate_lock", "em_tree"}; }
  absl::Span<const char* const> lock_order() const override;
  std::unique_ptr<pagecache::FileSystemInodeState> MakeInodeState(pagecache::World& world,
                                                                  pagecache::Inode& inode) const override;
  pagecache::Result FileDirectRead(pagecache::World& world, pagecache::Mm& mm, const pagecache::Io& io) const override;
  pagecache::Result FileDirectWrite(pagecache::World& world, pagecache::Mm& mm, const pagecache::Io& io) const override;
  void FillEnter(pagecache::World& world, pagecache::AddressSpace& mapping, pagecache::FillKind kind) const override;
  void FillExit(pagecache::World& world, pagecache::AddressSpace& mapping, pagecache::FillKind kind) const override;
  pagecache::Error ReadFolio(pagecache::World& world, pagecache::Folio& folio) const override;
  pagecache::LockMode MkwriteEnter(pagecache::World& world, pagecache::AddressSpace& mapping) const override;
  void MkwriteExit(pagecache::World& world, pagecache::AddressSpace& mapping, pagecache::LockMode mode) const override;
  pagecache::Error MkwriteFolio(pagecache::World& world, pagecache::Folio& folio) const override;
  pagecache::Error PrepareWrite(pagecache::World& world, pagecache::Folio& folio) const override;
  void FolioWritten(pagecache::World& world, pagecache::Folio& folio) const override;
  bool DirectIoEnter(pagecache::World& world, pagecache::Inode& inode, uint32_t begin_page, uint32_t end_page,
                     bool write) const override;
  void DirectIoExit(pagecache::World& world, pagecache::Inode& inode, uint32_t begin_page, uint32_t end_page,
                    bool write) const override;
  bool PlacesDirectAppends() const override { return true; }
  bool InvalidatesAfterDirectWrite() const override { return false; }
  void RangeEnter(pagecache::World& world, pagecache::Inode& inode, pagecache::RangeOperation operation) const override;
  void RangeExit(pagecache::World& world, pagecache::Inode& inode, pagecache::RangeOperation operation) const override;
  bool InvalidateKeepsFoliosOut() const override { return false; }
  bool HasRangeLock() const override { return true; }
  void ExtentsEnter(pagecache::World& world, pagecache::Inode& inode, uint32_t begin_page,
                    uint32_t end_page) const override;
  void ExtentsExit(pagecache::World& world, pagecache::Inode& inode) const override;
  void TwoInodesEnter(pagecache::World& world, pagecache::Inode& first, pagecache::Inode& second) const override;
  void TwoInodesExit(pagecache::World& world, pagecache::Inode& first, pagecache::Inode& second) const override;
  void LinkEnter(pagecache::World& world, pagecache::Inode& directory, pagecache::Inode& inode) const override;
  void LinkExit(pagecache::World& world, pagecache::Inode& directory, pagecache::Inode& inode) const override;
  void CreateEnter(pagecache::World& world, pagecache::Inode& directory, pagecache::Inode& inode) const override;
  void CreateExit(pagecache::World& world, pagecache::Inode& directory, pagecache::Inode& inode) const override;
  void RenameEnter(pagecache::World& world, pagecache::Inode& source, pagecache::Inode& target) const override;
  void RenameExit(pagecache::World& world, pagecache::Inode& source, pagecache::Inode& target) const override;
  // get_user_pages of Linux does, under the ordered extent of a write (as B74c on GFS2).
  bool NofaultTakesMmapLock() const override { return false; }
  void CheckInvariants(const pagecache::World& world,
                       std::vector<pagecache::InvariantViolation>* found) const override;
};

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_FILESYSTEMS_BTRFS_BTRFS_H_
