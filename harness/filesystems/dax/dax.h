// XFS on DAX at the end of an inode's life (protocols 2.12): a DAX page may be pinned (get_user_pages) longer than its file is
// open, and its storage must not be freed before the pin is gone. "xfs-dax-proposed" (2022, not merged) breaks layouts with the
// locks that truncate breaks them under; "xfs-dax" (merged in 6.15) waits for pins of DAX inodes holding nothing.
//
// Thread-safety: tasks of one simulation; the state of an inode belongs to one run.
// Invariants:    who waits for pins or a lease is told to the wait-for graph with those who have them.
// Lock order:    as xfs.h. Eviction may run inside any allocation: xfs-dax-proposed has fs_reclaim > xfs_iolock (B81).
// Example:
//   DaxInode& dax = DaxInode::Of(inode);
//   dax.is_dax = true;
//   dax.Pin();  ...  dax.Unpin();
#ifndef ORDEAL_HARNESS_FILESYSTEMS_DAX_DAX_H_
#define ORDEAL_HARNESS_FILESYSTEMS_DAX_DAX_H_

#include <memory>
#include <vector>

#include "harness/filesystems/xfs/xfs.h"
#include "harness/pagecache/page_cache.h"
#include "harness/sync/task_queue.h"

namespace ordeal {

// Tasks that have something, and tasks that wait until nobody has. The validator does not know of it, as the kernel's does not.
class HolderWait : public Waitable {
 public:
  HolderWait(Scheduler& scheduler, const char* name, uint32_t number);

  void Take(TaskId holder) { holders_.push_back(holder); }
  void Drop(TaskId holder, lockdep::Site site = lockdep::Site::Here());
  void WaitUntilNone(lockdep::Site site = lockdep::Site::Here());
  bool any() const { return !holders_.empty(); }
  void AppendBlockers(TaskId waiter, Blockers* out) const override;

 private:
  Scheduler& scheduler_;
  const ObjectId id_;
  std::vector<TaskId> holders_;
  TaskQueue waiters_;
};

class DaxInode : public XfsInode {
 public:
  DaxInode(Scheduler& scheduler, const pagecache::Inode& inode);
  static DaxInode& Of(const pagecache::Inode& inode) { return static_cast<DaxInode&>(*inode.fs_state); }

  // The current task takes, or gives back, a pin of one of the pages.
  void Pin() { pins_.Take(scheduler_.current()); }
  void Unpin(lockdep::Site site = lockdep::Site::Here()) { pins_.Drop(scheduler_.current(), site); }
  bool busy() const { return pins_.any(); }
  void WaitUntilIdle(lockdep::Site site = lockdep::Site::Here()) { pins_.WaitUntilNone(site); }

  // A lease on the layout. Its holder is woken when it is recalled, and returns it.
  void GrantLease(TaskId holder) { lease_holder_ = holder; lease_.Take(holder); }
  bool leased() const { return lease_.any(); }
  void ReturnLease() { lease_.Drop(lease_holder_); }
  void WaitForRecall();  // the holder
  void BreakLease(lockdep::Site site = lockdep::Site::Here());

  bool is_dax = false;

 private:
  Scheduler& scheduler_;
  HolderWait pins_;
  HolderWait lease_;
  const ObjectId recall_;
  TaskId lease_holder_ = kNoTask;
  bool recalled_ = false;
};

// Both have this: pages pinned, and the pair lock of two DAX files (protocols 2.4.4).
class XfsDaxBase : public Xfs {
 public:
  explicit XfsDaxBase(pagecache::BugSet bugs) : Xfs(bugs) {}

  std::unique_ptr<pagecache::FileSystemInodeState> MakeInodeState(pagecache::World& world,
                                                                  pagecache::Inode& inode) const override;
  void TwoInodesEnter(pagecache::World& world, pagecache::Inode& first, pagecache::Inode& second) const override;

 private:
  void LockPairAndBreakDax(pagecache::World& world, pagecache::Inode& low, pagecache::Inode& high) const;
};

class XfsDaxProposed : public XfsDaxBase {
 public:
  explicit XfsDaxProposed(pagecache::BugSet bugs = {}) : XfsDaxBase(bugs) {}
  const char* name() const override { return "xfs-dax-proposed"; }
  void EvictEnter(pagecache::World& world, pagecache::Inode& inode) const override;
  void EvictExit(pagecache::World& world, pagecache::Inode& inode) const override;
};

class XfsDax : public XfsDaxBase {
 public:
  explicit XfsDax(pagecache::BugSet bugs = {}) : XfsDaxBase(bugs) {}
  const char* name() const override { return "xfs-dax"; }
  void EvictEnter(pagecache::World& world, pagecache::Inode& inode) const override;
};

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_FILESYSTEMS_DAX_DAX_H_
