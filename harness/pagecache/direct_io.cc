// Direct reads and writes (protocols 1.4.6, 1.4.7): the data goes between the device and pinned user memory; the page cache is
// written back and invalidated around it.
#include <algorithm>

#include "harness/pagecache/fault.h"
#include "harness/pagecache/filemap.h"
#include "harness/pagecache/generic_file.h"
#include "harness/pagecache/page_cache.h"
#include "harness/pagecache/truncate.h"
#include "harness/pagecache/writeback.h"
#include "lockdep/support/check.h"

namespace ordeal::pagecache {
namespace {

void EndDirect(World& world, Request& request, bool error) {
  request.segment->failed = error;
  request.segment->done = true;
  world.io_done().WakeAll();
}

bool Aligned(const Io& io) { return io.offset_cells % kPageCells == 0 && io.length_cells % kPageCells == 0; }

class DirectIo {
 public:
  DirectIo(World& world, Mm& mm, const Io& io) : world_(world), mm_(mm), io_(io), inode_(*io.file) {
    // Requests point at the segments: the vector must never move.
    segments_.resize(PageOf(io.length_cells));
    for (size_t i = 0; i < segments_.size(); ++i) {
      segments_[i].file_page = PageOf(io.offset_cells) + static_cast<uint32_t>(i);
    }
  }

  Result Read();
  Result Write(LockMode mode);
  bool must_fall_back() const { return must_fall_back_; }

 private:
  uint32_t begin() const { return PageOf(io_.offset_cells); }
  uint32_t end() const { return begin() + static_cast<uint32_t>(segments_.size()); }
  bool mapped() const { return io_.buffer.mapping != nullptr; }

  Error PinSegment(DirectSegment& segment, uint32_t cells, bool write);
  template <typename Reach>
  Error ReachUser(bool write, Reach reach);
  void Unpin(bool written);
  void Submit(DirectSegment& segment, RequestKind kind, uint32_t block);
  void WaitAll();
  bool MapForRead(uint32_t page, uint32_t* block);
  void MapForWrite(DirectSegment& segment);
  void EndSegment(DirectSegment& segment);
  Error ZeroSegment(DirectSegment& segment, uint32_t cells);
  void SubmitReads(uint32_t size, Result* result);
  void SubmitWrites(Result* result);
  void EndWrite(Result* result);
  void InvalidateAgain(Result* result);
  uint64_t Dirtied() const;

  World& world_;
  Mm& mm_;
  const Io& io_;
  Inode& inode_;
  absl::InlinedVector<DirectSegment, 2> segments_;
  absl::InlinedVector<Folio*, 8> pinned_;
  bool must_fall_back_ = false;
};

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
  world_.device().Submit({.kind = kind, .block = block, .segment = &segment, .end_io = &EndDirect});
}

void DirectIo::WaitAll() {
  world_.io_done().WaitUntil([this] {
    return std::all_of(segments_.begin(), segments_.end(),
                       [](const DirectSegment& s) { return s.done || !s.submitted; });
  });
}

bool DirectIo::MapForRead(uint32_t page, uint32_t* block) {
  inode_.extent_lock.LockShared();
  const Extent extent = inode_.extents[page];
  inode_.extent_lock.UnlockShared();
  *block = extent.block;
  return extent.kind == ExtentKind::kWritten;
}

void DirectIo::MapForWrite(DirectSegment& segment) {
  if (MapForRead(segment.file_page, &segment.block) && !world_.allocator().shared(segment.block)) return;
  inode_.extent_lock.LockExclusive();
  Extent& extent = inode_.extents[segment.file_page];
  segment.cow = extent.has_block() && world_.allocator().shared(extent.block);
  if (segment.cow) {
    segment.block = world_.allocator().Allocate(inode_.disk.number);
    ++inode_.cow_blocks;
  } else {
    if (!extent.has_block()) extent = {ExtentKind::kUnwritten, world_.allocator().Allocate(inode_.disk.number)};
    segment.block = extent.block;
  }
  inode_.extent_lock.UnlockExclusive();
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

// Stops at the end of file or where the user memory cannot be reached; result->cells_done is how far it got.
void DirectIo::SubmitReads(uint32_t size, Result* result) {
  for (DirectSegment& segment : segments_) {
    const uint32_t first = segment.file_page * kPageCells;
    if (first >= size) return;
    const uint32_t cells = std::min(kPageCells, size - first);
    uint32_t block = 0;
    if (!MapForRead(segment.file_page, &block)) {
      result->error = ReachUser(true, [&] { return ZeroSegment(segment, cells); });
    } else {
      result->error = ReachUser(true, [&] { return PinSegment(segment, cells, true); });
      if (result->error == Error::kOk) {
        if (mapped()) std::copy_n(io_.stamps.begin() + (first - io_.offset_cells), cells, segment.store.begin());
        Submit(segment, RequestKind::kDirectRead, block);
      }
    }
    if (result->error != Error::kOk) return;
    result->cells_done += cells;
  }
}

Result DirectIo::Read() {
  Result result;
  if (!world_.bugs().Has(Bug::kB18DirectReadSkipsFlush)) {
    result.error = Writeback(world_).Range(inode_, begin(), end());
    if (result.error != Error::kOk) return result;
  }
  inode_.dio.Begin();
  world_.scheduler().Point(OperationKind::kRead, inode_.id);
  result.site = lockdep::Site::Here();
  SubmitReads(inode_.i_size, &result);
  WaitAll();
  Unpin(true);
  inode_.dio.End();
  for (const DirectSegment& segment : segments_) {
    if (segment.failed) {
      result.error = Error::kIo;
      result.cells_done = std::min(result.cells_done, segment.file_page * kPageCells - io_.offset_cells);
    }
  }
  for (uint32_t i = 0; i < result.cells_done; ++i) result.seen.push_back(segments_[PageOf(i)].data[i % kPageCells]);
  return result;
}

void DirectIo::SubmitWrites(Result* result) {
  for (DirectSegment& segment : segments_) {
    const uint32_t first = segment.file_page * kPageCells - io_.offset_cells;
    result->error = ReachUser(false, [&] { return PinSegment(segment, kPageCells, false); });
    if (result->error != Error::kOk) return;
    MapForWrite(segment);
    std::copy_n(io_.stamps.begin() + first, kPageCells, segment.data.begin());
    Submit(segment, RequestKind::kDirectWrite, segment.block);
    result->cells_done += kPageCells;
  }
}

// Under the extent lock. Other direct I/O may still use the block that a copy on write replaces, so the allocator will not reuse
// it at once.
void DirectIo::EndSegment(DirectSegment& segment) {
  Extent& extent = inode_.extents[segment.file_page];
  const bool written = segment.submitted && !segment.failed;
  if (!segment.cow) {
    if (written && extent.kind == ExtentKind::kUnwritten) extent.kind = ExtentKind::kWritten;
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
  inode_.extent_lock.LockExclusive();
  for (DirectSegment& segment : segments_) EndSegment(segment);
  inode_.extent_lock.UnlockExclusive();
  const bool failed = std::any_of(segments_.begin(), segments_.end(), [](const auto& s) { return s.failed; });
  if (failed) {
    result->error = Error::kIo;
    result->cells_done = 0;
    return;
  }
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
  if (Truncation(world_).Invalidate(inode_, begin(), end())) return;
  if (world_.bugs().Has(Bug::kB17SilentInvalidateFailure)) return;
  ++inode_.mapping.wb_err;
  result->cache_conflict = true;
}

Result DirectIo::Write(LockMode mode) {
  Result result;
  world_.scheduler().Point(OperationKind::kRead, inode_.id);
  if (io_.offset_cells > inode_.i_size) {
    LD_CHECK(mode == LockMode::kExclusive, "a direct write behind the end of file needs the I/O lock exclusively");
    result.error = Truncation(world_).ZeroToPageEnd(inode_, inode_.i_size);
  }
  if (result.error == Error::kOk) result.error = Writeback(world_).Range(inode_, begin(), end());
  if (result.error != Error::kOk) return result;
  const uint64_t dirtied_after_flush = Dirtied();
  if (!Truncation(world_).Invalidate(inode_, begin(), end())) {
    must_fall_back_ = true;
    return result;
  }
  inode_.dio.Begin();
  result.site = lockdep::Site::Here();
  SubmitWrites(&result);
  WaitAll();
  Unpin(false);
  const bool early = world_.bugs().Has(Bug::kB16InvalidateBeforeConversion);
  if (early) InvalidateAgain(&result);
  EndWrite(&result);
  if (!early) InvalidateAgain(&result);
  if (mapped()) {
    for (uint32_t i = 0; i < result.cells_done; ++i) result.seen.push_back(segments_[PageOf(i)].source[i % kPageCells]);
  }
  // A folio that was filled from the old blocks, dirtied and written back meanwhile leaves no trace but this count.
  const bool silent = world_.bugs().Has(Bug::kB17SilentInvalidateFailure);
  if (!silent && Dirtied() != dirtied_after_flush) result.cache_conflict = true;
  inode_.dio.End();
  return result;
}

}  // namespace

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
    const uint32_t begin = PageOf(io.offset_cells);
    const uint32_t end = PagesFor(io.offset_cells + result.cells_done);
    if (Writeback(world).Range(*io.file, begin, end) == Error::kOk) Truncation(world).Invalidate(*io.file, begin, end);
  }
  return result;
}

Result World::DirectRead(Mm& mm, const Io& io) {
  if (!Aligned(io)) return Finish({.error = Error::kInvalid});
  Io clamped = io;
  const uint32_t cells_max = kFilePagesMax * kPageCells;
  clamped.length_cells = std::min(io.length_cells, cells_max - std::min(io.offset_cells, cells_max));
  return Finish(fs_.FileDirectRead(*this, mm, clamped));
}

Result World::DirectWrite(Mm& mm, const Io& io) {
  if (!Aligned(io) || io.offset_cells + io.length_cells > kFilePagesMax * kPageCells) {
    return Finish({.error = Error::kInvalid});
  }
  return Finish(fs_.FileDirectWrite(*this, mm, io));
}

}  // namespace ordeal::pagecache
