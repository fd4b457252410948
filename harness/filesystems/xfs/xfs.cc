#include "harness/filesystems/xfs/xfs.h"

#include <utility>

#include "harness/filesystems/xfs/xfs_ilock.h"

namespace ordeal {

using pagecache::AddressSpace;
using pagecache::Bug;
using pagecache::Error;
using pagecache::FillKind;
using pagecache::Inode;
using pagecache::LockMode;
using pagecache::World;

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

LockMode Xfs::MkwriteEnter(World&, AddressSpace& mapping) const {
  XfsIlock(mapping.host, kXfsMmaplockShared);
  return LockMode::kShared;
}
void Xfs::MkwriteExit(World&, AddressSpace& mapping, LockMode) const {
  XfsIunlock(mapping.host, kXfsMmaplockShared);
}

void Xfs::MapPagesEnter(World&, AddressSpace& mapping) const { XfsIlock(mapping.host, kXfsMmaplockShared); }
void Xfs::MapPagesExit(World&, AddressSpace& mapping) const { XfsIunlock(mapping.host, kXfsMmaplockShared); }

void Xfs::WriteEnter(World&, Inode& inode) const { XfsIlock(inode, kXfsIolockExcl); }
void Xfs::WriteExit(World&, Inode& inode) const { XfsIunlock(inode, kXfsIolockExcl); }

void Xfs::DirectReadEnter(World&, Inode& inode) const { XfsIlock(inode, kXfsIolockShared); }
void Xfs::DirectReadExit(World&, Inode& inode) const { XfsIunlock(inode, kXfsIolockShared); }

// An aligned direct write shares the IOLOCK; one that starts behind the end of file must zero the gap, exclusively, with no
// direct I/O in flight.
LockMode Xfs::DirectWriteEnter(World&, Inode& inode, uint32_t offset_cells, uint32_t) const {
  XfsIlock(inode, kXfsIolockShared);
  if (offset_cells <= inode.i_size) return LockMode::kShared;
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

void Xfs::TwoInodesEnter(World&, Inode& first, Inode& second) const {
  LockTwoNondirectories(first, second);
  InvalidateLockTwo(first, second);
}
void Xfs::TwoInodesExit(World&, Inode& first, Inode& second) const {
  InvalidateUnlockTwo(first, second);
  UnlockTwoNondirectories(first, second);
}

void Xfs::ForceReadaheadEnter(World&, Inode& inode) const { XfsIlock(inode, kXfsIolockShared); }
void Xfs::ForceReadaheadExit(World&, Inode& inode) const { XfsIunlock(inode, kXfsIolockShared); }

// xfs_lock_two_inodes: by inode number, the subclass is the position.
void Xfs::LinkEnter(World&, Inode& directory, Inode& inode) const {
  Inode* low = &directory;
  Inode* high = &inode;
  if (low->number > high->number) std::swap(low, high);
  XfsIlock(*low, kXfsIlockExcl);
  XfsIlock(*high, kXfsIlockExcl | (1u << kXfsIlockShift));
}
void Xfs::LinkExit(World&, Inode& directory, Inode& inode) const {
  XfsIunlock(inode, kXfsIlockExcl);
  XfsIunlock(directory, kXfsIlockExcl);
}

}  // namespace ordeal
