// XFS's lock word: one integer names which of an inode's three locks to take, how, and with which subclass (protocols 2.4.1).
// The three are taken in the order IOLOCK, MMAPLOCK, ILOCK and released in the same order, as xfs_ilock and xfs_iunlock do.
//
// Thread-safety: tasks of one simulation.
// Invariants:    at most one mode a lock; a subclass only with its lock, in range (IOLOCK 0..5 with the VFS's numbers,
//                MMAPLOCK 0..3, ILOCK 0..7).
// Example:
//   XfsIlock(inode, kXfsIolockExcl | kXfsMmaplockExcl);
//   XfsIunlock(inode, kXfsIolockExcl | kXfsMmaplockExcl);
#ifndef ORDEAL_HARNESS_FILESYSTEMS_XFS_XFS_ILOCK_H_
#define ORDEAL_HARNESS_FILESYSTEMS_XFS_XFS_ILOCK_H_

#include <cstdint>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/types/span.h"
#include "harness/pagecache/file_system.h"

namespace ordeal {

inline constexpr uint32_t kXfsIolockExcl = 1u << 0;
inline constexpr uint32_t kXfsIolockShared = 1u << 1;
inline constexpr uint32_t kXfsIlockExcl = 1u << 2;
inline constexpr uint32_t kXfsIlockShared = 1u << 3;
inline constexpr uint32_t kXfsMmaplockExcl = 1u << 4;
inline constexpr uint32_t kXfsMmaplockShared = 1u << 5;
inline constexpr int kXfsIolockShift = 16;
inline constexpr int kXfsMmaplockShift = 20;
inline constexpr int kXfsIlockShift = 24;
inline constexpr uint32_t kXfsIlockParent = 5;  // the subclass of the directory in which an inode is made

struct XfsLockMode {
  pagecache::LockMode mode = pagecache::LockMode::kNone;
  int subclass = 0;
};
struct XfsLockFlags {
  XfsLockMode iolock;
  XfsLockMode mmaplock;
  XfsLockMode ilock;
};
// LD_CHECKs the invariants above.
XfsLockFlags DecodeXfsLockFlags(uint32_t flags);
// "IOLOCK_EXCL|ILOCK_SHARED/1".
std::string XfsLockFlagsToString(uint32_t flags);

void XfsIlock(pagecache::Inode& inode, uint32_t flags, lockdep::Site site = lockdep::Site::Here());
// All of them or none.
bool XfsIlockNowait(pagecache::Inode& inode, uint32_t flags, lockdep::Site site = lockdep::Site::Here());
void XfsIunlock(pagecache::Inode& inode, uint32_t flags, lockdep::Site site = lockdep::Site::Here());
// Exclusive to shared, in the order ILOCK, MMAPLOCK, IOLOCK.
void XfsIlockDemote(pagecache::Inode& inode, uint32_t flags, lockdep::Site site = lockdep::Site::Here());

// Several inodes, ascending by number (neighbours may be the same inode, which is locked once), one lock, exclusively; the
// subclass is the position (xfs_lock_inodes, protocols 2.4.3). Whoever holds an inode that the log waits to see written must not
// sleep for another one: if `in_ail` says so of an inode that it holds, it only tries, and begins again without any.
inline constexpr size_t kXfsLockInodesMax = 5;
void XfsLockInodes(Scheduler& scheduler, absl::Span<pagecache::Inode* const> inodes, uint32_t flags,
                   absl::FunctionRef<bool(const pagecache::Inode&)> in_ail,
                   lockdep::Site site = lockdep::Site::Here());
void XfsUnlockInodes(absl::Span<pagecache::Inode* const> inodes, uint32_t flags,
                     lockdep::Site site = lockdep::Site::Here());

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_FILESYSTEMS_XFS_XFS_ILOCK_H_
