#include "harness/pagecache/fault.h"

#include <algorithm>

#include "harness/pagecache/filemap.h"
#include "harness/pagecache/freeze.h"
#include "harness/pagecache/writeback.h"

namespace ordeal::pagecache {

// The entry through which the cell can be reached now, or null. No scheduling point: the hardware does it with the access.
Pte* UserMemory::Present(Inode& file, uint32_t cell, bool write) {
  Vma* vma = mm_.FindVma(file);
  if (vma == nullptr) return nullptr;
  Pte& pte = vma->table[PageOf(cell)];
  return pte.folio != nullptr && (!write || pte.writable) ? &pte : nullptr;
}

// Who may not fault cannot tell a bad address from a page that is not present.
Error UserMemory::Disturb(Inode& file, uint32_t cell, bool may_fault) {
  const bool faults = may_fault && world_.task().pagefault_disabled == 0;
  const int answer = world_.scheduler().ChooseFault(ChoiceKind::kUserPage, faults ? 3 : 2, file.id);
  if (answer == 1) Evict(file, PageOf(cell));
  return answer == 2 ? Error::kFault : Error::kOk;
}

// Out of memory if nobody else uses the folio, else out of this page table.
void UserMemory::Evict(Inode& file, uint32_t page) {
  Vma* vma = mm_.FindVma(file);
  if (vma == nullptr || page >= kFilePagesMax || vma->table[page].folio == nullptr) return;
  Folio& folio = *vma->table[page].folio;
  world_.memory().Get(folio);
  Filemap(world_).TryReclaim(folio, 1);
  if (vma->table[page].folio == &folio) Filemap(world_).Zap(vma->table[page]);
  world_.memory().Put(folio);
}

Error UserMemory::Load(Inode& file, uint32_t cell, Stamp* stamp) {
  if (const Error error = Disturb(file, cell, true); error != Error::kOk) return error;
  for (;;) {
    world_.scheduler().Point(OperationKind::kRead, file.id);
    if (Beyond(file, cell)) return Error::kSigBus;
    if (const Pte* pte = Present(file, cell, false); pte != nullptr) {
      *stamp = pte->folio->cells[cell % kPageCells];
      return Error::kOk;
    }
    if (const Error error = Fault(file, PageOf(cell), false); error != Error::kOk) return error;
  }
}

Error UserMemory::Store(Inode& file, uint32_t cell, const Stamp& stamp, Reach reach) {
  if (const Error error = Disturb(file, cell, true); error != Error::kOk) return error;
  const uint32_t first = reach == Reach::kLastPage ? PageOf(cell) * kPageCells : cell;
  for (;;) {
    world_.scheduler().Point(OperationKind::kWrite, file.id);
    if (Beyond(file, first)) return Error::kSigBus;
    if (Pte* pte = Present(file, cell, true); pte != nullptr) {
      pte->folio->cells[cell % kPageCells] = stamp;
      pte->dirty = true;
      return Error::kOk;
    }
    if (const Error error = Fault(file, PageOf(cell), true); error != Error::kOk) return error;
    world_.BalanceDirtyPages();
  }
}

bool UserMemory::LoadAtomic(Inode& file, uint32_t cell, Stamp* stamp) {
  (void)Disturb(file, cell, false);  // evicts at most
  if (cell >= file.i_size) return false;
  const Pte* pte = Present(file, cell, false);
  if (pte == nullptr) return false;
  *stamp = pte->folio->cells[cell % kPageCells];
  return true;
}

uint32_t UserMemory::FaultInReadable(Inode& file, uint32_t cell, uint32_t cells) {
  for (uint32_t at = cell; at < cell + cells;) {
    Stamp ignored;
    if (Load(file, at, &ignored) != Error::kOk) return at - cell;
    at = (PageOf(at) + 1) * kPageCells;
  }
  return InsideOf(file, cell, cells);
}

// Never more than can be copied as a whole: a chunk with an end that cannot be reached would be tried for ever.
uint32_t UserMemory::InsideOf(const Inode& file, uint32_t cell, uint32_t cells) const {
  if (!world_.fs().SizeIsKnown(file)) return cells;
  return std::min(cells, file.i_size - std::min(file.i_size, cell));
}

uint32_t UserMemory::FaultInWriteable(Inode& file, uint32_t cell, uint32_t cells) {
  for (uint32_t at = cell; at < cell + cells;) {
    if (Disturb(file, at, true) != Error::kOk) return at - cell;
    world_.scheduler().Point(OperationKind::kWrite, file.id);
    if (Beyond(file, at)) return at - cell;
    if (Present(file, at, true) == nullptr && Fault(file, PageOf(at), true) != Error::kOk) return at - cell;
    at = (PageOf(at) + 1) * kPageCells;
  }
  return InsideOf(file, cell, cells);
}

// Without leave to fault, the slow path of get_user_pages still takes mmap_lock to look.
Folio* UserMemory::PinNofault(Inode& file, uint32_t cell, bool write, Error* error) {
  (void)Disturb(file, cell, false);  // evicts at most
  world_.scheduler().Point(OperationKind::kRead, file.id);
  Pte* pte = cell < file.i_size ? Present(file, cell, write) : nullptr;
  if (pte == nullptr && world_.fs().NofaultTakesMmapLock()) {
    mm_.mmap_lock.LockShared();
    pte = cell < file.i_size ? Present(file, cell, write) : nullptr;
    Folio* folio = pte == nullptr ? nullptr : TakePin(*pte->folio, write);
    mm_.mmap_lock.UnlockShared();
    *error = folio == nullptr ? Error::kFault : Error::kOk;
    return folio;
  }
  *error = pte == nullptr ? Error::kFault : Error::kOk;
  return pte == nullptr ? nullptr : TakePin(*pte->folio, write);
}

Folio* UserMemory::TakePin(Folio& folio, bool write) {
  ++folio.refs;
  if (write) ++folio.pins;
  return &folio;
}

Folio* UserMemory::Pin(Inode& file, uint32_t cell, bool write, Error* error) {
  *error = Disturb(file, cell, true);
  if (*error != Error::kOk) return nullptr;
  for (;;) {
    world_.scheduler().Point(OperationKind::kRead, file.id);
    *error = Error::kFault;
    if (cell >= file.i_size) return nullptr;
    if (const Pte* pte = Present(file, cell, write); pte != nullptr) {
      *error = Error::kOk;
      return TakePin(*pte->folio, write);
    }
    *error = Fault(file, PageOf(cell), write);
    if (*error != Error::kOk) return nullptr;
  }
}

void UserMemory::Unpin(Folio& folio, bool write) {
  if (write) --folio.pins;
  world_.memory().Put(folio);
}

// do_user_addr_fault: the second attempt may not drop mmap_lock.
Error UserMemory::Fault(Inode& file, uint32_t page, bool write) {
  if (world_.task().pagefault_disabled > 0) return Error::kFault;
  for (bool allow_retry = true;; allow_retry = false) {
    mm_.mmap_lock.LockShared();
    const Vma* vma = mm_.FindVma(file);
    if (vma == nullptr || (write && !vma->writable)) {
      mm_.mmap_lock.UnlockShared();
      return Error::kFault;
    }
    PageFault fault(world_, mm_, file, page, write, allow_retry);
    const PageFault::Outcome outcome = fault.Handle();
    if (!fault.mm_dropped()) mm_.mmap_lock.UnlockShared();
    if (fault.put_off()) {
      const Error error = world_.fs().FaultWait(world_, file.mapping);
      if (error != Error::kOk) return error;
      continue;
    }
    switch (outcome) {
      case PageFault::Outcome::kDone: return Error::kOk;
      case PageFault::Outcome::kSigBus: return Error::kSigBus;
      case PageFault::Outcome::kNoMemory: return Error::kNoMemory;
      case PageFault::Outcome::kRetry: break;
    }
  }
}

PageFault::Outcome PageFault::Handle() {
  if (pte().folio != nullptr && (!write_ || pte().writable)) return Outcome::kDone;
  if (!write_ && world_.options().fault_around) {
    MapAround();
    if (pte().folio != nullptr) return Outcome::kDone;
  }
  Folio* folio = pte().folio;
  if (folio != nullptr) {
    world_.memory().Get(*folio);  // write-protected: only page_mkwrite is needed
  } else {
    const Error refused = world_.fs().FaultEnter(world_, file_.mapping);
    put_off_ = refused == Error::kAgain;
    if (put_off_) return Outcome::kRetry;
    if (refused != Error::kOk) return refused == Error::kNoMemory ? Outcome::kNoMemory : Outcome::kSigBus;
    const Filled filled = FilemapFault(&folio);
    world_.fs().FaultExit(world_, file_.mapping);
    if (filled == Filled::kRetry) return Outcome::kRetry;
    if (filled == Filled::kSigBus) return Outcome::kSigBus;
    if (filled == Filled::kNoMemory) return Outcome::kNoMemory;
    if (!write_) {
      Install(*folio, false);
      folio->lock.Unlock();
      world_.memory().Put(*folio);
      return Outcome::kDone;
    }
    folio->lock.Unlock();
  }
  const Error made = Mkwrite(*folio);
  if (made == Error::kOk) {
    Install(*folio, true);
    folio->lock.Unlock();
  }
  world_.memory().Put(*folio);
  // VM_FAULT_NOPAGE if it has to be tried again: the instruction faults again.
  return made == Error::kOk || made == Error::kAgain ? Outcome::kDone : Outcome::kSigBus;
}

// maybe_unlock_mmap_for_io.
void PageFault::MaybeDropMm() {
  if (!allow_retry_ || mm_dropped_) return;
  mm_.mmap_lock.UnlockShared();
  mm_dropped_ = true;
}

// filemap_fault: on kLocked the folio is locked, up to date, in the tree and below the end of file, and mmap_lock is held.
PageFault::Filled PageFault::FilemapFault(Folio** found) {
  world_.scheduler().Point(OperationKind::kRead, file_.id);
  if (page_ * kPageCells >= file_.i_size) return Filled::kSigBus;
  bool mapping_locked = false;
  Filled filled = FillAndLock(found, &mapping_locked);
  if (filled == Filled::kLocked && mm_dropped_) {
    (*found)->lock.Unlock();
    filled = Filled::kRetry;
  }
  if (mapping_locked) world_.fs().FillExit(world_, file_.mapping, FillKind::kFault);
  if (filled == Filled::kLocked) {
    world_.scheduler().Point(OperationKind::kRead, file_.id);
    if (page_ * kPageCells < file_.i_size) return filled;
    (*found)->lock.Unlock();
    filled = Filled::kSigBus;
  }
  if (*found != nullptr) world_.memory().Put(**found);
  *found = nullptr;
  return filled;
}

PageFault::Filled PageFault::FillAndLock(Folio** found, bool* mapping_locked) {
  AddressSpace& mapping = file_.mapping;
  Filemap filemap(world_);
  const auto lock_mapping = [&] {
    if (*mapping_locked) return;
    world_.fs().FillEnter(world_, mapping, FillKind::kFault);
    *mapping_locked = true;
  };
  bool missed = false;
  for (;;) {
    Folio* folio = filemap.Get(mapping, page_);
    if (folio == nullptr && !missed) {
      missed = true;
      MaybeDropMm();
      // The fill lock is not held here: readahead takes it by itself.
      if (!*mapping_locked) {
        filemap.Readahead(mapping, page_, page_ + 1 + world_.options().readahead_pages, FillKind::kFault);
      }
    }
    if (folio == nullptr) {
      lock_mapping();
      folio = filemap.Get(mapping, page_);
    } else if (!folio->uptodate) {
      lock_mapping();
    }
    if (folio == nullptr) {
      folio = world_.memory().Allocate(mapping, page_, Gfp::kNoFs);
      if (folio == nullptr) return mm_dropped_ ? Filled::kRetry : Filled::kNoMemory;
      folio->lock.LockNew();
      const bool inserted = filemap.Insert(mapping, *folio);
      folio->lock.Unlock();
      if (!inserted) {
        world_.memory().Put(*folio);
        continue;
      }
    }
    *found = folio;
    if (!folio->lock.TryLock()) {
      MaybeDropMm();
      folio->lock.Lock();
    }
    const bool ours = folio->mapping == &mapping || filemap.SkipsRecheck(*folio);
    if (ours && folio->uptodate) return Filled::kLocked;
    if (ours && *mapping_locked) {
      const Filled filled = ReadMissing(*folio);
      if (filled != Filled::kLocked) return filled;
    } else {
      folio->lock.Unlock();
      if (ours) lock_mapping();  // it has lost its data: fill it, under the lock
    }
    world_.memory().Put(*folio);
    *found = nullptr;
  }
}

// Reads the locked folio; kLocked means: done, look it up again.
PageFault::Filled PageFault::ReadMissing(Folio& folio) {
  MaybeDropMm();
  const bool truncated = Filemap(world_).SubmitRead(folio) == Error::kTruncatedPage;
  if (!truncated) folio.lock.WaitUnlocked();
  if (mm_dropped_) return Filled::kRetry;
  if (truncated) return Filled::kLocked;
  return folio.uptodate || folio.mapping == nullptr ? Filled::kLocked : Filled::kSigBus;
}

Error PageFault::Mkwrite(Folio& folio) {
  AddressSpace& mapping = file_.mapping;
  const FreezeGuard guard(world_, FreezeLevel::kPageFault);
  const LockMode mode = world_.fs().MkwriteEnter(world_, mapping);
  put_off_ = mode == LockMode::kRefused;
  if (put_off_) return Error::kAgain;
  folio.lock.Lock();
  world_.scheduler().Point(OperationKind::kRead, file_.id);
  const bool ours = folio.mapping == &mapping || Filemap(world_).SkipsRecheck(folio) ||
                    world_.bugs().Has(Bug::kB05MkwriteVsPunch);
  const bool valid = ours && page_ * kPageCells < file_.i_size;
  Error error = Error::kAgain;
  if (valid && folio.mapping == &mapping) {
    error = world_.fs().MkwriteFolio(world_, folio);
  } else if (valid) {
    error = Writeback(world_).Reserve(file_, page_);  // a switched-on bug: for a folio that is no longer the file's
  }
  if (error != Error::kOk) folio.lock.Unlock();
  world_.fs().MkwriteExit(world_, mapping, mode);
  if (error == Error::kOk) world_.fs().MkwriteDone(world_, folio);
  return error;
}

// With the folio locked. A page-table entry that has changed meanwhile wins; the access faults again.
void PageFault::Install(Folio& folio, bool writable) {
  world_.scheduler().Point(OperationKind::kWrite, folio.id());
  Pte& entry = pte();
  if (entry.folio == nullptr) {
    entry = {&folio, writable, false};
    ++folio.mapcount;
    world_.memory().Get(folio);
  } else if (entry.folio == &folio) {
    entry.writable = entry.writable || writable;
  }
}

// filemap_map_pages: cached, up-to-date folios that can be locked at once are mapped read-only.
void PageFault::MapAround() {
  AddressSpace& mapping = file_.mapping;
  Filemap filemap(world_);
  world_.fs().MapPagesEnter(world_, mapping);
  const uint32_t end = std::min(page_ + 2, kFilePagesMax);
  for (uint32_t index = page_ == 0 ? 0 : page_ - 1; index < end; ++index) {
    if (mapping.pages[index] == nullptr) continue;
    Folio* folio = filemap.Get(mapping, index);
    if (folio == nullptr) continue;
    if (folio->uptodate && folio->lock.TryLock()) {
      Pte& entry = mm_.FindVma(file_)->table[index];
      const bool ours = folio->mapping == &mapping || world_.bugs().Has(Bug::kB07FaultAroundNoRecheck);
      const bool valid = ours && folio->uptodate && index * kPageCells < file_.i_size;
      if (valid && entry.folio == nullptr) {
        entry = {folio, false, false};
        ++folio->mapcount;
        world_.memory().Get(*folio);
      }
      folio->lock.Unlock();
    }
    world_.memory().Put(*folio);
  }
  world_.fs().MapPagesExit(world_, mapping);
}

Result World::Load(Mm& mm, Inode& file, uint32_t offset_cells, uint32_t length_cells) {
  Result result;
  for (uint32_t i = 0; i < length_cells; ++i) {
    Stamp stamp;
    result.error = UserMemory(*this, mm).Load(file, offset_cells + i, &stamp);
    if (result.error != Error::kOk) break;
    result.seen.push_back(stamp);
    ++result.cells_done;
  }
  return Finish(file, std::move(result));
}

Result World::Store(Mm& mm, Inode& file, uint32_t offset_cells, absl::Span<const Stamp> stamps) {
  Result result;
  for (const Stamp& stamp : stamps) {
    const uint32_t cell = offset_cells + result.cells_done;
    result.error = UserMemory(*this, mm).Store(file, cell, stamp, UserMemory::Reach::kLastPage);
    if (result.error != Error::kOk) break;
    ++result.cells_done;
  }
  return Finish(file, std::move(result));
}

}  // namespace ordeal::pagecache
