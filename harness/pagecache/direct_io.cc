// Direct reads and writes (protocols 1.4.6, 1.4.7): the data goes between the device and pinned user memory; the page cache is
// written back and invalidated around it.
#include "harness/pagecache/direct_io.h"

#include <algorithm>
#include <optional>

#include "harness/pagecache/async_io.h"
#include "harness/pagecache/fault.h"
#include "harness/pagecache/filemap.h"
#include "harness/pagecache/generic_file.h"
#include "harness/pagecache/freeze.h"
#include "harness/pagecache/page_cache.h"
#include "harness/pagecache/truncate.h"
#include "harness/pagecache/writeback.h"
#include "lockdep/support/check.h"

namespace ordeal::pagecache {
namespace {

void EndDirect(World& world, Request& request, bool error) {
  request.segment->failed = error;
  request.segment->done = true;
  if (request.segment->async != nullptr) return request.segment->async->SegmentDone();
  world.io_done().WakeAll();
}

bool Aligned(const Io& io) { return io.offset_cells % kPageCells == 0 && io.length_cells % kPageCells == 0; }

// A part of one block, from anonymous memory.
bool InsideBlock(const Io& io) {
  return io.buffer.mapping == nullptr && io.length_cells > 0 &&
         PageOf(io.offset_cells) == PageOf(io.offset_cells + io.length_cells - 1);
}

}  // namespace

Error DirectIo::PinSegment(DirectSegment& segment, uint32_t cells, bool write) {
  if (!mapped()) return Error::kOk;
  UserMemory user(world_, mm_);
  const uint32_t first = io_.buffer.offset_cells + (segment.file_page - begin()) * kPageCells;
  for (uint32_t c = 0; c < cells; ++c) {
    const uint32_t cell = first + c;
    const bool same_page = c > 0 && PageOf(cell) == PageOf(cell - 1);
    if (same_page && cell >= io_.buffer.mapping->i_size) return Error::kFault;
    if (!same_page) {
      Error error = Error::kOk;
      const bool nofault = io_.nofault || world_.task().pagefault_disabled > 0;
      Folio* folio = nofault ? user.PinNofault(*io_.buffer.mapping, cell, write, &error)
                             : user.Pin(*io_.buffer.mapping, cell, write, &error);
      if (folio == nullptr) return error == Error::kNoMemory ? error : Error::kFault;
      pinned_.push_back(folio);
    }
    segment.target[c] = pinned_.back();
    segment.target_cell[c] = static_cast<uint8_t>(cell % kPageCells);
  }
  return Error::kOk;
}

// What is done with user memory is bracketed by P11, which may want it done again.
template <typename Reach>
Error DirectIo::ReachUser(bool write, Reach reach) {
  for (;;) {
    const size_t pinned_before = pinned_.size();
    world_.fs().PinEnter(world_, inode_);
    const Error error = world_.fs().PinExit(world_, inode_, begin(), end(), reach());
    if (error != Error::kAgain) return error;
    for (; pinned_.size() > pinned_before; pinned_.pop_back()) {
      UserMemory(world_, mm_).Unpin(*pinned_.back(), write);
    }
  }
}

// After a read the pinned pages hold new data: dirty them (set_page_dirty_lock).
void DirectIo::Unpin(bool written) {
  for (Folio* folio : pinned_) {
    if (written) {
      folio->lock.Lock();
      Filemap(world_).SetDirty(*folio);
      folio->lock.Unlock();
    }
    UserMemory(world_, mm_).Unpin(*folio, written);
  }
  pinned_.clear();
}

void DirectIo::Submit(DirectSegment& segment, RequestKind kind, uint32_t block) {
  segment.submitted = true;
  segment.async = async_;
  if (async_ != nullptr) async_->SegmentSubmitted();
  world_.device().Submit({.kind = kind, .block = block, .segment = &segment, .end_io = &EndDirect});
}

void DirectIo::WaitAll() {
  world_.io_done().WaitUntil([this] {
    return std::all_of(segments_.begin(), segments_.end(),
                       [](const DirectSegment& s) { return s.done || !s.submitted; });
  });
}

Extent DirectIo::LookUp(uint32_t page) {
  inode_.extent_lock.LockShared();
  const Extent extent = inode_.extents[page];
  inode_.extent_lock.UnlockShared();
  return extent;
}

// kNoSpace: no block is free; the extent is as before. Only what allocates is a transaction.
Error DirectIo::MapForWrite(DirectSegment& segment) {
  const Extent before = LookUp(segment.file_page);
  segment.block = before.block;
  const bool allocates = !before.has_block() || world_.allocator().CopiesOnWrite(before.block);
  if (!allocates && before.kind == ExtentKind::kWritten) return Error::kOk;
  std::optional<TransactionGuard> transaction;
  if (allocates) transaction.emplace(world_, inode_);
  inode_.extent_lock.LockExclusive();
  Extent& extent = inode_.extents[segment.file_page];
  const bool cow = extent.has_block() && world_.allocator().CopiesOnWrite(extent.block);
  if ((cow || extent.kind == ExtentKind::kHole) && world_.allocator().Full()) {
    inode_.extent_lock.UnlockExclusive();
    return Error::kNoSpace;
  }
  segment.cow = cow;
  if (cow) {
    segment.block = world_.allocator().Allocate(inode_.disk.number);
    ++inode_.cow_blocks;
  } else {
    // B98: the block shows what it held before until, or unless, the write is done.
    const ExtentKind kind = world_.bugs().Has(Bug::kB98ExposureAtFailedExtend) ? ExtentKind::kWritten : ExtentKind::kUnwritten;
    if (!extent.has_block()) extent = {kind, world_.allocator().Allocate(inode_.disk.number)};
    segment.block = extent.block;
    segment.zeroes_rest = true;
  }
  inode_.extent_lock.UnlockExclusive();
  return Error::kOk;
}

// A hole reads as zeros; the CPU stores them, with ordinary page faults.
Error DirectIo::ZeroSegment(DirectSegment& segment, uint32_t cells) {
  segment.data.fill(Stamp::Zero());
  segment.done = true;
  if (!mapped()) return Error::kOk;
  const uint32_t first = (segment.file_page - begin()) * kPageCells;
  for (uint32_t c = 0; c < cells; ++c) {
    const Error error = UserMemory(world_, mm_).Store(*io_.buffer.mapping, io_.buffer.offset_cells + first + c,
                                                      io_.stamps[first + c]);
    if (error != Error::kOk) return Error::kFault;
  }
  return Error::kOk;
}

// All segments, or with the fault kIoShort fewer, but one at least.
absl::Span<DirectSegment> DirectIo::Transferred() {
  const size_t all = segments_.size();
  const int fewer = world_.scheduler().ChooseFault(ChoiceKind::kIoShort, static_cast<int>(all), inode_.id);
  return absl::MakeSpan(segments_).first(all - static_cast<size_t>(fewer));
}

// Stops at the end of file or where the user memory cannot be reached; result->cells_done is how far it got.
void DirectIo::SubmitReads(uint32_t size, Result* result) {
  for (DirectSegment& segment : Transferred()) {
    const uint32_t first = segment.file_page * kPageCells;
    if (first >= size) return;
    const uint32_t cells = std::min(kPageCells, size - first);
    const Extent extent = LookUp(segment.file_page);
    if (extent.kind != ExtentKind::kWritten) {
      result->error = ReachUser(true, [&] { return ZeroSegment(segment, cells); });
    } else {
      result->error = ReachUser(true, [&] { return PinSegment(segment, cells, true); });
      if (result->error == Error::kOk) {
        if (mapped()) std::copy_n(io_.stamps.begin() + (first - io_.offset_cells), cells, segment.store.begin());
        Submit(segment, RequestKind::kDirectRead, extent.block);
      }
    }
    if (result->error != Error::kOk) return;
    result->cells_done += cells;
  }
}

bool DirectIo::StartRead(Result* result) {
  if (!world_.bugs().Has(Bug::kB18DirectReadSkipsFlush)) {
    result->error = Writeback(world_).Range(inode_, begin(), end());
    if (result->error != Error::kOk) return false;
  }
  if (!world_.fs().DirectIoEnter(world_, inode_, begin(), end(), false)) return false;
  inode_.dio.Begin();
  world_.scheduler().Point(OperationKind::kRead, inode_.id);
  result->site = lockdep::Site::Here();
  world_.StartPlug();
  SubmitReads(inode_.i_size, result);
  world_.FinishPlug();
  return true;
}

void DirectIo::FinishRead(Result* result) {
  world_.fs().DirectIoExit(world_, inode_, begin(), end(), false);
  Unpin(true);
  inode_.dio.End();
  for (const DirectSegment& segment : segments_) {
    if (segment.failed) {
      result->error = Error::kIo;
      result->cells_done = std::min(result->cells_done, segment.file_page * kPageCells - io_.offset_cells);
    }
  }
  for (uint32_t i = 0; i < result->cells_done; ++i) result->seen.push_back(segments_[PageOf(i)].data[i % kPageCells]);
}

Result DirectIo::Read() {
  Result result;
  if (!StartRead(&result)) return result;
  WaitAll();
  FinishRead(&result);
  return result;
}

// Stops where the user memory cannot be reached or no block is free.
void DirectIo::SubmitWrites(Result* result) {
  for (DirectSegment& segment : Transferred()) {
    const uint32_t from = std::max(segment.file_page * kPageCells, io_.offset_cells);
    segment.first_cell = from % kPageCells;
    segment.cells = std::min(kPageCells - segment.first_cell, io_.offset_cells + io_.length_cells - from);
    result->error = ReachUser(false, [&] { return PinSegment(segment, segment.cells, false); });
    if (result->error == Error::kOk) result->error = MapForWrite(segment);
    if (result->error != Error::kOk) return;
    std::copy_n(io_.stamps.begin() + (from - io_.offset_cells), segment.cells, segment.data.begin() + segment.first_cell);
    Submit(segment, RequestKind::kDirectWrite, segment.block);
    result->cells_done += segment.cells;
  }
}

// Under the extent lock. Of a write that failed in part no new block becomes readable: behind the end of file it would show when
// the file grows. Other direct I/O may still use the block that a copy on write replaces, so the allocator will not reuse it at
// once.
void DirectIo::EndSegment(DirectSegment& segment) {
  Extent& extent = inode_.extents[segment.file_page];
  const bool written = segment.submitted && !segment.failed;
  if (!segment.cow) {
    const bool all = std::none_of(segments_.begin(), segments_.end(), [](const DirectSegment& s) { return s.failed; });
    if (written && all && extent.kind == ExtentKind::kUnwritten) extent.kind = ExtentKind::kWritten;
    return;
  }
  --inode_.cow_blocks;
  if (written) {
    if (extent.has_block()) world_.allocator().FreeBusy(extent.block, inode_.disk.number);
    extent = {ExtentKind::kWritten, segment.block};
  } else {
    world_.allocator().Free(segment.block, inode_.disk.number);
  }
}

// The file system's end_io: what has been written becomes readable, then the file grows.
void DirectIo::EndWrite(Result* result) {
  if (result->cells_done == 0) return;
  const TransactionGuard transaction(world_, inode_);
  inode_.extent_lock.LockExclusive();
  for (DirectSegment& segment : segments_) EndSegment(segment);
  inode_.extent_lock.UnlockExclusive();
  Fail(result);
  if (result->cells_done == 0) return;
  world_.scheduler().Point(OperationKind::kWrite, inode_.id);
  inode_.i_size = std::max(inode_.i_size, io_.offset_cells + result->cells_done);
}

uint64_t DirectIo::Dirtied() const {
  uint64_t sum = 0;
  for (uint32_t page = begin(); page < end(); ++page) sum += inode_.dirtied[page];
  return sum;
}

void DirectIo::InvalidateAgain(Result* result) {
  if (world_.bugs().Has(Bug::kB14InvalidateOnlyBefore) || !world_.fs().InvalidatesAfterDirectWrite()) return;
  // B17b: one that failed is thought to have changed nothing.
  if (result->error != Error::kOk && world_.bugs().Has(Bug::kB17bNoInvalidateAfterError)) return;
  if (Truncation(world_).Invalidate(inode_, begin(), end())) return;
  if (world_.bugs().Has(Bug::kB17SilentInvalidateFailure)) return;
  ++inode_.mapping.wb_err;
  result->cache_conflict = true;
}

// A part of a block that others share: the rest would have to be copied.
bool DirectIo::NeedsCopyOfRest() {
  if (Aligned(io_)) return false;
  const Extent extent = LookUp(begin());
  return extent.has_block() && world_.allocator().CopiesOnWrite(extent.block);
}

bool DirectIo::StartWrite(LockMode mode, Result* result) {
  world_.scheduler().Point(OperationKind::kRead, inode_.id);
  if (io_.offset_cells > inode_.i_size) {
    LD_CHECK(mode == LockMode::kExclusive, "a direct write behind the end of file needs the I/O lock exclusively");
    result->error = Truncation(world_).ZeroToPageEnd(inode_, inode_.i_size);
  }
  if (result->error == Error::kOk) result->error = Writeback(world_).Range(inode_, begin(), end());
  if (result->error != Error::kOk) return false;
  if (NeedsCopyOfRest()) {
    must_fall_back_ = true;
    return false;
  }
  dirtied_after_flush_ = Dirtied();
  if (!Truncation(world_).Invalidate(inode_, begin(), end()) ||
      !world_.fs().DirectIoEnter(world_, inode_, begin(), end(), true)) {
    must_fall_back_ = true;
    return false;
  }
  inode_.dio.Begin();
  result->site = lockdep::Site::Here();
  world_.StartPlug();
  SubmitWrites(result);
  world_.FinishPlug();
  return true;
}

void DirectIo::Fail(Result* result) const {
  const bool failed = std::any_of(segments_.begin(), segments_.end(), [](const auto& s) { return s.failed; });
  if (!failed) return;
  result->error = Error::kIo;
  result->cells_done = 0;
}

// No page was cached when the last block had been written: whoever fills one now reads the new data.
void DirectIo::FinishWriteInInterrupt(Result* result) {
  Fail(result);
  if (Dirtied() != dirtied_after_flush_) result->cache_conflict = true;
  inode_.dio.End();
}

void DirectIo::FinishWrite(Result* result) {
  Unpin(false);
  const bool early = world_.bugs().Has(Bug::kB16InvalidateBeforeConversion);
  // B15: an asynchronous write has done it when its submission returned.
  const bool done_before = asynchronous_ && world_.bugs().Has(Bug::kB15AsyncInvalidatesAtSubmission);
  if (early) InvalidateAgain(result);
  EndWrite(result);
  world_.fs().DirectIoExit(world_, inode_, begin(), end(), true);
  if (!early && !done_before) InvalidateAgain(result);
  if (mapped()) {
    for (uint32_t i = 0; i < result->cells_done; ++i) {
      result->seen.push_back(segments_[PageOf(i)].source[i % kPageCells]);
    }
  }
  // A folio that was filled from the old blocks, dirtied and written back meanwhile leaves no trace but this count.
  const bool silent = world_.bugs().Has(Bug::kB17SilentInvalidateFailure);
  if (!silent && Dirtied() != dirtied_after_flush_) result->cache_conflict = true;
  const bool sync_first = io_.sync && world_.bugs().Has(Bug::kB19SyncBeforeDioEnd);
  if (sync_first) SyncUnderInodeLock(result);
  inode_.dio.End();
  if (io_.sync && !sync_first) Sync(result);
}

// Without anything to convert or to take out of the cache the interrupt may do it all.
bool DirectIo::CanFinishInInterrupt(bool write) const {
  if (mapped() || io_.sync) return false;
  if (!write) return true;
  bool plain = inode_.mapping.nrpages == 0 && end() * kPageCells <= inode_.i_size;
  for (const DirectSegment& segment : segments_) {
    plain &= !segment.cow && inode_.extents[segment.file_page].kind == ExtentKind::kWritten;
  }
  return plain;
}

void DirectIo::Sync(Result* result) {
  const Error error = Writeback(world_).Range(inode_, begin(), end());
  if (error == Error::kOk || result->cells_done == 0) return;
  result->error = error;
  result->cells_done = 0;
}

// B19: as long as fsync took the I/O lock.
void DirectIo::SyncUnderInodeLock(Result* result) {
  inode_.i_rwsem.LockExclusive();
  Sync(result);
  inode_.i_rwsem.UnlockExclusive();
}

Result DirectIo::Write(LockMode mode) {
  Result result;
  if (!StartWrite(mode, &result)) return result;
  WaitAll();
  FinishWrite(&result);
  return result;
}

Result GenericDirectRead(World& world, Mm& mm, const Io& io) { return DirectIo(world, mm, io).Read(); }

Result GenericDirectWrite(World& world, Mm& mm, const Io& io, LockMode mode, bool* fall_back) {
  DirectIo direct(world, mm, io);
  Result result = direct.Write(mode);
  *fall_back = direct.must_fall_back();
  return result;
}

Result FallBackToBuffered(World& world, Mm& mm, const Io& io) {
  Result result = world.fs().FileWrite(world, mm, io);
  if (result.cells_done > 0) {
    const uint32_t offset = io.append ? result.offset_cells : io.offset_cells;
    const uint32_t begin = PageOf(offset);
    const uint32_t end = PagesFor(offset + result.cells_done);
    if (Writeback(world).Range(*io.file, begin, end) == Error::kOk) Truncation(world).Invalidate(*io.file, begin, end);
  }
  return result;
}

Result World::DirectRead(Mm& mm, const Io& io) {
  if (!Aligned(io)) return Finish(*io.file, {.error = Error::kInvalid});
  Io clamped = io;
  const uint32_t cells_max = kFilePagesMax * kPageCells;
  clamped.length_cells = std::min(io.length_cells, cells_max - std::min(io.offset_cells, cells_max));
  return Finish(*io.file, fs_.FileDirectRead(*this, mm, clamped));
}

Result World::DirectWrite(Mm& mm, const Io& io) {
  const FreezeGuard guard(*this, FreezeLevel::kWrite);
  const bool fits = Aligned(io) || (InsideBlock(io) && fs_.DirectWritesPartOfBlock());
  if (!fits || io.offset_cells + io.length_cells > kFilePagesMax * kPageCells) {
    return Finish(*io.file, {.error = Error::kInvalid});
  }
  if (io.append && !fs_.PlacesDirectAppends()) return Finish(*io.file, FallBackToBuffered(*this, mm, io));
  return Finish(*io.file, fs_.FileDirectWrite(*this, mm, io));
}

}  // namespace ordeal::pagecache
