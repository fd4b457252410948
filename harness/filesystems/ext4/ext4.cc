#include "harness/filesystems/ext4/ext4.h"

#include "harness/filesystems/journal.h"
#include "harness/pagecache/page_cache.h"

namespace ordeal {
namespace {

using pagecache::AddressSpace;
using pagecache::Bug;
using pagecache::Error;
using pagecache::FileSystemState;
using pagecache::FreezeLevel;
using pagecache::Inode;
using pagecache::LockMode;
using pagecache::World;

struct Ext4State : FileSystemState {
  explicit Ext4State(Simulation& sim) : journal(sim) {}

  Journal journal;
};

Journal& JournalOf(World& world) { return static_cast<Ext4State&>(*world.fs_state()).journal; }

// Maps the block of a directory that is read, and changed if there is a handle.
void MapDirectory(World& world, Inode& directory) {
  directory.extent_lock.LockShared();
  world.scheduler().Point(OperationKind::kRead, directory.id);
  directory.extent_lock.UnlockShared();
}

}  // namespace

absl::Span<const char* const> Ext4::lock_order() const {
  static constexpr const char* kOrder[] = {
      "sb_writers", "s_vfs_rename", "i_rwsem/1", "i_rwsem/5", "i_rwsem", "i_rwsem/4", "mmap_lock",
      "mmap_lock/1", "sb_pagefaults", "mapping.invalidate_lock", "inode_dio", "balance_dirty_pages", "sb_internal",
      "jbd2_handle", "folio_lock", "folio_writeback", "block_io", "i_data_sem", "i_pages",
  };
  return kOrder;
}

absl::Span<const char* const> Ext4Immap::lock_order() const {
  static constexpr const char* kOrder[] = {
      "sb_writers", "s_vfs_rename", "i_rwsem/1", "i_rwsem/5", "i_rwsem", "i_rwsem/4", "mmap_lock",
      "mmap_lock/1", "sb_pagefaults", "i_mmap_sem", "inode_dio", "balance_dirty_pages", "sb_internal",
      "jbd2_handle", "folio_lock", "folio_writeback", "block_io", "i_data_sem", "i_pages",
  };
  return kOrder;
}

std::unique_ptr<FileSystemState> Ext4::MakeState(World& world) const { return std::make_unique<Ext4State>(world.sim()); }

Error Ext4::WriteBegin(World& world, Inode&, uint32_t) const {
  JournalOf(world).Start(world);
  return Error::kOk;
}
void Ext4::WriteEnd(World& world, Inode&, uint32_t) const { JournalOf(world).Stop(world); }

// The handle is there before the first folio is locked, since a transaction may span many folios.
void Ext4::WritepagesEnter(World& world, Inode&) const { JournalOf(world).Start(world); }
void Ext4::WritepagesExit(World& world, Inode&) const { JournalOf(world).Stop(world); }

// The time is updated before the lock is taken, in a handle of its own.
LockMode Ext4::MkwriteEnter(World& world, AddressSpace& mapping) const {
  JournalOf(world).Start(world);
  JournalOf(world).Stop(world);
  return Vfs::MkwriteEnter(world, mapping);
}

// The transaction that freed the blocks is synchronous: it commits with both locks held.
void Ext4::InvalidateExit(World& world, Inode& inode) const {
  JournalOf(world).Commit();
  Vfs::InvalidateExit(world, inode);
}

void Ext4::TransactionEnter(World& world, Inode&) const { JournalOf(world).Start(world); }
void Ext4::TransactionExit(World& world, Inode&) const { JournalOf(world).Stop(world); }
void Ext4::FsyncExit(World& world, Inode&) const { JournalOf(world).Commit(); }

// Who drops the last reference to an inode need not have any protection from a freeze.
void Ext4::EvictEnter(World& world, Inode& inode) const {
  RwSemaphore* const level = world.freeze_level(FreezeLevel::kInternal);
  if (inode.nlink == 0 && level != nullptr) level->LockShared();
}
void Ext4::EvictExit(World& world, Inode& inode) const {
  RwSemaphore* const level = world.freeze_level(FreezeLevel::kInternal);
  if (inode.nlink == 0 && level != nullptr) level->UnlockShared();
}

// The entry is looked for before the handle is started.
void Ext4::LinkEnter(World& world, Inode& directory, Inode&) const {
  MapDirectory(world, directory);
  JournalOf(world).Start(world);
  MapDirectory(world, directory);
}
void Ext4::LinkExit(World& world, Inode&, Inode&) const { JournalOf(world).Stop(world); }

void Ext4::CreateEnter(World& world, Inode& directory, Inode& inode) const { LinkEnter(world, directory, inode); }
void Ext4::CreateExit(World& world, Inode& directory, Inode& inode) const { LinkExit(world, directory, inode); }

void Ext4::RenameEnter(World& world, Inode& source, Inode& target) const {
  Vfs::RenameEnter(world, source, target);
  JournalOf(world).Start(world);
  MapDirectory(world, world.DirectoryOf(source));
  MapDirectory(world, world.DirectoryOf(target));
}
void Ext4::RenameExit(World& world, Inode& source, Inode& target) const {
  JournalOf(world).Stop(world);
  Vfs::RenameExit(world, source, target);
}

Error Ext4Immap::FaultEnter(World&, AddressSpace& mapping) const {
  if (!bugs().Has(Bug::kB02FaultFillSkipsInvalidateLock)) mapping.invalidate_lock.LockShared();
  return Error::kOk;
}
void Ext4Immap::FaultExit(World&, AddressSpace& mapping) const {
  if (!bugs().Has(Bug::kB02FaultFillSkipsInvalidateLock)) mapping.invalidate_lock.UnlockShared();
}

}  // namespace ordeal
