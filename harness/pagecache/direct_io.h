// One direct read or write (iomap_dio): pins user memory, maps blocks, submits, and finishes what was submitted. The synchronous
// callers do it in one go; an asynchronous one (async_io.h) finishes when the last segment is done.
//
// Thread-safety: tasks of one simulation.
// Invariants:    `io` outlives it; i_dio_count is held from Start (if it returned true) to Finish.
// Example:       DirectIo direct(world, mm, io); const Result result = direct.Write(LockMode::kExclusive);
#ifndef ORDEAL_HARNESS_PAGECACHE_DIRECT_IO_H_
#define ORDEAL_HARNESS_PAGECACHE_DIRECT_IO_H_

#include "absl/container/inlined_vector.h"
#include "harness/pagecache/block_device.h"
#include "harness/pagecache/page_cache.h"

namespace ordeal::pagecache {

class AsyncDirectIo;

class DirectIo {
 public:
  DirectIo(World& world, Mm& mm, const Io& io) : world_(world), mm_(mm), io_(io), inode_(*io.file) {
    // Requests point at the segments: the vector must never move.
    segments_.resize(PagesFor(io.offset_cells + io.length_cells) - PageOf(io.offset_cells));
    for (size_t i = 0; i < segments_.size(); ++i) {
      segments_[i].file_page = PageOf(io.offset_cells) + static_cast<uint32_t>(i);
    }
  }

  Result Read();
  Result Write(LockMode mode);
  bool must_fall_back() const { return must_fall_back_; }

  // The parts of them. Start returns false if nothing has begun; Finish is called when every segment is done.
  bool StartRead(Result* result);
  void FinishRead(Result* result);
  bool StartWrite(LockMode mode, Result* result);
  void FinishWrite(Result* result);
  void FinishWriteInInterrupt(Result* result);
  void WaitAll();
  bool CanFinishInInterrupt(bool write) const;
  // From here on segments belong to `async`.
  void set_async(AsyncDirectIo* async) {
    async_ = async;
    asynchronous_ = async != nullptr;
  }
  void InvalidateAgain(Result* result);

 private:
  uint32_t begin() const { return PageOf(io_.offset_cells); }
  uint32_t end() const { return begin() + static_cast<uint32_t>(segments_.size()); }
  bool mapped() const { return io_.buffer.mapping != nullptr; }

  absl::Span<DirectSegment> Transferred();
  Error PinSegment(DirectSegment& segment, uint32_t cells, bool write);
  template <typename Reach>
  Error ReachUser(bool write, Reach reach);
  void Unpin(bool written);
  void Submit(DirectSegment& segment, RequestKind kind, uint32_t block);
  Extent LookUp(uint32_t page);
  Error MapForWrite(DirectSegment& segment);
  void EndSegment(DirectSegment& segment);
  Error ZeroSegment(DirectSegment& segment, uint32_t cells);
  void SubmitReads(uint32_t size, Result* result);
  void SubmitWrites(Result* result);
  bool NeedsCopyOfRest();
  void EndWrite(Result* result);
  void Fail(Result* result) const;
  void Sync(Result* result);
  void SyncUnderInodeLock(Result* result);
  uint64_t Dirtied() const;

  World& world_;
  Mm& mm_;
  const Io& io_;
  Inode& inode_;
  absl::InlinedVector<DirectSegment, 2> segments_;
  absl::InlinedVector<Folio*, 8> pinned_;
  bool must_fall_back_ = false;
  bool asynchronous_ = false;
  AsyncDirectIo* async_ = nullptr;
  uint64_t dirtied_after_flush_ = 0;
};

}  // namespace ordeal::pagecache

#endif  // ORDEAL_HARNESS_PAGECACHE_DIRECT_IO_H_
