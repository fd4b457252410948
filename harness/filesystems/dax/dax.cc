#include "harness/filesystems/dax/dax.h"

#include <algorithm>

#include "harness/filesystems/xfs/xfs_ilock.h"
#include "harness/pagecache/filemap.h"
#include "lockdep/support/check.h"

namespace ordeal {

using pagecache::Bug;
using pagecache::FileSystemInodeState;
using pagecache::Inode;
using pagecache::World;

HolderWait::HolderWait(Scheduler& scheduler, const char* name, uint32_t number)
    : scheduler_(scheduler), id_(scheduler.NewObject(name, number, this)) {}

void HolderWait::Drop(TaskId holder, lockdep::Site site) {
  scheduler_.Point(OperationKind::kSignal, id_, site);
  if (scheduler_.unwinding()) return;
  const auto at = std::find(holders_.begin(), holders_.end(), holder);
  LD_CHECK(at != holders_.end(), "a task gives back what it does not have");
  holders_.erase(at);
  if (any()) return;
  while (!waiters_.empty()) scheduler_.Wake(waiters_.PopFront());
}

void HolderWait::WaitUntilNone(lockdep::Site site) {
  scheduler_.Point(OperationKind::kWait, id_, site);
  while (any()) {
    waiters_.PushBack(scheduler_.current());
    scheduler_.Block({OperationKind::kWait, id_, this, site});
  }
}

void HolderWait::AppendBlockers(TaskId, Blockers* out) const {
  for (const TaskId holder : holders_) out->Add(holder);
}

DaxInode::DaxInode(Scheduler& scheduler, const Inode& inode)
    : scheduler_(scheduler),
      pins_(scheduler, "pins of inode", inode.number),
      lease_(scheduler, "lease of inode", inode.number),
      recall_(scheduler.NewObject("recall of inode", inode.number)) {}

void DaxInode::WaitForRecall() {
  while (!recalled_) scheduler_.Block({.kind = OperationKind::kWait, .object = recall_});
}

void DaxInode::BreakLease(lockdep::Site site) {
  if (!recalled_) {
    recalled_ = true;
    scheduler_.Wake(lease_holder_);
  }
  lease_.WaitUntilNone(site);
}

std::unique_ptr<FileSystemInodeState> XfsDaxBase::MakeInodeState(World& world, Inode& inode) const {
  return std::make_unique<DaxInode>(world.scheduler(), inode);
}

void XfsDaxBase::TwoInodesEnter(World& world, Inode& first, Inode& second) const {
  if (!DaxInode::Of(first).is_dax || !DaxInode::Of(second).is_dax || &first == &second) {
    return Xfs::TwoInodesEnter(world, first, second);
  }
  LockTwoNondirectories(first, second);
  const bool swap = first.number > second.number;
  LockPairAndBreakDax(world, swap ? second : first, swap ? first : second);
}

// By inode number. A pin on the second inode is found with both locks held: B69 lets go of them and looks again at once, as
// XFS does, as long as the pin lasts; without it, the pin is waited for.
void XfsDaxBase::LockPairAndBreakDax(World& world, Inode& low, Inode& high) const {
  for (;;) {
    XfsIlock(low, kXfsMmaplockExcl);
    while (DaxInode::Of(low).busy()) {
      XfsIunlock(low, kXfsMmaplockExcl);
      DaxInode::Of(low).WaitUntilIdle();
      XfsIlock(low, kXfsMmaplockExcl);
    }
    XfsIlock(high, kXfsMmaplockExcl | 1u << kXfsMmaplockShift);
    if (!DaxInode::Of(high).busy()) return;
    XfsIunlock(high, kXfsMmaplockExcl);
    XfsIunlock(low, kXfsMmaplockExcl);
    if (bugs().Has(Bug::kB69DaxPairSpin)) {
      world.scheduler().NoteRetry(RetryReason::kInvalidateBusy);
    } else {
      DaxInode::Of(high).WaitUntilIdle();
    }
  }
}

// xfs_break_layouts under IOLOCK and MMAPLOCK, of every inode: leases first, which need both dropped; then pins.
void XfsDaxProposed::EvictEnter(World& world, Inode& inode) const {
  inode.freeing.set_trigger(world.scheduler().current());
  XfsIlock(inode, kXfsIolockExcl | kXfsMmaplockExcl);
  while (DaxInode::Of(inode).leased()) {
    XfsIunlock(inode, kXfsIolockExcl | kXfsMmaplockExcl);
    DaxInode::Of(inode).BreakLease();
    XfsIlock(inode, kXfsIolockExcl | kXfsMmaplockExcl);
  }
  while (DaxInode::Of(inode).busy()) {
    XfsIunlock(inode, kXfsMmaplockExcl);
    DaxInode::Of(inode).WaitUntilIdle();
    XfsIlock(inode, kXfsMmaplockExcl);
  }
}
void XfsDaxProposed::EvictExit(World&, Inode& inode) const { XfsIunlock(inode, kXfsIolockExcl | kXfsMmaplockExcl); }

// DAX inodes only: no new pin can come once the page tables are clear. No lock is held, no lease is looked at.
void XfsDax::EvictEnter(World& world, Inode& inode) const {
  inode.freeing.set_trigger(world.scheduler().current());
  if (!DaxInode::Of(inode).is_dax) return;
  pagecache::Filemap(world).UnmapRange(inode, 0, pagecache::kFilePagesMax);
  DaxInode::Of(inode).WaitUntilIdle();
}

}  // namespace ordeal
