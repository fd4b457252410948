// After xfs_buffered_write_iomap_begin and xfs_buffered_write_iomap_end with iomap_write_delalloc_release, as described in
// protocols 1.4.2 (2b and 3).
#include "harness/pagecache/write_mapping.h"

#include <algorithm>

#include "harness/pagecache/filemap.h"

namespace ordeal::pagecache {
namespace {

// Keeps page faults from dirtying what is about to lose its reservation.
class ReleaseGuard {
 public:
  // Callers that zero or unshare hold the lock already. B13: nobody takes it. B13b: everybody does.
  ReleaseGuard(World& world, Inode& inode) : lock_(inode.mapping.invalidate_lock) {
    if (world.bugs().Has(Bug::kB13DelallocPunchNoLock)) return;
    locks_ = !lock_.HeldExclusiveByCurrent() || world.bugs().Has(Bug::kB13bCleanupRecursion);
    if (locks_) lock_.LockExclusive();
  }
  ~ReleaseGuard() {
    if (locks_) lock_.UnlockExclusive();
  }
  ReleaseGuard(const ReleaseGuard&) = delete;
  ReleaseGuard& operator=(const ReleaseGuard&) = delete;

 private:
  RwSemaphore& lock_;
  bool locks_ = false;
};

class ReservationScan {
 public:
  ReservationScan(World& world, Inode& inode) : world_(world), inode_(inode) {}

  void Run(uint32_t begin, uint32_t end);

 private:
  uint32_t NextCached(uint32_t page, uint32_t end, bool cached);
  bool Dirty(uint32_t page);
  void Punch(uint32_t begin, uint32_t end);

  World& world_;
  Inode& inode_;
};

// Looks for runs of cached pages (SEEK_DATA, SEEK_HOLE), and punches what lies between them and their clean pages.
void ReservationScan::Run(uint32_t begin, uint32_t end) {
  while (begin < end) {
    const uint32_t data = NextCached(begin, end, true);
    Punch(begin, data);
    if (data == end) return;
    const uint32_t hole = NextCached(data, end, false);
    // The fill lock keeps new pages out; it does not keep old ones in: the completion of a direct write may invalidate them, and
    // reclaim takes them. B13c: the scan gives up at such a range.
    if (hole == data && world_.bugs().Has(Bug::kB13cReleaseScanAssumesPages)) return;
    for (uint32_t page = data; page < hole; ++page) {
      if (!Dirty(page)) Punch(page, page + 1);
    }
    begin = hole;
  }
}

uint32_t ReservationScan::NextCached(uint32_t page, uint32_t end, bool cached) {
  world_.scheduler().Point(OperationKind::kRead, inode_.mapping.i_pages.id());
  while (page < end && (inode_.mapping.pages[page] != nullptr) != cached) ++page;
  return page;
}

// The folio lock waits for a write-back that has made the folio clean but has no block yet.
bool ReservationScan::Dirty(uint32_t page) {
  Folio* folio = Filemap(world_).Get(inode_.mapping, page);
  if (folio == nullptr) return false;
  folio->lock.Lock();
  const bool dirty = folio->mapping == &inode_.mapping && folio->dirty;
  folio->lock.Unlock();
  world_.memory().Put(*folio);
  return dirty;
}

void ReservationScan::Punch(uint32_t begin, uint32_t end) {
  if (begin == end) return;
  inode_.extent_lock.LockExclusive();
  for (uint32_t page = begin; page < end; ++page) {
    if (inode_.extents[page].kind == ExtentKind::kDelalloc) inode_.extents[page] = {};
  }
  inode_.extent_lock.UnlockExclusive();
}

}  // namespace

bool WriteMapping::Begin(uint32_t begin, uint32_t end) {
  begin_ = begin;
  end_ = std::min(end, kFilePagesMax);
  new_begin_ = kFilePagesMax;
  new_end_ = 0;
  inode_.extent_lock.LockExclusive();
  for (uint32_t page = begin_; page < end_; ++page) {
    Extent& extent = inode_.extents[page];
    if (extent.kind == ExtentKind::kHole) {
      if (world_.allocator().Full()) {
        end_ = page;
        break;
      }
      extent.kind = ExtentKind::kDelalloc;
      new_begin_ = std::min(new_begin_, page);
      new_end_ = page + 1;
    }
    extents_[page] = extent;
  }
  inode_.extent_lock.UnlockExclusive();
  return begin_ < end_;
}

bool WriteMapping::Valid(uint32_t page) const {
  world_.scheduler().Point(OperationKind::kRead, inode_.extent_lock.id());
  const Extent& now = inode_.extents[page];
  return now.kind == extents_[page].kind && now.block == extents_[page].block;
}

void WriteMapping::End(uint32_t written) {
  const uint32_t begin = std::max(written, new_begin_);
  const uint32_t end = new_end_;
  begin_ = end_ = new_end_ = 0;
  if (begin < end) Release(world_, inode_, begin, end);
}

void WriteMapping::Release(World& world, Inode& inode, uint32_t begin, uint32_t end) {
  const ReleaseGuard guard(world, inode);
  ReservationScan(world, inode).Run(begin, end);
}

}  // namespace ordeal::pagecache
