#include "harness/filesystems/xfs/xfs_ilock.h"

#include "absl/strings/str_cat.h"
#include "lockdep/support/check.h"

namespace ordeal {
namespace {

using pagecache::Inode;
using pagecache::LockMode;

XfsLockMode DecodeOne(uint32_t flags, uint32_t exclusive, uint32_t shared, int shift, uint32_t mask, int subclass_max) {
  XfsLockMode lock;
  const bool x = (flags & exclusive) != 0;
  const bool s = (flags & shared) != 0;
  lock.subclass = static_cast<int>((flags >> shift) & mask);
  LD_CHECK(!(x && s), absl::StrCat("lock flags ", flags, " name both modes of one lock"));
  LD_CHECK(x || s || lock.subclass == 0, absl::StrCat("lock flags ", flags, " have a subclass without its lock"));
  LD_CHECK(lock.subclass <= subclass_max, absl::StrCat("lock flags ", flags, " have a subclass beyond ", subclass_max));
  if (x) lock.mode = LockMode::kExclusive;
  if (s) lock.mode = LockMode::kShared;
  return lock;
}

void Take(RwSemaphore& lock, XfsLockMode mode, lockdep::Site site) {
  if (mode.mode == LockMode::kExclusive) lock.LockExclusive(mode.subclass, site);
  if (mode.mode == LockMode::kShared) lock.LockShared(mode.subclass, site);
}

bool TryTake(RwSemaphore& lock, XfsLockMode mode, lockdep::Site site) {
  if (mode.mode == LockMode::kExclusive) return lock.TryLockExclusive(mode.subclass, site);
  if (mode.mode == LockMode::kShared) return lock.TryLockShared(mode.subclass, site);
  return true;
}

void Drop(RwSemaphore& lock, XfsLockMode mode, lockdep::Site site) {
  if (mode.mode == LockMode::kExclusive) lock.UnlockExclusive(site);
  if (mode.mode == LockMode::kShared) lock.UnlockShared(site);
}

void AppendName(std::string* text, const char* name, XfsLockMode lock) {
  if (lock.mode == LockMode::kNone) return;
  absl::StrAppend(text, text->empty() ? "" : "|", name, lock.mode == LockMode::kExclusive ? "_EXCL" : "_SHARED");
  if (lock.subclass != 0) absl::StrAppend(text, "/", lock.subclass);
}

}  // namespace

XfsLockFlags DecodeXfsLockFlags(uint32_t flags) {
  return {DecodeOne(flags, kXfsIolockExcl, kXfsIolockShared, kXfsIolockShift, 0xf, 5),
          DecodeOne(flags, kXfsMmaplockExcl, kXfsMmaplockShared, kXfsMmaplockShift, 0xf, 3),
          DecodeOne(flags, kXfsIlockExcl, kXfsIlockShared, kXfsIlockShift, 0xff, 7)};
}

std::string XfsLockFlagsToString(uint32_t flags) {
  const XfsLockFlags locks = DecodeXfsLockFlags(flags);
  std::string text;
  AppendName(&text, "IOLOCK", locks.iolock);
  AppendName(&text, "MMAPLOCK", locks.mmaplock);
  AppendName(&text, "ILOCK", locks.ilock);
  return text;
}

void XfsIlock(Inode& inode, uint32_t flags, lockdep::Site site) {
  const XfsLockFlags locks = DecodeXfsLockFlags(flags);
  Take(inode.i_rwsem, locks.iolock, site);
  Take(inode.mapping.invalidate_lock, locks.mmaplock, site);
  Take(inode.extent_lock, locks.ilock, site);
}

bool XfsIlockNowait(Inode& inode, uint32_t flags, lockdep::Site site) {
  const XfsLockFlags locks = DecodeXfsLockFlags(flags);
  if (!TryTake(inode.i_rwsem, locks.iolock, site)) return false;
  if (TryTake(inode.mapping.invalidate_lock, locks.mmaplock, site)) {
    if (TryTake(inode.extent_lock, locks.ilock, site)) return true;
    Drop(inode.mapping.invalidate_lock, locks.mmaplock, site);
  }
  Drop(inode.i_rwsem, locks.iolock, site);
  return false;
}

void XfsIunlock(Inode& inode, uint32_t flags, lockdep::Site site) {
  const XfsLockFlags locks = DecodeXfsLockFlags(flags);
  Drop(inode.i_rwsem, locks.iolock, site);
  Drop(inode.mapping.invalidate_lock, locks.mmaplock, site);
  Drop(inode.extent_lock, locks.ilock, site);
}

void XfsIlockDemote(Inode& inode, uint32_t flags, lockdep::Site site) {
  const XfsLockFlags locks = DecodeXfsLockFlags(flags);
  if (locks.ilock.mode == LockMode::kExclusive) inode.extent_lock.Downgrade(site);
  if (locks.mmaplock.mode == LockMode::kExclusive) inode.mapping.invalidate_lock.Downgrade(site);
  if (locks.iolock.mode == LockMode::kExclusive) inode.i_rwsem.Downgrade(site);
}

}  // namespace ordeal
