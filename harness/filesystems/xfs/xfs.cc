#include "harness/filesystems/xfs/xfs.h"

#include <algorithm>
#include <array>
#include <utility>

#include "harness/filesystems/xfs/xfs_ilock.h"
#include "harness/pagecache/freeze.h"
#include "harness/pagecache/page_cache.h"

namespace ordeal {

using pagecache::AddressSpace;
using pagecache::Bug;
using pagecache::Error;
using pagecache::FillKind;
using pagecache::Inode;
using pagecache::kPageCells;
using pagecache::LockMode;
using pagecache::RangeOperation;
using pagecache::TransactionGuard;
using pagecache::World;

std::unique_ptr<pagecache::FileSystemInodeState> Xfs::MakeInodeState(World&, Inode&) const {
  return std::make_unique<XfsInode>();
}

absl::Span<const char* const> Xfs::lock_order() const {
  static constexpr const char* kOrder[] = {
      "sb_writers", "s_vfs_rename", "xfs_iolock/1", "xfs_iolock/5", "xfs_iolock", "xfs_iolock/4",
      "mmap_lock", "mmap_lock/1", "sb_pagefaults", "xfs_mmaplock", "xfs_mmaplock/1", "inode_dio",
      "balance_dirty_pages", "folio_lock", "folio_writeback", "block_io", "sb_internal", "xfs_ilock/5", "xfs_ilock",
      "xfs_ilock/1", "xfs_ilock/2", "xfs_ilock/3", "i_pages",
  };
  return kOrder;
}

// xfs_vn_update_time: a transaction of its own, with nothing but what the caller holds.
void Xfs::UpdateTime(World& world, Inode& inode) {
  if (!world.ChangesTime(inode)) return;
  const TransactionGuard transaction(world, inode);
  XfsIlock(inode, kXfsIlockExcl);
  XfsIunlock(inode, kXfsIlockExcl);
}

// P1: the whole read, copyout with its page faults included; buffered reads are atomic against buffered writes.
void Xfs::ReadEnter(World&, Inode& inode) const { XfsIlock(inode, kXfsIolockShared); }
void Xfs::ReadExit(World&, Inode& inode) const { XfsIunlock(inode, kXfsIolockShared); }

// Only faults race with punch hole here (reads hold the IOLOCK), so B01 has no switch.
bool Xfs::SkipsFillLock(FillKind kind) const {
  return kind == FillKind::kFault && bugs().Has(Bug::kB02FaultFillSkipsInvalidateLock);
}
void Xfs::FillEnter(World&, AddressSpace& mapping, FillKind kind) const {
  if (!SkipsFillLock(kind)) XfsIlock(mapping.host, kXfsMmaplockShared);
}
void Xfs::FillExit(World&, AddressSpace& mapping, FillKind kind) const {
  if (!SkipsFillLock(kind)) XfsIunlock(mapping.host, kXfsMmaplockShared);
}

// Nothing since 5.15. B70 is the old wrapper, kept around a filemap_fault that takes the same lock.
Error Xfs::FaultEnter(World&, AddressSpace& mapping) const {
  if (bugs().Has(Bug::kB70NestedInvalidateLock)) XfsIlock(mapping.host, kXfsMmaplockShared);
  return Error::kOk;
}
void Xfs::FaultExit(World&, AddressSpace& mapping) const {
  if (bugs().Has(Bug::kB70NestedInvalidateLock)) XfsIunlock(mapping.host, kXfsMmaplockShared);
}

// The time is updated before the lock is taken. B05 leaves that out, and the look at the folio's mapping with it (fault.cc).
LockMode Xfs::MkwriteEnter(World& world, AddressSpace& mapping) const {
  UpdateTime(world, mapping.host);
  if (bugs().Has(Bug::kB05MkwriteVsPunch)) return LockMode::kNone;
  XfsIlock(mapping.host, kXfsMmaplockShared);
  if (!XfsInode::Of(mapping.host).is_remapping) return LockMode::kShared;
  XfsIunlock(mapping.host, kXfsMmaplockShared);
  XfsIlock(mapping.host, kXfsMmaplockExcl);
  return LockMode::kExclusive;
}
void Xfs::MkwriteExit(World&, AddressSpace& mapping, LockMode mode) const {
  if (mode == LockMode::kShared) XfsIunlock(mapping.host, kXfsMmaplockShared);
  if (mode == LockMode::kExclusive) XfsIunlock(mapping.host, kXfsMmaplockExcl);
}

void Xfs::MapPagesEnter(World&, AddressSpace& mapping) const { XfsIlock(mapping.host, kXfsMmaplockShared); }
void Xfs::MapPagesExit(World&, AddressSpace& mapping) const { XfsIunlock(mapping.host, kXfsMmaplockShared); }

void Xfs::WriteEnter(World& world, Inode& inode) const {
  XfsIlock(inode, kXfsIolockExcl);
  UpdateTime(world, inode);
}
void Xfs::WriteExit(World&, Inode& inode) const { XfsIunlock(inode, kXfsIolockExcl); }

void Xfs::DirectReadEnter(World&, Inode& inode) const { XfsIlock(inode, kXfsIolockShared); }
void Xfs::DirectReadExit(World&, Inode& inode) const { XfsIunlock(inode, kXfsIolockShared); }

// An aligned direct write shares the IOLOCK; one that starts behind the end of file must zero the gap, exclusively, with no
// direct I/O in flight; so must one of a part of a block, which zeroes the rest if the block is new (B20: it does not wait).
LockMode Xfs::DirectWriteEnter(World& world, Inode& inode, uint32_t offset_cells, uint32_t length_cells) const {
  const LockMode mode = LockForDirectWrite(inode, offset_cells, length_cells);
  UpdateTime(world, inode);
  return mode;
}

LockMode Xfs::LockForDirectWrite(Inode& inode, uint32_t offset_cells, uint32_t length_cells) const {
  const bool whole = offset_cells % kPageCells == 0 && length_cells % kPageCells == 0;
  const bool may_share = whole || bugs().Has(Bug::kB20UnalignedWritesShared);
  XfsIlock(inode, kXfsIolockShared);
  if (may_share && offset_cells <= inode.i_size && !XfsInode::Of(inode).is_remapping) return LockMode::kShared;
  XfsIunlock(inode, kXfsIolockShared);
  XfsIlock(inode, kXfsIolockExcl);
  inode.dio.WaitZero();
  return LockMode::kExclusive;
}
void Xfs::DirectWriteExit(World&, Inode& inode, LockMode mode) const {
  XfsIunlock(inode, mode == LockMode::kExclusive ? kXfsIolockExcl : kXfsIolockShared);
}

void Xfs::InvalidateEnter(World&, Inode& inode) const {
  XfsIlock(inode, kXfsIolockExcl | kXfsMmaplockExcl);
  inode.dio.WaitZero();
}
void Xfs::InvalidateExit(World&, Inode& inode) const { XfsIunlock(inode, kXfsIolockExcl | kXfsMmaplockExcl); }

// B21: mode 0 frees nothing, so it was thought not to mind direct I/O in flight; but it sets i_size, as that may do.
// A truncate changes the times in its own transaction.
void Xfs::RangeEnter(World& world, Inode& inode, RangeOperation operation) const {
  if (operation == RangeOperation::kAllocate && bugs().Has(Bug::kB21FallocateSkipsDioDrain)) {
    XfsIlock(inode, kXfsIolockExcl | kXfsMmaplockExcl);
  } else {
    InvalidateEnter(world, inode);
  }
  if (operation != RangeOperation::kTruncate) UpdateTime(world, inode);
}

void Xfs::TwoInodesEnter(World&, Inode& first, Inode& second) const {
  LockTwoNondirectories(first, second);
  InvalidateLockTwo(first, second);
}
void Xfs::TwoInodesExit(World&, Inode& first, Inode& second) const {
  InvalidateUnlockTwo(first, second);
  UnlockTwoNondirectories(first, second);
}

// Of a clone; a dedupe leaves the times alone.
void Xfs::RemapEnter(World& world, Inode& source, Inode& target) const {
  TwoInodesEnter(world, source, target);
  UpdateTime(world, target);
}

// One transaction marks both inodes as ones with shared blocks, if they are not yet: the only one that has both ILOCKs.
void Xfs::MarkReflinked(World& world, Inode& source, Inode& target) {
  bool& is_source_marked = XfsInode::Of(source).is_reflinked;
  bool& is_target_marked = XfsInode::Of(target).is_reflinked;
  if (is_source_marked && is_target_marked) return;
  const TransactionGuard transaction(world, target);
  LockTwoIlocks(world, source, target);
  is_source_marked = is_target_marked = true;
  XfsIunlock(source, kXfsIlockExcl);
  XfsIunlock(target, kXfsIlockExcl);
}

// The source is locked exclusively to keep writers out, then shared to let readers in; the mark keeps writers out from then on.
void Xfs::RemapPrepared(World& world, Inode& source, Inode& target) const {
  if (&source == &target) return;
  MarkReflinked(world, source, target);
  XfsInode::Of(source).is_remapping = true;
  XfsIlockDemote(source, kXfsIolockExcl | kXfsMmaplockExcl);
}
void Xfs::RemapExit(World& world, Inode& source, Inode& target) const {
  if (!XfsInode::Of(source).is_remapping) return TwoInodesExit(world, source, target);
  XfsInode::Of(source).is_remapping = false;
  XfsIunlock(source, kXfsMmaplockShared);
  XfsIunlock(target, kXfsMmaplockExcl);
  XfsIunlock(source, kXfsIolockShared);
  XfsIunlock(target, kXfsIolockExcl);
}

void Xfs::ForceReadaheadEnter(World&, Inode& inode) const { XfsIlock(inode, kXfsIolockShared); }
void Xfs::ForceReadaheadExit(World&, Inode& inode) const { XfsIunlock(inode, kXfsIolockShared); }

// xfs_lock_two_inodes: by inode number, the subclass is the position.
void Xfs::LockTwoIlocks(World& world, Inode& first, Inode& second) {
  Inode* inodes[] = {&first, &second};
  if (first.number > second.number) std::swap(inodes[0], inodes[1]);
  XfsLockInodes(world.scheduler(), inodes, kXfsIlockExcl, [](const Inode&) { return false; });  // there is no log here
}

void Xfs::LinkEnter(World& world, Inode& directory, Inode& inode) const {
  TransactionEnter(world, directory);
  LockTwoIlocks(world, directory, inode);
}
void Xfs::LinkExit(World& world, Inode& directory, Inode& inode) const {
  XfsIunlock(inode, kXfsIlockExcl);
  XfsIunlock(directory, kXfsIlockExcl);
  TransactionExit(world, directory);
}

// The directory's ILOCK is the parent's; the new inode may be a freed one of the inode cache, whose ILOCK is waited for.
void Xfs::CreateEnter(World& world, Inode& directory, Inode& inode) const {
  TransactionEnter(world, directory);
  XfsIlock(directory, kXfsIlockExcl | kXfsIlockParent << kXfsIlockShift);
  XfsIlock(inode, kXfsIlockExcl);
}
void Xfs::CreateExit(World& world, Inode& directory, Inode& inode) const {
  XfsIunlock(inode, kXfsIlockExcl);
  XfsIunlock(directory, kXfsIlockExcl);
  TransactionExit(world, directory);
}

namespace {

// Both directories and both files, ascending.
std::array<Inode*, 4> FourInodesOfRename(World& world, Inode& source, Inode& target) {
  std::array<Inode*, 4> inodes = {&world.DirectoryOf(source), &world.DirectoryOf(target), &source, &target};
  std::sort(inodes.begin(), inodes.end(), [](const Inode* a, const Inode* b) { return a->number < b->number; });
  return inodes;
}

}  // namespace

void Xfs::RenameEnter(World& world, Inode& source, Inode& target) const {
  FileSystem::RenameEnter(world, source, target);
  TransactionEnter(world, world.DirectoryOf(source));
  XfsLockInodes(world.scheduler(), FourInodesOfRename(world, source, target), kXfsIlockExcl,
                [](const Inode&) { return false; });
}
void Xfs::RenameExit(World& world, Inode& source, Inode& target) const {
  XfsUnlockInodes(FourInodesOfRename(world, source, target), kXfsIlockExcl);
  TransactionExit(world, world.DirectoryOf(source));
  FileSystem::RenameExit(world, source, target);
}

Error Xfs4::FaultEnter(World&, AddressSpace& mapping) const {
  if (!bugs().Has(Bug::kB02FaultFillSkipsInvalidateLock)) XfsIlock(mapping.host, kXfsMmaplockShared);
  return Error::kOk;
}
void Xfs4::FaultExit(World&, AddressSpace& mapping) const {
  if (!bugs().Has(Bug::kB02FaultFillSkipsInvalidateLock)) XfsIunlock(mapping.host, kXfsMmaplockShared);
}

}  // namespace ordeal
