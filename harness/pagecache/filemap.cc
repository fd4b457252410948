#include "harness/pagecache/filemap.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "harness/pagecache/fault.h"
#include "harness/pagecache/generic_file.h"

namespace ordeal::pagecache {
namespace {

void EndRead(World& world, Request& request, bool error) {
  if (!error) request.folio->uptodate = true;
  // B94: the batch ends with an error and forgets that its folios are locked.
  const bool leak = error && request.done == nullptr && world.bugs().Has(Bug::kB94LeakedPageLock);
  if (request.done != nullptr) {
    *request.failed = error;
    *request.done = true;
    world.io_done().WakeAll();
  } else if (!leak) {
    request.folio->lock.UnlockFromIo();
  }
  world.memory().Put(*request.folio);
}

}  // namespace

Folio* Filemap::Get(AddressSpace& mapping, uint32_t index) {
  world_.scheduler().Point(OperationKind::kRead, mapping.i_pages.id());
  Folio* folio = mapping.pages[index];
  if (folio != nullptr) world_.memory().Get(*folio);
  return folio;
}

bool Filemap::Insert(AddressSpace& mapping, Folio& folio) {
  mapping.i_pages.Lock();
  const bool vacant = mapping.pages[folio.index] == nullptr;
  if (vacant) {
    mapping.pages[folio.index] = &folio;
    ++mapping.nrpages;
    folio.mapping = &mapping;
    world_.memory().Get(folio);
    world_.memory().AddToLru(folio);
    const DroppedRange& dropped = mapping.host.dropped;
    if (dropped.active && folio.index >= dropped.begin && folio.index < dropped.end) {
      world_.NoteViolation("S10", "a folio appears in a range between drop of its pages and freeing of its blocks",
                           absl::StrCat("page ", folio.index, " of inode ", mapping.host.number, " is cached again"),
                           lockdep::Site::Here(), dropped.site);
    }
  }
  mapping.i_pages.Unlock();
  return vacant;
}

void Filemap::Remove(Folio& folio) {
  AddressSpace& mapping = *folio.mapping;
  mapping.i_pages.Lock();
  mapping.pages[folio.index] = nullptr;
  --mapping.nrpages;
  folio.mapping = nullptr;
  folio.dirty = false;
  folio.dirty_tag = false;
  world_.memory().RemoveFromLru(folio);
  mapping.i_pages.Unlock();
  world_.memory().Put(folio);
}

bool Filemap::RemoveIfClean(Folio& folio, int own_refs) {
  AddressSpace& mapping = *folio.mapping;
  mapping.i_pages.Lock();
  const bool unused = !folio.dirty && folio.pins == 0 && (own_refs == kAnyRefs || folio.refs == 1 + own_refs);
  if (unused) {
    mapping.pages[folio.index] = nullptr;
    --mapping.nrpages;
    folio.mapping = nullptr;
    world_.memory().RemoveFromLru(folio);
  }
  mapping.i_pages.Unlock();
  if (unused) world_.memory().Put(folio);
  return unused;
}

// B09: a folio that has left the tree is used as if it were in it.
bool Filemap::SkipsRecheck(const Folio& folio) const {
  return world_.bugs().Has(Bug::kB09NoMappingRecheck) && folio.uptodate;
}

Folio* Filemap::GetLocked(AddressSpace& mapping, uint32_t index) {
  for (;;) {
    if (Folio* folio = Get(mapping, index); folio != nullptr) {
      folio->lock.Lock();
      if (folio->mapping == &mapping || SkipsRecheck(*folio)) return folio;
      folio->lock.Unlock();
      world_.memory().Put(*folio);
      continue;
    }
    Folio* folio = world_.memory().Allocate(mapping, index, Gfp::kKernel);
    if (folio == nullptr) return nullptr;
    folio->lock.LockNew();
    if (Insert(mapping, *folio)) return folio;
    folio->lock.Unlock();
    world_.memory().Put(*folio);
  }
}

// The block to read the folio from; false if it reads as zeros. i_size is sampled while the folio is locked and in the tree:
// a truncate that changes it later will wait for this folio.
bool Filemap::MapBlock(Folio& folio, uint32_t* block) {
  Inode& inode = folio.mapping->host;
  world_.scheduler().Point(OperationKind::kRead, inode.id);
  if (folio.index * kPageCells >= inode.i_size) return false;
  inode.extent_lock.LockShared();
  const Extent extent = inode.extents[folio.index];
  inode.extent_lock.UnlockShared();
  *block = extent.block;
  return extent.kind == ExtentKind::kWritten;
}

Error Filemap::SubmitRead(Folio& folio) { return world_.fs().ReadFolio(world_, folio); }

void Filemap::StartRead(Folio& folio) {
  uint32_t block = 0;
  if (!MapBlock(folio, &block)) {
    folio.cells.fill(Stamp::Zero());
    folio.uptodate = true;
    folio.lock.Unlock();
    return;
  }
  world_.memory().Get(folio);
  folio.lock.HandOverToIo();
  world_.device().Submit({.kind = RequestKind::kRead, .block = block, .folio = &folio, .end_io = &EndRead});
}

Error Filemap::ReadLocked(Folio& folio) {
  uint32_t block = 0;
  if (!MapBlock(folio, &block)) {
    folio.cells.fill(Stamp::Zero());
    folio.uptodate = true;
    return Error::kOk;
  }
  bool done = false;
  bool failed = false;
  world_.memory().Get(folio);
  world_.device().Submit({.kind = RequestKind::kRead,
                          .block = block,
                          .folio = &folio,
                          .done = &done,
                          .failed = &failed,
                          .end_io = &EndRead});
  world_.io_done().WaitUntil([&] { return done; });
  return failed ? Error::kIo : Error::kOk;
}

Error Filemap::GetUptodate(AddressSpace& mapping, uint32_t index, Folio** found) {
  for (;;) {
    Folio* folio = Get(mapping, index);
    if (folio == nullptr) {
      Readahead(mapping, index, index + 1 + world_.options().readahead_pages, FillKind::kRead);
      folio = Get(mapping, index);
    }
    bool retry = false;
    Error error = Error::kOk;
    if (folio == nullptr) {
      error = Create(mapping, index, &folio, &retry);
    } else if (!folio->uptodate) {
      error = Update(mapping, *folio, &retry);
    }
    if (error == Error::kOk && !retry) {
      *found = folio;
      return error;
    }
    if (folio != nullptr) world_.memory().Put(*folio);
    if (error == Error::kIo && world_.bugs().Has(Bug::kB99FillErrorRetriesForever)) {
      world_.scheduler().NoteRetry(RetryReason::kOther, index);
      continue;
    }
    if (error != Error::kOk) return error;
  }
}

// filemap_create_folio.
Error Filemap::Create(AddressSpace& mapping, uint32_t index, Folio** created, bool* retry) {
  Folio* folio = world_.memory().Allocate(mapping, index, Gfp::kKernel);
  if (folio == nullptr) return Error::kNoMemory;
  *created = folio;
  world_.fs().FillEnter(world_, mapping, FillKind::kRead);
  folio->lock.LockNew();
  if (!Insert(mapping, *folio)) {
    folio->lock.Unlock();
    *retry = true;
  } else if (SubmitRead(*folio) == Error::kTruncatedPage) {
    *retry = true;
  } else {
    folio->lock.WaitUnlocked();
  }
  world_.fs().FillExit(world_, mapping, FillKind::kRead);
  return *retry || folio->uptodate ? Error::kOk : Error::kIo;
}

// filemap_update_page: never sleeps on the folio lock with the fill lock held.
Error Filemap::Update(AddressSpace& mapping, Folio& folio, bool* retry) {
  world_.fs().FillEnter(world_, mapping, FillKind::kRead);
  if (!folio.lock.TryLock()) {
    world_.fs().FillExit(world_, mapping, FillKind::kRead);
    folio.lock.WaitUnlocked();
    *retry = true;
    return Error::kOk;
  }
  bool failed = false;
  if (folio.mapping == nullptr) {
    folio.lock.Unlock();
    *retry = true;
  } else if (folio.uptodate) {
    folio.lock.Unlock();
  } else if (SubmitRead(folio) == Error::kTruncatedPage) {
    *retry = true;
  } else {
    folio.lock.WaitUnlocked();
    failed = !folio.uptodate;
  }
  world_.fs().FillExit(world_, mapping, FillKind::kRead);
  return failed ? Error::kIo : Error::kOk;
}

void Filemap::Readahead(AddressSpace& mapping, uint32_t begin, uint32_t end, FillKind kind) {
  world_.scheduler().Point(OperationKind::kRead, mapping.host.id);
  end = std::min(end, PagesFor(mapping.host.i_size));
  if (begin >= end) return;
  absl::InlinedVector<Folio*, 4> batch;
  world_.fs().FillEnter(world_, mapping, kind);
  for (uint32_t index = begin; index < end && mapping.pages[index] == nullptr; ++index) {
    Folio* folio = world_.memory().Allocate(mapping, index, Gfp::kNoRetry);
    if (folio == nullptr) break;
    folio->lock.LockNew();
    if (!Insert(mapping, *folio)) {
      folio->lock.Unlock();
      world_.memory().Put(*folio);
      break;
    }
    batch.push_back(folio);
  }
  world_.StartPlug();
  for (Folio* folio : batch) {
    (void)world_.fs().ReadaheadFolio(world_, *folio);  // one that the file system would have to wait for stays unread
    world_.memory().Put(*folio);
  }
  world_.FinishPlug();
  world_.fs().FillExit(world_, mapping, kind);
}

bool Filemap::TryReclaim(Folio& folio, int own_refs) {
  if (!folio.lock.TryLock()) return false;
  bool reclaimed = false;
  if (folio.mapping != nullptr && !folio.writeback.is_set() && folio.pins == 0) {
    if (folio.mapcount > 0) Unmap(folio);
    if (!folio.dirty) reclaimed = RemoveIfClean(folio, own_refs);
  }
  folio.lock.Unlock();
  return reclaimed;
}

void Filemap::Unmap(Folio& folio) {
  UnmapRange(folio.mapping->host, folio.index, folio.index + 1);
}

void Filemap::UnmapRange(Inode& inode, uint32_t begin, uint32_t end) {
  end = std::min(end, kFilePagesMax);
  for (int i = 0; i < world_.mms(); ++i) {
    Vma* vma = world_.mm(i).FindVma(inode);
    if (vma == nullptr) continue;
    for (uint32_t page = begin; page < end; ++page) {
      Pte& pte = vma->table[page];
      if (pte.folio == nullptr) continue;
      world_.scheduler().Point(OperationKind::kWrite, pte.folio->id());
      if (pte.folio == nullptr) continue;  // somebody else was faster
      Zap(pte);
    }
  }
}

void Filemap::Zap(Pte& pte) {
  Folio& folio = *pte.folio;
  if (pte.dirty) SetDirty(folio);
  pte = {};
  --folio.mapcount;
  world_.memory().Put(folio);
}

void Filemap::SetDirty(Folio& folio) {
  if (folio.mapping == nullptr) return;
  folio.dirty = true;
  folio.dirty_tag = true;
  ++folio.mapping->host.dirtied[folio.index];
}

Result World::Read(Mm& mm, const Io& io) { return Finish(*io.file, fs_.FileRead(*this, mm, io)); }

Result GenericRead(World& world, Mm& mm, const Io& io) {
  Result result;
  Inode& inode = *io.file;
  Filemap filemap(world);
  Scheduler& scheduler = world.scheduler();
  const uint32_t end = std::min(io.offset_cells + io.length_cells, kFilePagesMax * kPageCells);
  uint32_t at = io.offset_cells;
  while (at < end && result.error == Error::kOk) {
    scheduler.Point(OperationKind::kRead, inode.id);
    if (at >= inode.i_size) break;
    Folio* folio = nullptr;
    result.error = filemap.GetUptodate(inode.mapping, PageOf(at), &folio);
    if (result.error != Error::kOk) break;
    // i_size is read again now that the folio is known to be up to date: zeros behind an old end of file are not data.
    scheduler.Point(OperationKind::kRead, inode.id);
    const uint32_t stop = std::min({end, inode.i_size, (PageOf(at) + 1) * kPageCells});
    const bool eof = at >= stop;
    result.site = lockdep::Site::Here();
    for (; at < stop; ++at) {
      scheduler.Point(OperationKind::kRead, folio->id());
      const Stamp stamp = folio->cells[at % kPageCells];
      const uint32_t i = at - io.offset_cells;
      if (io.buffer.mapping != nullptr) {
        result.error = UserMemory(world, mm).Store(*io.buffer.mapping, io.buffer.offset_cells + i, io.stamps[i]);
        if (result.error != Error::kOk) break;
      }
      result.seen.push_back(stamp);
    }
    world.memory().Put(*folio);
    if (eof) break;
  }
  result.cells_done = at - io.offset_cells;
  if (result.error == Error::kSigBus) result.error = Error::kFault;
  return result;
}

}  // namespace ordeal::pagecache
