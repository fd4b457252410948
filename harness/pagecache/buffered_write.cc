// Buffered write(2): prefault, atomic copy under the folio lock, short-copy rules (protocols 1.4.2).
#include <algorithm>

#include "harness/pagecache/fault.h"
#include "harness/pagecache/filemap.h"
#include "harness/pagecache/generic_file.h"
#include "harness/pagecache/freeze.h"
#include "harness/pagecache/page_cache.h"
#include "harness/pagecache/truncate.h"
#include "harness/pagecache/write_mapping.h"
#include "harness/pagecache/writeback.h"

namespace ordeal::pagecache {
namespace {

// Copies in a row that found the source page gone again. It happens when memory cannot hold source and destination at once:
// the kernel would kill somebody, the model reports ENOMEM.
constexpr int kFruitlessCopiesMax = 32;

// Some catalogue entries are findings of this one mistake.
bool FaultsUnderPageLock(const World& world) {
  return world.bugs().Has(Bug::kB27WriteFaultsUnderPageLock) || world.bugs().Has(Bug::kB28WritersCrossPages) ||
         world.bugs().Has(Bug::kB29PageLockThenMmapLock) || world.bugs().Has(Bug::kB50GuardHeldAcrossFault);
}

class BufferedWrite {
 public:
  BufferedWrite(World& world, Mm& mm, const Io& io)
      : world_(world),
        mm_(mm),
        io_(io),
        inode_(*io.file),
        mapped_(io.buffer.mapping != nullptr),
        mapping_(world, inode_) {}

  void Run(Result* result);

 private:
  Error WriteChunk(uint32_t at, uint32_t cells, Result* result);
  Error Begin(uint32_t at, uint32_t cells, Folio** folio);
  Error FillAndReserve(Folio& folio, uint32_t cells);
  uint32_t Copy(Folio& folio, uint32_t at, uint32_t cells, Result* result, Error* error);
  void End(Folio& folio, uint32_t at, uint32_t copied);
  bool Map(uint32_t at);
  void EndMapping(uint32_t at);
  bool Stale(uint32_t page) const;
  bool ReadsAsZeros(uint32_t page) const {
    return world_.fs().MapsBeforeFolioLock() && !mapping_.HasData(page);
  }
  uint32_t end() const { return io_.offset_cells + io_.length_cells; }
  uint32_t BufferCell(uint32_t at) const { return io_.buffer.offset_cells + at - io_.offset_cells; }

  World& world_;
  Mm& mm_;
  const Io& io_;
  Inode& inode_;
  const bool mapped_;
  WriteMapping mapping_;      // of file systems that map before they lock
  uint32_t mapped_from_ = 0;  // cell
};

void BufferedWrite::Run(Result* result) {
  world_.scheduler().Point(OperationKind::kRead, inode_.id);
  if (io_.offset_cells > inode_.i_size) {
    if (world_.fs().async_direct_io() == AsyncDirectIoRule::kMayExtend) inode_.dio.WaitZero();
    result->error = Truncation(world_).ZeroToPageEnd(inode_, inode_.i_size);
  }
  int fruitless = 0;
  while (result->error == Error::kOk && io_.offset_cells + result->cells_done < end()) {
    const uint32_t at = io_.offset_cells + result->cells_done;
    const uint32_t cells = std::min(end(), (PageOf(at) + 1) * kPageCells) - at;
    result->error = WriteChunk(at, cells, result);
    fruitless = io_.offset_cells + result->cells_done == at ? fruitless + 1 : 0;
    if (fruitless == kFruitlessCopiesMax) result->error = Error::kNoMemory;
    if (world_.task().pagefault_disabled == 0) world_.BalanceDirtyPages();
  }
  EndMapping(io_.offset_cells + result->cells_done);
}

// The rest of the write, from the cell on. False: there is no space.
bool BufferedWrite::Map(uint32_t at) {
  EndMapping(at);
  mapped_from_ = at;
  return mapping_.Begin(PageOf(at), PagesFor(end()));
}

// The page of `at` has data unless the mapping began there.
void BufferedWrite::EndMapping(uint32_t at) { mapping_.End(at == mapped_from_ ? PageOf(at) : PagesFor(at)); }

// B12: what was looked up is used whatever has happened since.
bool BufferedWrite::Stale(uint32_t page) const {
  if (!world_.fs().MapsBeforeFolioLock() || world_.bugs().Has(Bug::kB12StaleIomap)) return false;
  return !mapping_.Valid(page);
}

// Copies some cells of one page; none if the source page has gone again since it was faulted in: then it is done again.
Error BufferedWrite::WriteChunk(uint32_t at, uint32_t cells, Result* result) {
  if (world_.fs().MapsBeforeFolioLock() && !mapping_.Covers(PageOf(at)) && !Map(at)) return Error::kNoSpace;
  const bool prefault = world_.task().pagefault_disabled == 0 && !FaultsUnderPageLock(world_);
  if (mapped_ && prefault) {
    const uint32_t readable = UserMemory(world_, mm_).FaultInReadable(*io_.buffer.mapping, BufferCell(at), cells);
    if (readable == 0) return Error::kFault;
    cells = readable;
  }
  Folio* folio = nullptr;
  if (const Error error = Begin(at, cells, &folio); error != Error::kOk) return error;
  const uint32_t page = PageOf(at);
  Error error = Error::kOk;
  const uint32_t before = static_cast<uint32_t>(result->seen.size());
  uint32_t copied = Copy(*folio, at, cells, result, &error);
  if (copied < cells && !folio->uptodate && !world_.bugs().Has(Bug::kB31ShortCopyMarkedUptodate)) {
    copied = 0;  // the rest of the page was never filled
    result->seen.resize(before);
  }
  if (copied > 0) {
    End(*folio, at, copied);
  } else if (!world_.fs().MapsBeforeFolioLock()) {  // the end of the mapping gives it back
    Writeback(world_).Unreserve(inode_, *folio);
  }
  world_.fs().FolioWritten(world_, *folio);
  folio->lock.Unlock();
  world_.memory().Put(*folio);
  world_.fs().WriteEnd(world_, inode_, page);
  result->cells_done += copied;
  // Whoever disabled page faults brings the source in and comes back.
  if (copied < cells && mapped_ && world_.task().pagefault_disabled > 0 && error == Error::kOk) error = Error::kFault;
  return error;
}

// write_begin: the locked folio, filled unless the write covers all of it, with a block reserved.
Error BufferedWrite::Begin(uint32_t at, uint32_t cells, Folio** found) {
  const uint32_t page = PageOf(at);
  for (;;) {
    if (const Error error = world_.fs().WriteBegin(world_, inode_, page); error != Error::kOk) return error;
    Folio* folio = Filemap(world_).GetLocked(inode_.mapping, page);
    if (folio != nullptr && Stale(page)) {
      folio->lock.Unlock();
      world_.memory().Put(*folio);
      world_.fs().WriteEnd(world_, inode_, page);
      if (!Map(at)) return Error::kNoSpace;
      continue;
    }
    Error error = folio == nullptr ? Error::kNoMemory : world_.fs().PrepareWrite(world_, *folio);
    const bool truncated = error == Error::kTruncatedPage;
    if (error == Error::kOk) error = FillAndReserve(*folio, cells);
    if (error == Error::kOk) {
      *found = folio;
      return error;
    }
    if (folio != nullptr) {
      if (!truncated) folio->lock.Unlock();
      world_.memory().Put(*folio);
    }
    world_.fs().WriteEnd(world_, inode_, page);
    if (!truncated) return error;
  }
}

Error BufferedWrite::FillAndReserve(Folio& folio, uint32_t cells) {
  Error error = Error::kOk;
  if (!folio.uptodate && cells != kPageCells) {
    const bool zeros = ReadsAsZeros(folio.index);
    if (zeros) folio.cells.fill(Stamp::Zero());
    if (!zeros) error = Filemap(world_).ReadLocked(folio);
    if (error == Error::kOk) folio.uptodate = true;
  }
  if (error == Error::kOk) error = Writeback(world_).Reserve(inode_, folio.index);
  if (error != Error::kOk) world_.fs().FolioWritten(world_, folio);  // what PrepareWrite took
  return error;
}

uint32_t BufferedWrite::Copy(Folio& folio, uint32_t at, uint32_t cells, Result* result, Error* error) {
  UserMemory user(world_, mm_);
  const bool faults_on = FaultsUnderPageLock(world_);
  for (uint32_t i = 0; i < cells; ++i) {
    world_.scheduler().Point(OperationKind::kWrite, folio.id());
    if (mapped_) {
      Stamp source;
      if (faults_on) {
        *error = user.Load(*io_.buffer.mapping, BufferCell(at + i), &source);
        if (*error != Error::kOk) return i;
      } else if (!user.LoadAtomic(*io_.buffer.mapping, BufferCell(at + i), &source)) {
        return i;
      }
      result->seen.push_back(source);
    }
    folio.cells[(at + i) % kPageCells] = io_.stamps[at + i - io_.offset_cells];
  }
  return cells;
}

// write_end: i_size grows only after the data can be read.
void BufferedWrite::End(Folio& folio, uint32_t at, uint32_t copied) {
  folio.uptodate = true;
  Filemap(world_).SetDirty(folio);
  world_.scheduler().Point(OperationKind::kWrite, inode_.id);
  inode_.i_size = std::max(inode_.i_size, at + copied);
}

Result WritePlaced(World& world, Mm& mm, Io io) {
  Result result;
  result.offset_cells = io.offset_cells;
  if (io.offset_cells + io.length_cells > kFilePagesMax * kPageCells) {
    result.error = Error::kNoSpace;
    return result;
  }
  const absl::InlinedVector<Stamp, 8> placed = PlacedStamps(io);
  io.stamps = placed;
  BufferedWrite(world, mm, io).Run(&result);
  return result;
}

}  // namespace

absl::InlinedVector<Stamp, 8> PlacedStamps(const Io& io) {
  absl::InlinedVector<Stamp, 8> placed;
  for (uint32_t i = 0; i < io.length_cells; ++i) {
    const Stamp& stamp = io.stamps[i];
    placed.push_back(Stamp::Make(stamp.kind, stamp.file, io.offset_cells + i, stamp.operation));
  }
  return placed;
}

Result GenericWrite(World& world, Mm& mm, const Io& io) {
  Result result;
  if (io.append || io.renames_stamps) {
    if (io.append) world.scheduler().Point(OperationKind::kRead, io.file->id);
    result = WritePlaced(world, mm, io.append ? io.Placed(io.file->i_size) : io);
  } else {
    BufferedWrite(world, mm, io).Run(&result);
  }
  if (result.error == Error::kSigBus) result.error = Error::kFault;
  return result;
}

Result World::Write(Mm& mm, const Io& io) {
  const FreezeGuard guard(*this, FreezeLevel::kWrite);
  if (io.offset_cells + io.length_cells > kFilePagesMax * kPageCells) return Finish(*io.file, {.error = Error::kInvalid});
  Result result = fs_.FileWrite(*this, mm, io);
  if (io.sync && result.cells_done > 0) {  // generic_write_sync, without the file system's locks
    const uint32_t begin = io.append ? result.offset_cells : io.offset_cells;
    const Error error = Writeback(*this).Range(*io.file, PageOf(begin), PagesFor(begin + result.cells_done));
    if (error != Error::kOk) {
      result.error = error;
      result.cells_done = 0;
    }
  }
  return Finish(*io.file, std::move(result));
}

}  // namespace ordeal::pagecache
