// ext4 (protocols 2.1 and 2.3): today's, with the VFS's invalidate_lock, and the one of 4.5 to 5.14 with a semaphore of its own
// that covers faults only. Both start a jbd2 handle before they lock folios: TX > PG, the other way round than XFS.
//
// Handles are started by writes, write-back, changes of extents, of times (a store updates them before the invalidate_lock is
// taken) and of directories. Here a truncate or punch commits before it returns, as with a synchronous mount, and so does fsync.
// Only the deletion of an inode protects itself from a freeze: all others are inside a write or a page fault, which do.
// Files do not share blocks.
// Thread-safety: tasks of one simulation; the journal (journal.h) belongs to one run.
// Lock order:    i_rwsem > mmap_lock > mapping.invalidate_lock (ext4-immap: i_mmap_sem) > sb_internal > jbd2_handle >
//                folio_lock > i_data_sem > i_pages. Two inodes of a rename as in vfs.h.
// Example:       const Ext4 ext4(bugs); World world(sim, ext4);
#ifndef ORDEAL_HARNESS_FILESYSTEMS_EXT4_EXT4_H_
#define ORDEAL_HARNESS_FILESYSTEMS_EXT4_EXT4_H_

#include <memory>

#include "harness/filesystems/vfs/vfs.h"

namespace ordeal {

class Ext4 : public Vfs {
 public:
  explicit Ext4(pagecache::BugSet bugs = {}) : Vfs(bugs) {}

  const char* name() const override { return "ext4"; }
  absl::Span<const char* const> lock_order() const override;
  std::unique_ptr<pagecache::FileSystemState> MakeState(pagecache::World& world) const override;
  pagecache::Error WriteBegin(pagecache::World& world, pagecache::Inode& inode, uint32_t page) const override;
  void WriteEnd(pagecache::World& world, pagecache::Inode& inode, uint32_t page) const override;
  void WritepagesEnter(pagecache::World& world, pagecache::Inode& inode) const override;
  void WritepagesExit(pagecache::World& world, pagecache::Inode& inode) const override;
  pagecache::LockMode MkwriteEnter(pagecache::World& world, pagecache::AddressSpace& mapping) const override;
  void InvalidateExit(pagecache::World& world, pagecache::Inode& inode) const override;
  bool SharesBlocks() const override { return false; }
  void EvictEnter(pagecache::World& world, pagecache::Inode& inode) const override;
  void EvictExit(pagecache::World& world, pagecache::Inode& inode) const override;
  void LinkEnter(pagecache::World& world, pagecache::Inode& directory, pagecache::Inode& inode) const override;
  void LinkExit(pagecache::World& world, pagecache::Inode& directory, pagecache::Inode& inode) const override;
  void CreateEnter(pagecache::World& world, pagecache::Inode& directory, pagecache::Inode& inode) const override;
  void CreateExit(pagecache::World& world, pagecache::Inode& directory, pagecache::Inode& inode) const override;
  void RenameEnter(pagecache::World& world, pagecache::Inode& source, pagecache::Inode& target) const override;
  void RenameExit(pagecache::World& world, pagecache::Inode& source, pagecache::Inode& target) const override;
  void TransactionEnter(pagecache::World& world, pagecache::Inode& inode) const override;
  void TransactionExit(pagecache::World& world, pagecache::Inode& inode) const override;
  bool WritebackIsTransaction() const override { return false; }
  void FsyncExit(pagecache::World& world, pagecache::Inode& inode) const override;
};

// 4.5 .. 5.14: i_mmap_sem around the whole fault and page_mkwrite; reads and readahead are not covered (B03, B04).
class Ext4Immap : public Ext4 {
 public:
  explicit Ext4Immap(pagecache::BugSet bugs = {}) : Ext4(bugs) {}

  const char* name() const override { return "ext4-immap"; }
  absl::Span<const char* const> lock_order() const override;
  pagecache::LockClassNames lock_class_names() const override { return {"i_rwsem", "i_mmap_sem", "i_data_sem"}; }
  void FillEnter(pagecache::World&, pagecache::AddressSpace&, pagecache::FillKind) const override {}
  void FillExit(pagecache::World&, pagecache::AddressSpace&, pagecache::FillKind) const override {}
  pagecache::Error FaultEnter(pagecache::World& world, pagecache::AddressSpace& mapping) const override;
  void FaultExit(pagecache::World& world, pagecache::AddressSpace& mapping) const override;
  bool InvalidateKeepsFoliosOut() const override { return false; }  // of reads: B03
};

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_FILESYSTEMS_EXT4_EXT4_H_
