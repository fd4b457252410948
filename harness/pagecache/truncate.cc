#include "harness/pagecache/truncate.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "harness/pagecache/filemap.h"
#include "harness/pagecache/freeze.h"
#include "harness/pagecache/writeback.h"

namespace ordeal::pagecache {

// B08: what a fault maps after the first pass stays mapped.
bool Truncation::UnmapsOnce() const { return world_.bugs().Has(Bug::kB08TruncateUnmapsOnce); }

bool Truncation::DropPage(Inode& inode, uint32_t page) {
  Filemap filemap(world_);
  if (inode.mapping.pages[page] == nullptr) return false;
  Folio* folio = filemap.Get(inode.mapping, page);
  if (folio == nullptr) return false;
  folio->lock.Lock();
  if (folio->mapping == &inode.mapping) {
    if (folio->writeback.is_set()) folio->writeback.WaitClear();
    if (folio->mapcount > 0 && !UnmapsOnce()) filemap.Unmap(*folio);
    filemap.Remove(*folio);
  }
  folio->lock.Unlock();
  world_.memory().Put(*folio);
  return true;
}

// The second pass over the page tables catches what faults have mapped between the first and the removal.
void Truncation::DropPages(Inode& inode, uint32_t begin, uint32_t end) {
  Filemap filemap(world_);
  end = std::min(end, kFilePagesMax);
  filemap.UnmapRange(inode, begin, end);
  for (bool found = true; found;) {
    found = false;
    world_.scheduler().Point(OperationKind::kRead, inode.mapping.i_pages.id());
    for (uint32_t page = begin; page < end; ++page) found |= DropPage(inode, page);
  }
  if (!UnmapsOnce()) filemap.UnmapRange(inode, begin, end);
}

bool Truncation::AnyCached(Inode& inode, uint32_t begin, uint32_t end) {
  world_.scheduler().Point(OperationKind::kRead, inode.mapping.i_pages.id());
  const auto first = inode.mapping.pages.begin();
  return std::any_of(first + begin, first + end, [](const Folio* folio) { return folio != nullptr; });
}

// A folio that is inserted from here on waits for the lock before it is filled.
void Truncation::KeepDropped(Inode& inode, uint32_t begin, uint32_t end) {
  end = std::min(end, kFilePagesMax);
  const uint32_t lock_end = std::max(end, begin + 1);
  world_.fs().ExtentsEnter(world_, inode, begin, lock_end);
  while (world_.fs().HasRangeLock() && AnyCached(inode, begin, end)) {
    world_.fs().ExtentsExit(world_, inode);
    DropPages(inode, begin, end);
    world_.fs().ExtentsEnter(world_, inode, begin, lock_end);
  }
}

Error Truncation::ZeroToPageEnd(Inode& inode, uint32_t cell) {
  Filemap filemap(world_);
  const uint32_t page = PageOf(cell);
  if (cell % kPageCells == 0 || page >= kFilePagesMax) return Error::kOk;
  // B11: nobody should have stored behind the end of file, so there is nothing to zero when the file grows.
  if (cell >= inode.i_size && world_.bugs().Has(Bug::kB11StalePostEofBytes)) return Error::kOk;
  world_.scheduler().Point(OperationKind::kRead, inode.mapping.i_pages.id());
  if (inode.mapping.pages[page] == nullptr && inode.extents[page].kind != ExtentKind::kWritten) return Error::kOk;
  Folio* folio = filemap.GetLocked(inode.mapping, page);
  if (folio == nullptr) return Error::kNoMemory;
  Error error = Error::kOk;
  if (!folio->uptodate) error = filemap.ReadLocked(*folio);
  if (error == Error::kOk) folio->uptodate = true;
  const auto first = folio->cells.begin() + cell % kPageCells;
  const bool changes = std::any_of(first, folio->cells.end(), [](const Stamp& stamp) { return stamp != Stamp::Zero(); });
  if (error == Error::kOk && changes) {
    error = Writeback(world_).Reserve(inode, page);
    if (error == Error::kOk) {
      std::fill(first, folio->cells.end(), Stamp::Zero());
      filemap.SetDirty(*folio);
    }
  }
  folio->lock.Unlock();
  world_.memory().Put(*folio);
  return error;
}

void Truncation::FreeBlocks(Inode& inode, uint32_t begin, uint32_t end) {
  const TransactionGuard transaction(world_, inode);
  end = std::min(end, kFilePagesMax);
  inode.extent_lock.LockExclusive();
  if (inode.dio.count() != 0) {
    world_.NoteViolation("S9", "no direct I/O is in flight while blocks are freed",
                         absl::StrCat("inode ", inode.number, " frees blocks under direct I/O"));
  }
  for (uint32_t page = begin; page < end; ++page) {
    Extent& extent = inode.extents[page];
    if (extent.has_block()) {
      if (!world_.allocator().shared(extent.block) && world_.device().HasWriteInFlight(extent.block)) {
        world_.NoteViolation("S6", "no write is in flight to a freed block",
                             absl::StrCat("page ", page, " of inode ", inode.number, " is freed while it is written"));
      }
      world_.allocator().Free(extent.block, inode.disk.number);
    }
    extent = {};
  }
  inode.extent_lock.UnlockExclusive();
}

bool Truncation::Invalidate(Inode& inode, uint32_t begin, uint32_t end) {
  Filemap filemap(world_);
  AddressSpace& mapping = inode.mapping;
  bool complete = true;
  end = std::min(end, kFilePagesMax);
  world_.scheduler().Point(OperationKind::kRead, mapping.i_pages.id());
  for (uint32_t page = begin; page < end; ++page) {
    if (mapping.pages[page] == nullptr) continue;
    Folio* folio = filemap.Get(mapping, page);
    if (folio == nullptr) continue;
    if (folio->mapcount > 0) filemap.UnmapRange(inode, page, end);
    folio->lock.Lock();
    if (folio->mapping == &mapping) {
      if (folio->writeback.is_set()) folio->writeback.WaitClear();
      if (folio->mapcount > 0) filemap.Unmap(*folio);
      complete &= filemap.RemoveIfClean(*folio, Filemap::kAnyRefs);
    }
    folio->lock.Unlock();
    world_.memory().Put(*folio);
  }
  return complete;
}

Result World::Truncate(Inode& file, uint32_t size_cells) {
  const FreezeGuard guard(*this, FreezeLevel::kWrite);
  Result result;
  if (size_cells > kFilePagesMax * kPageCells) {
    result.error = Error::kInvalid;
    return Finish(file, std::move(result));
  }
  Truncation truncation(*this);
  fs_.RangeEnter(*this, file, RangeOperation::kTruncate);
  const uint32_t old_size = file.i_size;
  result.error = truncation.ZeroToPageEnd(file, std::min(old_size, size_cells));
  if (result.error == Error::kOk) {
    scheduler().Point(OperationKind::kWrite, file.id);
    file.i_size = size_cells;
    if (size_cells < old_size) {
      const uint32_t first = PagesFor(size_cells);
      truncation.DropPages(file, first, kFilePagesMax);
      // Stores that came between the zeroing and the new size (truncate_inode_pages_range zeroes the partial page again).
      // What it zeroes is dirty, and has its block; a failed read leaves nothing to zero in the cache.
      (void)truncation.ZeroToPageEnd(file, size_cells);
      const bool frozen = file.mapping.invalidate_lock.HeldExclusiveByCurrent() && fs_.InvalidateKeepsFoliosOut();
      file.dropped = {frozen, first, kFilePagesMax, lockdep::Site::Here()};
      result.site = lockdep::Site::Here();
      truncation.KeepDropped(file, first, kFilePagesMax);
      truncation.FreeBlocks(file, first, kFilePagesMax);
      fs_.ExtentsExit(*this, file);
      file.dropped.active = false;
    }
  }
  fs_.RangeExit(*this, file, RangeOperation::kTruncate);
  return Finish(file, std::move(result));
}

}  // namespace ordeal::pagecache
