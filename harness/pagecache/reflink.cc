// Files that share blocks (protocols 1.4.15): clone a range, and unshare one. Who writes to a shared block later gets a block of
// his own: write-back when it allocates, a direct write when it maps (both ask the allocator how many refer to a block).
#include "harness/pagecache/reflink.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "harness/pagecache/filemap.h"
#include "harness/pagecache/freeze.h"
#include "harness/pagecache/truncate.h"
#include "harness/pagecache/write_mapping.h"
#include "harness/pagecache/writeback.h"

namespace ordeal::pagecache {

void Remap::LockExtents(Inode& a, Inode& b) {
  Inode& low = a.number < b.number ? a : b;
  Inode& high = &low == &a ? b : a;
  low.extent_lock.LockExclusive();
  if (&low != &high) high.extent_lock.LockExclusive(1);
}

void Remap::UnlockExtents(Inode& a, Inode& b) {
  if (&a != &b) b.extent_lock.UnlockExclusive();
  a.extent_lock.UnlockExclusive();
}

// One transaction: the destination's block goes, the source's is shared. A reservation has no block yet, and was flushed. Only a
// page that is dirtied once more through a pin changes the source's extents now: what was looked up is looked at again.
void Remap::SharePage(Inode& source, uint32_t from, Inode& target, uint32_t to) {
  if (world_.fs().RemapLocksBothExtents()) {
    const TransactionGuard transaction(world_, target);
    LockExtents(source, target);
    ShareLocked(source, from, target, to);
    return UnlockExtents(source, target);
  }
  source.extent_lock.LockShared();
  source.extent_lock.UnlockShared();
  const TransactionGuard transaction(world_, target);
  target.extent_lock.LockExclusive();
  ShareLocked(source, from, target, to);
  target.extent_lock.UnlockExclusive();
}

void Remap::ShareLocked(Inode& source, uint32_t from, Inode& target, uint32_t to) {
  Extent& old = target.extents[to];
  const Extent extent = source.extents[from];
  // A shared block that one of the two has zeroed since (fallocate) is not the same any more.
  const bool same = extent.has_block() && old.kind == extent.kind && extent.block == old.block;
  if (!same) {
    if (old.has_block()) world_.allocator().Free(old.block, target.disk.number);
    old = {};
    if (extent.kind == ExtentKind::kWritten) {
      world_.allocator().Share(extent.block);
      old = extent;
    }
  }
}

Result World::Clone(Inode& source, Inode& target, uint32_t offset_cells, uint32_t length_cells,
                    uint32_t target_offset_cells) {
  const FreezeGuard guard(*this, FreezeLevel::kWrite);
  Result result;
  const auto aligned = [](uint32_t cells) { return cells % kPageCells == 0; };
  const bool all_aligned = aligned(offset_cells) && aligned(length_cells) && aligned(target_offset_cells);
  if (!fs_.SharesBlocks() || &source == &target || !all_aligned) {
    return Finish(target, {.error = Error::kInvalid});
  }
  Truncation truncation(*this);
  fs_.RemapEnter(*this, source, target);
  // Before any size is looked at: an asynchronous write may be about to extend either file.
  if (!bugs().Has(Bug::kB22ReflinkSkipsDioDrain)) source.dio.WaitZero();
  target.dio.WaitZero();
  scheduler().Point(OperationKind::kRead, source.id);
  const uint32_t length = std::min(length_cells, source.i_size - std::min(source.i_size, offset_cells));
  const uint32_t end = target_offset_cells + length;
  // A source that ends inside a page may only become the end of the target.
  if (length == 0 || (!aligned(length) && end < target.i_size)) result.error = Error::kInvalid;
  if (result.error == Error::kOk && PagesFor(end) > kFilePagesMax) result.error = Error::kNoSpace;
  const uint32_t from = PageOf(offset_cells);
  const uint32_t to = PageOf(target_offset_cells);
  const uint32_t pages = PagesFor(length);
  if (result.error == Error::kOk) {
    result.error = Writeback(*this).Range(source, from, from + pages);
  }
  if (result.error == Error::kOk) result.error = Writeback(*this).Range(target, to, to + pages);
  if (result.error == Error::kOk && target_offset_cells > target.i_size) {
    result.error = Remap(*this).ZeroOldEnd(target);
  }
  if (result.error == Error::kOk) {
    fs_.SharingEnter(*this, source, target);
    truncation.DropPages(target, to, to + pages);
    target.dropped = {fs_.InvalidateKeepsFoliosOut(), to, to + pages, lockdep::Site::Here()};
    result.site = lockdep::Site::Here();
    fs_.RemapPrepared(*this, source, target);
    truncation.KeepDropped(target, to, to + pages);
    for (uint32_t i = 0; i < pages; ++i) Remap(*this).SharePage(source, from + i, target, to + i);
    fs_.ExtentsExit(*this, target);
    target.dropped.active = false;
    scheduler().Point(OperationKind::kWrite, target.id);
    target.i_size = std::max(target.i_size, end);
    fs_.SharingExit(*this, source, target);
    result.cells_done = length;
  }
  fs_.RemapExit(*this, source, target);
  source.last_operation = {"Clone", lockdep::Site::Here()};
  return Finish(target, std::move(result));
}

// B23: the helper that zeroes the old end of file reads as anybody reads, through the fill lock that the caller holds.
Error Remap::ZeroOldEnd(Inode& target) {
  if (world_.bugs().Has(Bug::kB23InvalidateLockRecursion) && target.i_size % kPageCells != 0) {
    Folio* folio = nullptr;
    const Error error = Filemap(world_).GetUptodate(target.mapping, PageOf(target.i_size), &folio);
    if (error != Error::kOk) return error;
    world_.memory().Put(*folio);
  }
  return Truncation(world_).ZeroToPageEnd(target, target.i_size);
}

bool Remap::Shared(const Inode& inode, uint32_t page) const {
  const Extent& extent = inode.extents[page];
  return extent.has_block() && world_.allocator().shared(extent.block);
}

// The page becomes dirty in the cache, so that write-back gives it a block of its own.
Error Remap::DirtyShared(Inode& inode, uint32_t page) {
  Filemap filemap(world_);
  if (world_.bugs().Has(Bug::kB23InvalidateLockRecursion)) {
    Folio* folio = nullptr;
    const Error error = filemap.GetUptodate(inode.mapping, page, &folio);
    if (error != Error::kOk) return error;
    world_.memory().Put(*folio);
  }
  Folio* folio = filemap.GetLocked(inode.mapping, page);
  if (folio == nullptr) return Error::kNoMemory;
  Error error = folio->uptodate ? Error::kOk : filemap.ReadLocked(*folio);
  if (error == Error::kOk) {
    folio->uptodate = true;
    error = Writeback(world_).Reserve(inode, page);
  }
  if (error == Error::kOk) filemap.SetDirty(*folio);
  folio->lock.Unlock();
  world_.memory().Put(*folio);
  return error;
}

Result World::Unshare(Inode& file, uint32_t offset_cells, uint32_t length_cells) {
  const FreezeGuard guard(*this, FreezeLevel::kWrite);
  if (!fs_.SharesBlocks()) return Finish(file, {.error = Error::kInvalid});
  Result result;
  Remap remap(*this);
  fs_.RangeEnter(*this, file, RangeOperation::kUnshare);
  scheduler().Point(OperationKind::kRead, file.id);
  const uint32_t begin = PageOf(offset_cells);
  const uint32_t end = std::min(PagesFor(offset_cells + length_cells), PagesFor(file.i_size));
  for (uint32_t page = begin; page < end && result.error == Error::kOk; ++page) {
    if (remap.Shared(file, page)) result.error = remap.DirtyShared(file, page);
  }
  if (result.error != Error::kOk && fs_.MapsBeforeFolioLock()) WriteMapping::Release(*this, file, begin, end);
  if (result.error == Error::kOk) result.error = Writeback(*this).Range(file, begin, end);
  if (result.error == Error::kOk) result.cells_done = length_cells;
  fs_.RangeExit(*this, file, RangeOperation::kUnshare);
  return Finish(file, std::move(result));
}

}  // namespace ordeal::pagecache
