// fallocate: punch hole, zero range, collapse and insert range, allocation (protocols 1.4.9, 1.4.10). Each takes what the file
// system takes around such a change (P13), writes back, drops pages, and then changes extents one transaction after another.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "harness/pagecache/freeze.h"
#include "harness/pagecache/page_cache.h"
#include "harness/pagecache/truncate.h"
#include "harness/pagecache/writeback.h"

namespace ordeal::pagecache {
namespace {

bool WholePages(uint32_t offset_cells, uint32_t length_cells) {
  return offset_cells % kPageCells == 0 && length_cells % kPageCells == 0;
}

// The transactions of a range operation, an extent lock cycle each.
class ExtentTransactions {
 public:
  ExtentTransactions(World& world, Inode& inode) : world_(world), inode_(inode) {}

  // Reads as zeros from now on, with a block. kNoSpace: the page has none, and none is free.
  Error MakeUnwritten(uint32_t page);
  // A hole gets an unwritten block. kNoSpace: none is free.
  Error Fill(uint32_t page);
  void Move(uint32_t from, uint32_t to);

 private:
  Error AllocateUnwritten(Extent& extent);

  World& world_;
  Inode& inode_;
};

Error ExtentTransactions::MakeUnwritten(uint32_t page) {
  const TransactionGuard transaction(world_, inode_);
  inode_.extent_lock.LockExclusive();
  Extent& extent = inode_.extents[page];
  Error error = Error::kOk;
  if (extent.has_block()) {
    extent.kind = ExtentKind::kUnwritten;
  } else {
    error = AllocateUnwritten(extent);
  }
  inode_.extent_lock.UnlockExclusive();
  return error;
}

Error ExtentTransactions::Fill(uint32_t page) {
  const TransactionGuard transaction(world_, inode_);
  inode_.extent_lock.LockExclusive();
  Extent& extent = inode_.extents[page];
  Error error = Error::kOk;
  if (extent.kind == ExtentKind::kHole) error = AllocateUnwritten(extent);
  inode_.extent_lock.UnlockExclusive();
  return error;
}

// A reservation is used up.
Error ExtentTransactions::AllocateUnwritten(Extent& extent) {
  if (extent.kind == ExtentKind::kHole && world_.allocator().Full()) return Error::kNoSpace;
  extent = {ExtentKind::kUnwritten, world_.allocator().Allocate(inode_.disk.number)};
  return Error::kOk;
}

void ExtentTransactions::Move(uint32_t from, uint32_t to) {
  if (inode_.extents[from].kind == ExtentKind::kHole && inode_.extents[to].kind == ExtentKind::kHole) return;
  const TransactionGuard transaction(world_, inode_);
  inode_.extent_lock.LockExclusive();
  if (inode_.dio.count() != 0) {
    world_.NoteViolation("S9", "no direct I/O is in flight while extents move",
                         absl::StrCat("inode ", inode_.number, " moves extents under direct I/O"));
  }
  Extent& target = inode_.extents[to];
  if (target.has_block()) world_.allocator().Free(target.block, inode_.disk.number);
  target = inode_.extents[from];
  inode_.extents[from] = {};
  inode_.extent_lock.UnlockExclusive();
}

}  // namespace

Result World::PunchHole(Inode& file, uint32_t offset_cells, uint32_t length_cells) {
  const FreezeGuard guard(*this, FreezeLevel::kWrite);
  if (!WholePages(offset_cells, length_cells)) return Finish(file, {.error = Error::kInvalid});
  Result result;
  const uint32_t begin = PageOf(offset_cells);
  const uint32_t end = std::min(begin + PageOf(length_cells), kFilePagesMax);
  Truncation truncation(*this);
  fs_.RangeEnter(*this, file, RangeOperation::kPunchHole);
  result.error = Writeback(*this).Range(file, begin, end);
  if (result.error == Error::kOk) {
    truncation.DropPages(file, begin, end);
    file.dropped = {fs_.InvalidateKeepsFoliosOut(), begin, end, lockdep::Site::Here()};
    result.site = lockdep::Site::Here();
    truncation.KeepDropped(file, begin, end);
    truncation.FreeBlocks(file, begin, end);
    fs_.ExtentsExit(*this, file);
    file.dropped.active = false;
    result.cells_done = length_cells;
  }
  fs_.RangeExit(*this, file, RangeOperation::kPunchHole);
  return Finish(file, std::move(result));
}

Result World::ZeroRange(Inode& file, uint32_t offset_cells, uint32_t length_cells) {
  const FreezeGuard guard(*this, FreezeLevel::kWrite);
  if (!WholePages(offset_cells, length_cells)) return Finish(file, {.error = Error::kInvalid});
  Result result;
  const uint32_t begin = PageOf(offset_cells);
  const uint32_t end = begin + PageOf(length_cells);
  if (end > kFilePagesMax) return Finish(file, {.error = Error::kNoSpace});
  Truncation truncation(*this);
  fs_.RangeEnter(*this, file, RangeOperation::kZeroRange);
  result.error = Writeback(*this).Range(file, begin, end);
  if (result.error == Error::kOk && offset_cells > file.i_size) {
    result.error = truncation.ZeroToPageEnd(file, file.i_size);
  }
  if (result.error == Error::kOk) {
    truncation.DropPages(file, begin, end);
    file.dropped = {fs_.InvalidateKeepsFoliosOut(), begin, end, lockdep::Site::Here()};
    result.site = lockdep::Site::Here();
    truncation.KeepDropped(file, begin, end);
    ExtentTransactions transactions(*this, file);
    for (uint32_t page = begin; page < end && result.error == Error::kOk; ++page) {
      result.error = transactions.MakeUnwritten(page);
    }
    fs_.ExtentsExit(*this, file);
    file.dropped.active = false;
  }
  if (result.error == Error::kOk) {
    scheduler().Point(OperationKind::kWrite, file.id);
    file.i_size = std::max(file.i_size, offset_cells + length_cells);
    result.cells_done = length_cells;
  }
  fs_.RangeExit(*this, file, RangeOperation::kZeroRange);
  return Finish(file, std::move(result));
}

// The whole tail must stay free of pages until the last extent has moved: cached pages would keep their old place.
Result World::CollapseRange(Inode& file, uint32_t offset_cells, uint32_t length_cells) {
  const FreezeGuard guard(*this, FreezeLevel::kWrite);
  if (!WholePages(offset_cells, length_cells)) return Finish(file, {.error = Error::kInvalid});
  Result result;
  const uint32_t begin = PageOf(offset_cells);
  const uint32_t end = begin + PageOf(length_cells);
  Truncation truncation(*this);
  fs_.RangeEnter(*this, file, RangeOperation::kCollapse);
  scheduler().Point(OperationKind::kRead, file.id);
  if (offset_cells + length_cells >= file.i_size) result.error = Error::kInvalid;  // that would be a truncate
  if (result.error == Error::kOk) result.error = Writeback(*this).Range(file, begin, kFilePagesMax);
  if (result.error == Error::kOk) {
    const uint32_t drop_end = bugs().Has(Bug::kB06CollapseDropsRangeOnly) ? end : kFilePagesMax;
    truncation.DropPages(file, begin, drop_end);
    file.dropped = {fs_.InvalidateKeepsFoliosOut(), begin, drop_end, lockdep::Site::Here()};
    result.site = lockdep::Site::Here();
    truncation.KeepDropped(file, begin, kFilePagesMax);
    truncation.FreeBlocks(file, PagesFor(file.i_size), kFilePagesMax);
    truncation.FreeBlocks(file, begin, end);
    ExtentTransactions transactions(*this, file);
    for (uint32_t page = end; page < kFilePagesMax; ++page) transactions.Move(page, page - (end - begin));
    scheduler().Point(OperationKind::kWrite, file.id);
    file.i_size -= length_cells;
    fs_.ExtentsExit(*this, file);
    file.dropped.active = false;
    result.cells_done = length_cells;
  }
  fs_.RangeExit(*this, file, RangeOperation::kCollapse);
  return Finish(file, std::move(result));
}

// The file grows first, so that no extent is ever moved behind its end; then the last extent moves first.
Result World::InsertRange(Inode& file, uint32_t offset_cells, uint32_t length_cells) {
  const FreezeGuard guard(*this, FreezeLevel::kWrite);
  if (!WholePages(offset_cells, length_cells)) return Finish(file, {.error = Error::kInvalid});
  Result result;
  const uint32_t begin = PageOf(offset_cells);
  const uint32_t pages = PageOf(length_cells);
  Truncation truncation(*this);
  fs_.RangeEnter(*this, file, RangeOperation::kInsert);
  scheduler().Point(OperationKind::kRead, file.id);
  const uint32_t old_end = PagesFor(file.i_size);
  if (offset_cells >= file.i_size) {
    result.error = Error::kInvalid;
  } else if (old_end + pages > kFilePagesMax) {
    result.error = Error::kNoSpace;
  } else {
    result.error = Writeback(*this).Range(file, begin, kFilePagesMax);
  }
  if (result.error == Error::kOk) {
    const uint32_t drop_end = bugs().Has(Bug::kB06CollapseDropsRangeOnly) ? begin + pages : kFilePagesMax;
    truncation.DropPages(file, begin, drop_end);
    file.dropped = {fs_.InvalidateKeepsFoliosOut(), begin, drop_end, lockdep::Site::Here()};
    result.site = lockdep::Site::Here();
    truncation.KeepDropped(file, begin, kFilePagesMax);
    truncation.FreeBlocks(file, old_end, kFilePagesMax);
    scheduler().Point(OperationKind::kWrite, file.id);
    file.i_size += length_cells;
    ExtentTransactions transactions(*this, file);
    for (uint32_t page = old_end; page-- > begin;) transactions.Move(page, page + pages);
    fs_.ExtentsExit(*this, file);
    file.dropped.active = false;
    result.cells_done = length_cells;
  }
  fs_.RangeExit(*this, file, RangeOperation::kInsert);
  return Finish(file, std::move(result));
}

// Mode 0. Without space what has been allocated stays, and the file as long as it was. B21: i_size is taken before an asynchronous
// direct write that extends the file has ended, and set afterwards.
Result World::Allocate(Inode& file, uint32_t offset_cells, uint32_t length_cells) {
  const FreezeGuard guard(*this, FreezeLevel::kWrite);
  Result result;
  const uint32_t end = offset_cells + length_cells;
  if (PagesFor(end) > kFilePagesMax) return Finish(file, {.error = Error::kNoSpace});
  fs_.RangeEnter(*this, file, RangeOperation::kAllocate);
  scheduler().Point(OperationKind::kRead, file.id);
  const uint32_t old_size = file.i_size;
  if (end > old_size) result.error = Truncation(*this).ZeroToPageEnd(file, old_size);
  if (result.error == Error::kOk) {
    result.site = lockdep::Site::Here();
    ExtentTransactions transactions(*this, file);
    for (uint32_t page = PageOf(offset_cells); page < PagesFor(end) && result.error == Error::kOk; ++page) {
      result.error = transactions.Fill(page);
    }
  }
  if (result.error == Error::kOk) {
    scheduler().Point(OperationKind::kWrite, file.id);
    const bool stale = bugs().Has(Bug::kB21FallocateSkipsDioDrain);
    if (end > old_size) file.i_size = std::max(stale ? old_size : file.i_size, end);
    result.cells_done = length_cells;
  }
  fs_.RangeExit(*this, file, RangeOperation::kAllocate);
  return Finish(file, std::move(result));
}

}  // namespace ordeal::pagecache
