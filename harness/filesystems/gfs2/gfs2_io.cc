#include "harness/filesystems/gfs2/gfs2_io.h"

#include <algorithm>

#include "harness/pagecache/fault.h"
#include "harness/pagecache/filemap.h"
#include "harness/pagecache/generic_file.h"
#include "harness/pagecache/truncate.h"
#include "harness/pagecache/writeback.h"

namespace ordeal {

using pagecache::Bug;
using pagecache::Error;
using pagecache::ExtentKind;
using pagecache::Filemap;
using pagecache::Folio;
using pagecache::Io;
using pagecache::kPageCells;
using pagecache::PageOf;
using pagecache::PagesFor;
using pagecache::Result;
using pagecache::Stamp;
using pagecache::Truncation;
using pagecache::UserMemory;
using pagecache::Writeback;

void Gfs2Io::Add(const Result& part) {
  total_.error = part.error;
  last_cells_ = part.cells_done;
  total_.cells_done += part.cells_done;
  total_.seen.insert(total_.seen.end(), part.seen.begin(), part.seen.end());
  total_.cache_conflict |= part.cache_conflict;
  total_.site = part.site;
}

Result Gfs2Io::Try(const Attempt& attempt) {
  Io rest = io_.Rest(total_.cells_done);
  if (once()) return attempt(rest);
  rest.nofault = true;
  ++world_.task().pagefault_disabled;
  Result result = attempt(rest);
  --world_.task().pagefault_disabled;
  return result;
}

// should_fault_in_pages: up to the end of a page of the file.
uint32_t Gfs2Io::Window(bool stuck) {
  const uint32_t to_page_end = kPageCells - (io_.offset_cells + total_.cells_done) % kPageCells;
  return age_ == Gfs2Age::k516 || stuck ? std::min(left(), to_page_end) : left();
}

// False: the user memory is not there.
bool Gfs2Io::FaultIn(const Plan& plan, bool stuck) {
  window_cells_ = Window(stuck);
  left_before_ = left();
  const uint32_t cell = io_.buffer.offset_cells + total_.cells_done;
  const bool first_byte_only = world_.bugs().Has(Bug::kB30AtomicCopyLivelock);
  const uint32_t touched = first_byte_only ? 1 : window_cells_;
  UserMemory user(world_, mm_);
  const uint32_t cells = plan.writes_user ? user.FaultInWriteable(*io_.buffer.mapping, cell, touched)
                                          : user.FaultInReadable(*io_.buffer.mapping, cell, touched);
  write_cells_ = plan.writes_user || plan.direct || first_byte_only ? 0 : cells;
  // A direct transfer needs whole pages.
  return cells > 0 && !(plan.direct && stuck && cells < std::min(kPageCells, left()));
}

void Gfs2Io::Run(const Plan& plan, const Attempt& attempt) {
  if (plan.prefaults && io_.buffer.mapping != nullptr && left() > 0 && !FaultIn(plan, false)) {
    total_.error = Error::kFault;
    return;
  }
  left_before_ = 0;
  for (bool queued = false;;) {
    if (!queued) glock_.Lock(plan.state);
    const uint32_t left_at_start = left();
    Add(Try(attempt));
    // A write of all that had been faulted in wants more.
    const bool all_there = write_cells_ != 0 && left_at_start - left() == write_cells_ && total_.error == Error::kOk;
    const bool stopped = total_.error == Error::kFault || all_there;
    const bool wants_memory = io_.buffer.mapping != nullptr && left() > 0 && stopped;
    if (fall_back_ || !wants_memory || once()) break;
    const bool stuck = left_before_ == left();
    const bool enough = stuck && window_cells_ <= kPageCells && plan.direct && plan.gives_up;
    if (age_ == Gfs2Age::k516) {
      glock_.AllowDemote();
    } else {
      glock_.Unlock();
    }
    const bool there = FaultIn(plan, stuck);
    queued = age_ == Gfs2Age::k516 && glock_.DisallowDemote();
    fall_back_ = enough && there;
    if (!there || fall_back_) {
      if (queued) glock_.Unlock();
      return;
    }
    world_.scheduler().NoteRetry(RetryReason::kNoFault, left());
  }
  glock_.Unlock();
}

// Without the glock: pages that are cached are valid. A page that is not ends it, and so does user memory that is not mapped.
void Gfs2Io::Cached() {
  Scheduler& scheduler = world_.scheduler();
  ++world_.task().pagefault_disabled;
  for (Error error = Error::kOk; error == Error::kOk && left() > 0;) {
    const uint32_t at = io_.offset_cells + total_.cells_done;
    Folio* folio = at < pagecache::kFilePagesMax * kPageCells ? Filemap(world_).Get(inode_.mapping, PageOf(at)) : nullptr;
    if (folio == nullptr) break;
    scheduler.Point(OperationKind::kRead, inode_.id);
    const uint32_t stop = std::min({at + left(), inode_.i_size, (PageOf(at) + 1) * kPageCells});
    if (!folio->uptodate || at >= stop) error = Error::kAgain;
    total_.site = lockdep::Site::Here();
    for (uint32_t cell = at; error == Error::kOk && cell < stop; ++cell) {
      scheduler.Point(OperationKind::kRead, folio->id());
      const Stamp stamp = folio->cells[cell % kPageCells];
      if (io_.buffer.mapping != nullptr) {
        const uint32_t i = cell - io_.offset_cells;
        error = UserMemory(world_, mm_).Store(*io_.buffer.mapping, io_.buffer.offset_cells + i, io_.stamps[i]);
        if (error != Error::kOk) break;
      }
      total_.seen.push_back(stamp);
      ++total_.cells_done;
    }
    world_.memory().Put(*folio);
  }
  --world_.task().pagefault_disabled;
}

// Where the file ends now: nobody else appends while the glock is held exclusively. False: somebody did while it was not, behind
// the first part of this append, which has to stay as it is.
bool Gfs2Io::Place() {
  world_.scheduler().Point(OperationKind::kRead, inode_.id);
  if (world_.bugs().Has(Bug::kB65SizeNotRefreshed) && !io_.append) return true;
  if (total_.cells_done > 0) return inode_.i_size == io_.offset_cells + total_.cells_done;
  io_ = io_.Placed(inode_.i_size);
  total_.offset_cells = io_.offset_cells;
  return true;
}

// B38: what iomap_end does with blocks that were allocated for a write that came out short, but for any blocks.
void Gfs2Io::FreeUnwritten(const Io& part, uint32_t cells_done) {
  const uint32_t begin = PagesFor(part.offset_cells + cells_done);
  const uint32_t end = PagesFor(part.offset_cells + part.length_cells);
  if (cells_done == part.length_cells || begin >= end) return;
  Truncation(world_).DropPages(inode_, begin, end);
  Truncation(world_).FreeBlocks(inode_, begin, end);
}

void Gfs2Io::Buffered(bool write) {
  fall_back_ = false;
  total_.error = Error::kOk;
  if (write) {
    Run({.state = GlockState::kExclusive, .prefaults = age_ == Gfs2Age::kNow},
        [this](Io part) {
          if (appends_ && !Place()) return Result{};
          if (appends_) part = io_.Rest(total_.cells_done);
          if (write_cells_ != 0) part.length_cells = std::min(part.length_cells, write_cells_);
          Result result = GenericWrite(world_, mm_, part);
          if (world_.bugs().Has(Bug::kB38ShortWriteFreesBlocks)) FreeUnwritten(part, result.cells_done);
          return result;
        });
  } else {
    Run({.state = GlockState::kShared, .writes_user = true},
        [this](const Io& rest) { return GenericRead(world_, mm_, rest); });
  }
}

Result Gfs2Io::Read() {
  if (age_ == Gfs2Age::k2006) return GenericRead(world_, mm_, io_);
  if (age_ == Gfs2Age::kNow) Cached();
  if (left() > 0) Buffered(false);
  return std::move(total_);
}

Result Gfs2Io::Write() {
  const bool places_early = io_.append && world_.bugs().Has(Bug::kB65SizeNotRefreshed);
  if (places_early) {  // i_size is refreshed, and what keeps it so is released again
    glock_.Lock(GlockState::kShared);
    glock_.Unlock();
  }
  inode_.i_rwsem.LockExclusive();
  if (places_early) Place();
  Buffered(true);
  inode_.i_rwsem.UnlockExclusive();
  return std::move(total_);
}

Result Gfs2Io::DirectRead() {
  const bool gives_up = age_ == Gfs2Age::kNow && !world_.bugs().Has(Bug::kB36DirectReadOntoItself);
  Run({.state = GlockState::kDeferred, .writes_user = true, .direct = true, .gives_up = gives_up},
      [this](const Io& rest) {
        const bool inode_lock = age_ == Gfs2Age::k2006;
        if (inode_lock) inode_.i_rwsem.LockShared();
        Result result = GenericDirectRead(world_, mm_, rest);
        if (inode_lock) inode_.i_rwsem.UnlockShared();
        return result;
      });
  if (fall_back_) Buffered(false);
  return std::move(total_);
}

// Under a deferred glock nothing is allocated and the file does not grow: other nodes do the same at the same time.
bool Gfs2Io::MustFallBack(const Io& rest) const {
  const uint32_t end = rest.offset_cells + rest.length_cells;
  if (end > inode_.i_size) return true;
  for (uint32_t page = PageOf(rest.offset_cells); page < PagesFor(end); ++page) {
    const pagecache::Extent& extent = inode_.extents[page];
    if (extent.kind != ExtentKind::kWritten || world_.allocator().shared(extent.block)) return true;
  }
  return false;
}

Result Gfs2Io::DirectWrite() {
  const bool gives_up = age_ == Gfs2Age::kNow && !world_.bugs().Has(Bug::kB35DirectWriteOntoItself);
  const bool glock_first = age_ == Gfs2Age::k2006;
  if (!glock_first) inode_.i_rwsem.LockExclusive();
  Run({.state = GlockState::kDeferred, .direct = true, .gives_up = gives_up}, [this, glock_first](const Io& rest) {
    fall_back_ = MustFallBack(rest);
    if (fall_back_) return Result{};
    if (glock_first) inode_.i_rwsem.LockExclusive();
    Result result = GenericDirectWrite(world_, mm_, rest, pagecache::LockMode::kExclusive, &fall_back_);
    if (glock_first) inode_.i_rwsem.UnlockExclusive();
    return result;
  });
  if (glock_first) inode_.i_rwsem.LockExclusive();
  if (fall_back_) {
    const uint32_t begin = PageOf(io_.offset_cells + total_.cells_done);
    Buffered(true);
    const uint32_t end = PagesFor(io_.offset_cells + total_.cells_done);
    if (Writeback(world_).Range(inode_, begin, end) == Error::kOk) Truncation(world_).Invalidate(inode_, begin, end);
  }
  inode_.i_rwsem.UnlockExclusive();
  if (world_.bugs().Has(Bug::kB40ShortWriteAccounting)) {
    total_.cells_done = last_cells_;
    total_.seen.resize(std::min<size_t>(total_.seen.size(), last_cells_));
  }
  return std::move(total_);
}

}  // namespace ordeal
