// A log as far as locks can see it: space that transactions wait for, and inodes that occupy it until they are written back
// (the AIL). xfsaild writes the oldest one, for which it needs its ILOCK, when somebody waits for space.
//
// A unit of space belongs to nobody, to a reservation, or to the inode in the AIL that a commit logged with it.
// Thread-safety: tasks of one simulation; made anew for each run.
// Invariants:    units are conserved; an inode is in the AIL at most once.
// Lock order:    the reservation before any ILOCK. A transaction that is rolled waits for space with ILOCKs held: it has logged
//                those inodes again, so that none of them is the oldest.
// Example:
//   XfsLog log(sim, 3);
//   log.Reserve();  XfsIlock(inode, kXfsIlockExcl);  log.Commit(inode);  XfsIunlock(inode, kXfsIlockExcl);
#ifndef ORDEAL_HARNESS_FILESYSTEMS_XFS_XFS_LOG_H_
#define ORDEAL_HARNESS_FILESYSTEMS_XFS_XFS_LOG_H_

#include <vector>

#include "harness/pagecache/inode.h"
#include "harness/sync/wait_queue.h"

namespace ordeal {

class XfsLog {
 public:
  XfsLog(Simulation& sim, int units);

  // Takes a unit of space; waits for one.
  void Reserve(lockdep::Site site = lockdep::Site::Here());
  // Uses up a reservation: the inode, whose ILOCK is held exclusively, is the youngest of the AIL.
  void Commit(pagecache::Inode& inode);
  bool InAil(const pagecache::Inode& inode) const;
  // The body of the daemon that writes inodes back.
  void RunAild();

 private:
  Simulation& sim_;
  int free_units_;
  std::vector<pagecache::Inode*> ail_;  // oldest first
  int waiting_ = 0;                     // for space
  WaitQueue space_;
  WaitQueue work_;  // of the daemon
};

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_FILESYSTEMS_XFS_XFS_LOG_H_
