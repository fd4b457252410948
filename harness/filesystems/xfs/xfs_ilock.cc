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

namespace {

constexpr int kAttemptsWithoutPause = 5;
constexpr int64_t kPauseNs = 100 * kStepNs;  // one tick

bool SameAsBefore(absl::Span<Inode* const> inodes, size_t i) { return i > 0 && inodes[i] == inodes[i - 1]; }

// Takes all of them; or, if one could not be had at once, none.
bool TryLockInodes(absl::Span<Inode* const> inodes, uint32_t flags, int shift,
                   absl::FunctionRef<bool(const Inode&)> in_ail, lockdep::Site site) {
  bool only_try = false;
  for (size_t i = 0; i < inodes.size(); ++i) {
    if (SameAsBefore(inodes, i)) continue;
    for (size_t held = 0; held < i; ++held) only_try = only_try || in_ail(*inodes[held]);
    const uint32_t with_position = flags | static_cast<uint32_t>(i) << shift;
    if (!only_try) {
      XfsIlock(*inodes[i], with_position, site);
    } else if (!XfsIlockNowait(*inodes[i], with_position, site)) {
      XfsUnlockInodes(inodes.first(i), flags, site);
      return false;
    }
  }
  return true;
}

}  // namespace

void XfsLockInodes(Scheduler& scheduler, absl::Span<Inode* const> inodes, uint32_t flags,
                   absl::FunctionRef<bool(const Inode&)> in_ail, lockdep::Site site) {
  LD_CHECK(inodes.size() >= 2 && inodes.size() <= kXfsLockInodesMax, "two to five inodes are locked together");
  LD_CHECK(flags == kXfsIolockExcl || flags == kXfsMmaplockExcl || flags == kXfsIlockExcl,
           "several inodes are locked by one lock, exclusively");
  for (size_t i = 1; i < inodes.size(); ++i) {
    LD_CHECK(inodes[i - 1]->number <= inodes[i]->number, "inodes are locked in ascending order of their numbers");
  }
  const int shift = flags == kXfsIlockExcl ? kXfsIlockShift : flags == kXfsIolockExcl ? kXfsIolockShift : kXfsMmaplockShift;
  for (int attempts = 1; !TryLockInodes(inodes, flags, shift, in_ail, site); ++attempts) {
    scheduler.NoteRetry(RetryReason::kListBackoff, 0, site);
    if (attempts % kAttemptsWithoutPause == 0) scheduler.Sleep(kPauseNs);
  }
}

void XfsUnlockInodes(absl::Span<Inode* const> inodes, uint32_t flags, lockdep::Site site) {
  for (size_t i = inodes.size(); i-- > 0;) {
    if (!SameAsBefore(inodes, i)) XfsIunlock(*inodes[i], flags, site);
  }
}

}  // namespace ordeal
