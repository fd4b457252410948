#include "harness/filesystems/ext4/ext4.h"

#include "harness/pagecache/page_cache.h"

namespace ordeal {
namespace {

using pagecache::AddressSpace;
using pagecache::Bug;
using pagecache::Error;
using pagecache::FileSystemState;
using pagecache::Inode;
using pagecache::World;

class Journal : public FileSystemState {
 public:
  explicit Journal(Simulation& sim) : running_(sim, sim.Class("jbd2_handle"), "jbd2 handle") {}

  void Start(World& world) {
    if (world.task().transactions++ == 0) running_.LockShared();
  }
  void Stop(World& world) {
    if (--world.task().transactions == 0) running_.UnlockShared();
  }
  // Waits for the handles of everybody else; there are no new ones meanwhile.
  void Commit() {
    running_.LockExclusive();
    running_.UnlockExclusive();
  }

 private:
  RwSemaphore running_;
};

Journal& JournalOf(World& world) { return static_cast<Journal&>(*world.fs_state()); }

}  // namespace

absl::Span<const char* const> Ext4::lock_order() const {
  static constexpr const char* kOrder[] = {
      "sb_writers", "s_vfs_rename", "i_rwsem/1", "i_rwsem/5", "i_rwsem", "i_rwsem/4", "mmap_lock",
      "mmap_lock/1", "sb_pagefaults", "mapping.invalidate_lock", "mapping.invalidate_lock/1", "inode_dio",
      "balance_dirty_pages", "jbd2_handle", "folio_lock", "folio_writeback", "block_io", "sb_internal",
      "i_data_sem", "i_data_sem/1", "i_data_sem/2", "i_data_sem/3", "i_pages",
  };
  return kOrder;
}

absl::Span<const char* const> Ext4Immap::lock_order() const {
  static constexpr const char* kOrder[] = {
      "sb_writers", "s_vfs_rename", "i_rwsem/1", "i_rwsem/5", "i_rwsem", "i_rwsem/4", "mmap_lock",
      "mmap_lock/1", "sb_pagefaults", "i_mmap_sem", "i_mmap_sem/1", "inode_dio", "balance_dirty_pages",
      "jbd2_handle", "folio_lock", "folio_writeback", "block_io", "sb_internal", "i_data_sem",
      "i_data_sem/1", "i_data_sem/2", "i_data_sem/3", "i_pages",
  };
  return kOrder;
}

std::unique_ptr<FileSystemState> Ext4::MakeState(World& world) const { return std::make_unique<Journal>(world.sim()); }

Error Ext4::WriteBegin(World& world, Inode&, uint32_t) const {
  JournalOf(world).Start(world);
  return Error::kOk;
}
void Ext4::WriteEnd(World& world, Inode&, uint32_t) const { JournalOf(world).Stop(world); }

// The handle is there before the first folio is locked, since a transaction may span many folios.
void Ext4::WritepagesEnter(World& world, Inode&) const { JournalOf(world).Start(world); }
void Ext4::WritepagesExit(World& world, Inode&) const { JournalOf(world).Stop(world); }

// The transaction that freed the blocks is synchronous: it commits with both locks held.
void Ext4::InvalidateExit(World& world, Inode& inode) const {
  JournalOf(world).Commit();
  Vfs::InvalidateExit(world, inode);
}

Error Ext4Immap::FaultEnter(World&, AddressSpace& mapping) const {
  if (!bugs().Has(Bug::kB02FaultFillSkipsInvalidateLock)) mapping.invalidate_lock.LockShared();
  return Error::kOk;
}
void Ext4Immap::FaultExit(World&, AddressSpace& mapping) const {
  if (!bugs().Has(Bug::kB02FaultFillSkipsInvalidateLock)) mapping.invalidate_lock.UnlockShared();
}

}  // namespace ordeal
