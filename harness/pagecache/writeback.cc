#include "harness/pagecache/writeback.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "harness/pagecache/filemap.h"
#include "harness/pagecache/freeze.h"

namespace ordeal::pagecache {
namespace {

// Until here others read what the shared block holds.
void EndCopyOnWrite(World& world, Inode& inode, Extent& extent, uint32_t block, bool error) {
  --inode.cow_blocks;
  if (error) return world.allocator().Free(block, inode.disk.number);
  if (extent.has_block()) world.allocator().FreeBusy(extent.block, inode.disk.number);
  extent = {ExtentKind::kWritten, block};
}

// The extent becomes written before the write-back bit clears, so that nobody reads zeros from it in between.
void EndWriteback(World& world, Request& request, bool error) {
  Folio& folio = *request.folio;
  AddressSpace& mapping = *folio.mapping;
  Extent& extent = mapping.host.extents[folio.index];
  if (request.cow) EndCopyOnWrite(world, mapping.host, extent, request.block, error);
  if (error) {
    ++mapping.wb_err;
    Filemap(world).SetDirty(folio);
  } else if (extent.kind == ExtentKind::kUnwritten && extent.block == request.block) {
    extent.kind = ExtentKind::kWritten;
  }
  if (request.done != nullptr) {
    *request.failed = error;
    *request.done = true;
    world.io_done().WakeAll();
  } else {
    folio.writeback.Clear();
  }
  world.memory().Put(folio);
}

}  // namespace

// A page that is dirty or being written has its block, or its copy of a shared one, reserved.
bool Writeback::NeedsBlock(const Inode& inode, uint32_t page) const {
  const Extent& extent = inode.extents[page];
  if (extent.kind == ExtentKind::kHole) return true;
  const Folio* folio = inode.mapping.pages[page];
  const bool reserved = folio != nullptr && (folio->dirty || folio->writeback.is_set());
  return extent.has_block() && world_.allocator().CopiesOnWrite(extent.block) && !reserved;
}

Error Writeback::Reserve(Inode& inode, uint32_t page) {
  inode.extent_lock.LockExclusive();
  const bool full = NeedsBlock(inode, page) && world_.allocator().Full();
  Extent& extent = inode.extents[page];
  if (!full && extent.kind == ExtentKind::kHole) extent.kind = ExtentKind::kDelalloc;
  inode.extent_lock.UnlockExclusive();
  return full ? Error::kNoSpace : Error::kOk;
}

void Writeback::Unreserve(Inode& inode, const Folio& folio) {
  if (folio.dirty || inode.extents[folio.index].kind != ExtentKind::kDelalloc) return;
  inode.extent_lock.LockExclusive();
  Extent& extent = inode.extents[folio.index];
  if (!folio.dirty && extent.kind == ExtentKind::kDelalloc) extent.kind = ExtentKind::kHole;
  inode.extent_lock.UnlockExclusive();
}

Error Writeback::Range(Inode& inode, uint32_t begin, uint32_t end) {
  Filemap filemap(world_);
  AddressSpace& mapping = inode.mapping;
  const uint32_t errors_before = mapping.wb_err;
  end = std::min(end, kFilePagesMax);
  world_.fs().WritepagesEnter(world_, inode);
  world_.StartPlug();
  for (uint32_t page = begin; page < end; ++page) {
    if (mapping.pages[page] == nullptr) continue;
    Folio* folio = filemap.Get(mapping, page);
    if (folio == nullptr) continue;
    if (folio->dirty_tag) {
      folio->lock.Lock();
      if (folio->mapping == &mapping && folio->writeback.is_set()) folio->writeback.WaitClear();
      if (folio->mapping == &mapping && folio->dirty) {
        Start(inode, *folio);
      } else {
        folio->lock.Unlock();
      }
    }
    world_.memory().Put(*folio);
  }
  world_.FinishPlug();
  world_.fs().WritepagesExit(world_, inode);
  for (uint32_t page = begin; page < end; ++page) {
    if (mapping.pages[page] == nullptr) continue;
    Folio* folio = filemap.Get(mapping, page);
    if (folio == nullptr) continue;
    if (folio->writeback.is_set()) folio->writeback.WaitClear();
    world_.memory().Put(*folio);
  }
  return mapping.wb_err == errors_before ? Error::kOk : Error::kIo;
}

// folio_clear_dirty_for_io: stores from here on fault, and dirty the folio again.
void Writeback::ClearDirtyForIo(Inode& inode, Folio& folio) {
  for (int i = 0; i < world_.mms(); ++i) {
    Vma* vma = world_.mm(i).FindVma(inode);
    if (vma == nullptr) continue;
    Pte& pte = vma->table[folio.index];
    if (pte.folio != &folio) continue;
    if (pte.writable) world_.scheduler().Point(OperationKind::kWrite, folio.id());
    pte.writable = false;
    pte.dirty = false;
  }
  folio.dirty = false;
}

uint32_t Writeback::AllocateBlock(Inode& inode, uint32_t page, bool* cow) {
  std::optional<TransactionGuard> transaction;
  if (world_.fs().WritebackIsTransaction()) transaction.emplace(world_, inode);
  inode.extent_lock.LockExclusive();
  Extent& extent = inode.extents[page];
  *cow = extent.has_block() && world_.allocator().CopiesOnWrite(extent.block);
  if (!extent.has_block()) {
    if (extent.kind == ExtentKind::kHole) {
      world_.NoteViolation("S4", "a dirty folio has a reserved or allocated block",
                           absl::StrCat("page ", page, " of inode ", inode.number, " is written back over a hole"));
    }
    extent = {ExtentKind::kUnwritten, world_.allocator().Allocate(inode.disk.number)};
  }
  if (*cow) ++inode.cow_blocks;
  const uint32_t block = *cow ? world_.allocator().Allocate(inode.disk.number) : extent.block;
  inode.extent_lock.UnlockExclusive();
  return block;
}

void Writeback::Start(Inode& inode, Folio& folio) {
  ClearDirtyForIo(inode, folio);
  world_.scheduler().Point(OperationKind::kRead, inode.id);
  const uint32_t first = folio.index * kPageCells;
  if (first >= inode.i_size) {  // a truncate is about to drop it
    folio.dirty_tag = folio.dirty;
    folio.lock.Unlock();
    return;
  }
  for (uint32_t c = 0; c < kPageCells; ++c) {
    if (first + c >= inode.i_size) folio.cells[c] = Stamp::Zero();
  }
  bool cow = false;
  const uint32_t block = AllocateBlock(inode, folio.index, &cow);
  folio.writeback.Set();
  folio.dirty_tag = folio.dirty;
  world_.memory().Get(folio);
  world_.device().Submit(
      {.kind = RequestKind::kWriteback, .block = block, .folio = &folio, .cow = cow, .end_io = &EndWriteback});
  folio.lock.Unlock();
}

Error Writeback::WriteLocked(Inode& inode, Folio& folio) {
  ClearDirtyForIo(inode, folio);
  bool cow = false;
  const uint32_t block = AllocateBlock(inode, folio.index, &cow);
  folio.dirty_tag = folio.dirty;
  bool done = false;
  bool failed = false;
  world_.memory().Get(folio);
  world_.device().Submit({.kind = RequestKind::kWriteback,
                          .block = block,
                          .folio = &folio,
                          .cow = cow,
                          .done = &done,
                          .failed = &failed,
                          .end_io = &EndWriteback});
  world_.io_done().WaitUntil([&] { return done; });
  return failed ? Error::kIo : Error::kOk;
}

Result World::Fsync(Inode& file) {
  Result result;
  (void)Writeback(*this).Range(file, 0, kFilePagesMax);  // wb_err has it, and what failed before
  scheduler().Point(OperationKind::kRead, file.id);
  if (file.mapping.wb_err != file.mapping.wb_err_seen) result.error = Error::kIo;
  file.mapping.wb_err_seen = file.mapping.wb_err;
  fs_.FsyncExit(*this, file);
  return Finish(file, std::move(result));
}

}  // namespace ordeal::pagecache
