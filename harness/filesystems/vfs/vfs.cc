#include "harness/filesystems/vfs/vfs.h"

namespace ordeal {

using pagecache::AddressSpace;
using pagecache::Bug;
using pagecache::Error;
using pagecache::ExtentKind;
using pagecache::FillKind;
using pagecache::Inode;
using pagecache::LockMode;
using pagecache::World;

absl::Span<const char* const> Vfs::lock_order() const {
  static constexpr const char* kOrder[] = {
      "sb_writers", "s_vfs_rename", "i_rwsem/1", "i_rwsem/5", "i_rwsem", "i_rwsem/4", "mmap_lock",
      "mmap_lock/1", "sb_pagefaults", "mapping.invalidate_lock", "mapping.invalidate_lock/1", "inode_dio",
      "balance_dirty_pages", "folio_lock", "folio_writeback", "block_io", "sb_internal", "i_data_sem",
      "i_data_sem/1", "i_data_sem/2", "i_data_sem/3", "i_pages",
  };
  return kOrder;
}

bool Vfs::SkipsFillLock(FillKind kind) const {
  return bugs().Has(kind == FillKind::kRead ? Bug::kB01ReadFillSkipsInvalidateLock
                                            : Bug::kB02FaultFillSkipsInvalidateLock);
}

void Vfs::FillEnter(World&, AddressSpace& mapping, FillKind kind) const {
  if (!SkipsFillLock(kind)) mapping.invalidate_lock.LockShared();
}
void Vfs::FillExit(World&, AddressSpace& mapping, FillKind kind) const {
  if (!SkipsFillLock(kind)) mapping.invalidate_lock.UnlockShared();
}

// Nothing: filemap_fault takes the lock where it fills. B70 is a wrapper that takes it around the whole fault as well.
Error Vfs::FaultEnter(World&, AddressSpace& mapping) const {
  if (bugs().Has(Bug::kB70NestedInvalidateLock)) mapping.invalidate_lock.LockShared();
  return Error::kOk;
}
void Vfs::FaultExit(World&, AddressSpace& mapping) const {
  if (bugs().Has(Bug::kB70NestedInvalidateLock)) mapping.invalidate_lock.UnlockShared();
}

// B05 leaves it out, and the look at the folio's mapping with it (fault.cc).
LockMode Vfs::MkwriteEnter(World&, AddressSpace& mapping) const {
  if (bugs().Has(Bug::kB05MkwriteVsPunch)) return LockMode::kNone;
  mapping.invalidate_lock.LockShared();
  return LockMode::kShared;
}
void Vfs::MkwriteExit(World&, AddressSpace& mapping, LockMode mode) const {
  if (mode == LockMode::kShared) mapping.invalidate_lock.UnlockShared();
}

// Shared only if every block is written and lies inside the file (ext4_dio_write_checks); exclusive otherwise.
LockMode Vfs::DirectWriteEnter(World&, Inode& inode, uint32_t offset_cells, uint32_t length_cells) const {
  inode.i_rwsem.LockShared();
  bool overwrite = offset_cells + length_cells <= inode.i_size;
  inode.extent_lock.LockShared();
  const uint32_t end = pagecache::PagesFor(offset_cells + length_cells);
  for (uint32_t page = pagecache::PageOf(offset_cells); page < end; ++page) {
    overwrite &= inode.extents[page].kind == ExtentKind::kWritten;
  }
  inode.extent_lock.UnlockShared();
  if (overwrite) return LockMode::kShared;
  inode.i_rwsem.UnlockShared();
  inode.i_rwsem.LockExclusive();
  return LockMode::kExclusive;
}

void Vfs::InvalidateEnter(World&, Inode& inode) const {
  inode.i_rwsem.LockExclusive();
  inode.dio.WaitZero();
  inode.mapping.invalidate_lock.LockExclusive();
}
void Vfs::InvalidateExit(World&, Inode& inode) const {
  inode.mapping.invalidate_lock.UnlockExclusive();
  inode.i_rwsem.UnlockExclusive();
}

void Vfs::TwoInodesEnter(World&, Inode& first, Inode& second) const {
  LockTwoNondirectories(first, second);
  InvalidateLockTwo(first, second);
}
void Vfs::TwoInodesExit(World&, Inode& first, Inode& second) const {
  InvalidateUnlockTwo(first, second);
  UnlockTwoNondirectories(first, second);
}

}  // namespace ordeal
