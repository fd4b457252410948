#include "harness/filesystems/ocfs2/ocfs2_fs_misc.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "harness/pagecache/filemap.h"
#include "harness/pagecache/generic_file.h"
#include "harness/pagecache/writeback.h"

namespace ordeal {

using lockdep::kDlmExclusive;
using lockdep::kDlmProtectedRead;
using pagecache::AddressSpace;
using pagecache::Bug;
using pagecache::Error;
using pagecache::Filemap;
using pagecache::Folio;
using pagecache::Inode;
using pagecache::Io;
using pagecache::kFilePagesMax;
using pagecache::kPageCells;
using pagecache::LockMode;
using pagecache::Mm;
using pagecache::Result;
using pagecache::Stamp;
using pagecache::World;
using pagecache::Writeback;

// --- the bit ---

FsMiscBits::FsMiscBits(World& world, const Inode& inode)
    : world_(world),
      returned_(world.sim(), world.sim().Class("page_fs_misc", {.is_event = true}), "PG_fs_misc of inode", inode.number) {
  returned_.set_trigger(OcfsWorld(world).worker(Ocfs2World::NodeOf(inode)).task());
}

void FsMiscBits::NoteTwoUsers(const Folio& folio, const char* who) {
  world_.NoteViolation("F1", "a folio that is lent to the downconvert worker is used by nobody else",
                       absl::StrCat("page ", folio.index, ": ", who, " while it is with the worker"));
}

void FsMiscBits::Lend(Folio& folio) {
  if (with_worker_[folio.index] || set_[folio.index]) NoteTwoUsers(folio, "its owner lends it again");
  world_.scheduler().Point(OperationKind::kWrite, folio.id());
  set_[folio.index] = true;
  if (!world_.bugs().Has(Bug::kB54FsMiscLostWakeup)) folio.lock.WakeWaiters();
}

void FsMiscBits::TakeBack(Folio& folio) {
  returned_.WaitUntil([&] { return set_[folio.index]; });
  if (world_.bugs().Has(Bug::kB52FsMiscOwnershipRace)) world_.scheduler().Point(OperationKind::kWrite, folio.id());
  set_[folio.index] = false;
  if (with_worker_[folio.index]) NoteTwoUsers(folio, "its owner goes on");
}

bool FsMiscBits::LockOrBorrow(Folio& folio) {
  const uint32_t page = folio.index;
  const auto test_and_clear = [&] {
    if (!set_[page]) return false;
    set_[page] = false;
    with_worker_[page] = true;
    return true;
  };
  return folio.lock.LockOr(test_and_clear);
}

void FsMiscBits::Return(Folio& folio) {
  if (set_[folio.index]) NoteTwoUsers(folio, "its owner has lent it once more");
  with_worker_[folio.index] = false;
  set_[folio.index] = true;
  returned_.WakeAll();
}

// --- locks of an inode ---

namespace {

class Ocfs2FsMiscInode : public Ocfs2Inode {
 public:
  Ocfs2FsMiscInode(World& world, Inode& inode, const Ocfs2Inode* first, Ocfs2LockHooks hooks)
      : Ocfs2Inode(world, inode, first, std::move(hooks)), bits(world, inode) {}
  FsMiscBits bits;
};

FsMiscBits& BitsOf(const Inode& inode) { return static_cast<Ocfs2FsMiscInode&>(*inode.fs_state).bits; }

void LockBoth(const Inode& inode, DlmMode mode) {
  OcfsInode(inode).LockMeta(mode);
  OcfsInode(inode).LockData(mode);
}
void UnlockBoth(const Inode& inode, DlmMode mode) {
  OcfsInode(inode).UnlockData(mode);
  OcfsInode(inode).UnlockMeta(mode);
}

}  // namespace

absl::Span<const char* const> Ocfs2FsMisc::lock_order() const {
  static constexpr const char* kOrder[] = {
      "i_rwsem/1",       "i_rwsem",      "i_rwsem/4",        "ocfs2_rw_lock",      "inode_dio",
      "mmap_lock",       "mmap_lock/1",  "folio_lock",       "ocfs2_inode_lock",   "ip_alloc_sem",
      "ocfs2_data_lock", "page_fs_misc", "folio_writeback",  "block_io",           "ocfs2_extent_map",
      "ocfs2_extent_map/1", "i_pages",
  };
  return kOrder;
}

std::unique_ptr<pagecache::FileSystemInodeState> Ocfs2FsMisc::MakeInodeState(World& world, Inode& inode) const {
  Ocfs2LockHooks hooks = LockHooks(world, inode);
  hooks.data.emplace().downconvert = std::exchange(hooks.meta.downconvert, nullptr);
  return std::make_unique<Ocfs2FsMiscInode>(world, inode, First(world, inode), std::move(hooks));
}

// ocfs2_meta_lock_holding_page, ocfs2_data_lock_holding_page.
void Ocfs2FsMisc::LockHoldingFolio(Folio& folio, DlmMode meta, DlmMode data) {
  const Inode& inode = folio.mapping->host;
  FsMiscBits& bits = BitsOf(inode);
  bits.Lend(folio);
  OcfsInode(inode).LockMeta(meta);
  bits.TakeBack(folio);
  bits.Lend(folio);
  OcfsInode(inode).LockData(data);
  bits.TakeBack(folio);
}

// --- tasks ---

Error Ocfs2FsMisc::ReadFolio(World& world, Folio& folio) const {
  const Inode& inode = folio.mapping->host;
  LockHoldingFolio(folio, kDlmProtectedRead, kDlmProtectedRead);
  Filemap(world).StartRead(folio);
  UnlockBoth(inode, kDlmProtectedRead);
  return Error::kOk;
}

Error Ocfs2FsMisc::ReadaheadFolio(World& world, Folio& folio) const {
  Ocfs2Inode& state = OcfsInode(folio.mapping->host);
  const bool meta = state.TryLockMeta(kDlmProtectedRead);
  const bool data = meta && state.TryLockData(kDlmProtectedRead);
  if (data) {
    Filemap(world).StartRead(folio);
    state.UnlockData(kDlmProtectedRead);
  } else {
    folio.lock.Unlock();
  }
  if (meta) state.UnlockMeta(kDlmProtectedRead);
  return data ? Error::kOk : Error::kTruncatedPage;
}

// Only a write that may move the end of file has the meta lock exclusively.
Error Ocfs2FsMisc::PrepareWrite(World&, Folio& folio) const {
  Inode& inode = folio.mapping->host;
  const auto extends = [&] { return (folio.index + 1) * kPageCells > inode.i_size; };
  DlmMode meta = extends() ? kDlmExclusive : kDlmProtectedRead;
  LockHoldingFolio(folio, meta, kDlmExclusive);
  if (meta == kDlmProtectedRead && extends()) {  // another node has truncated the file
    OcfsInode(inode).UnlockData(kDlmExclusive);
    OcfsInode(inode).UnlockMeta(meta);
    meta = kDlmExclusive;
    LockHoldingFolio(folio, meta, kDlmExclusive);
  }
  BitsOf(inode).meta_mode(folio) = meta;
  return Error::kOk;
}
void Ocfs2FsMisc::FolioWritten(World&, Folio& folio) const {
  Inode& inode = folio.mapping->host;
  OcfsInode(inode).UnlockData(kDlmExclusive);
  OcfsInode(inode).UnlockMeta(BitsOf(inode).meta_mode(folio));
}

Result Ocfs2FsMisc::FileWrite(World& world, Mm& mm, const Io& io) const {
  Result result;
  io.file->i_rwsem.LockExclusive();
  result.error = ExtendTo(world, *io.file, io.offset_cells);
  if (result.error == Error::kOk) result = GenericWrite(world, mm, io);
  io.file->i_rwsem.UnlockExclusive();
  return result;
}

// With the file's last page locked, if there is a part of it behind the end of file `size`. *extended: that was the end of file.
Error Ocfs2FsMisc::ExtendFrom(World& world, Inode& inode, uint32_t size, uint32_t offset_cells, bool* extended) const {
  const uint32_t begin = size % kPageCells;
  Folio* folio = begin == 0 ? nullptr : Filemap(world).GetLocked(inode.mapping, pagecache::PageOf(size));
  if (begin != 0 && folio == nullptr) return Error::kNoMemory;
  if (folio != nullptr) {
    LockHoldingFolio(*folio, kDlmExclusive, kDlmExclusive);
  } else {
    LockBoth(inode, kDlmExclusive);
  }
  Error error = Error::kOk;
  *extended = inode.i_size == size;
  if (*extended && folio != nullptr && !folio->uptodate) error = Filemap(world).ReadLocked(*folio);
  if (*extended && folio != nullptr && error == Error::kOk) {
    folio->uptodate = true;
    error = Writeback(world).Reserve(inode, folio->index);
  }
  if (*extended && folio != nullptr && error == Error::kOk) {
    for (uint32_t c = begin; c < kPageCells; ++c) folio->cells[c] = Stamp::Zero();
    Filemap(world).SetDirty(*folio);
  }
  world.scheduler().Point(OperationKind::kWrite, inode.id);
  if (*extended && error == Error::kOk) inode.i_size = offset_cells;
  UnlockBoth(inode, kDlmExclusive);
  if (folio != nullptr) {
    folio->lock.Unlock();
    world.memory().Put(*folio);
  }
  return error;
}

Error Ocfs2FsMisc::ExtendTo(World& world, Inode& inode, uint32_t offset_cells) const {
  for (;;) {
    OcfsInode(inode).LockMeta(kDlmProtectedRead);
    const uint32_t size = inode.i_size;
    OcfsInode(inode).UnlockMeta(kDlmProtectedRead);
    bool extended = offset_cells <= size;
    Error error = Error::kOk;
    if (!extended) error = ExtendFrom(world, inode, size, offset_cells, &extended);
    if (extended || error != Error::kOk) return error;
  }
}

void Ocfs2FsMisc::DirectReadEnter(World& world, Inode& inode) const {
  Ocfs2::DirectReadEnter(world, inode);
  OcfsInode(inode).LockData(kDlmProtectedRead);
  OcfsInode(inode).UnlockData(kDlmProtectedRead);
}

LockMode Ocfs2FsMisc::MkwriteEnter(World&, AddressSpace& mapping) const {
  LockBoth(mapping.host, kDlmExclusive);
  return LockMode::kExclusive;
}
void Ocfs2FsMisc::MkwriteExit(World&, AddressSpace& mapping, LockMode) const { UnlockBoth(mapping.host, kDlmExclusive); }

void Ocfs2FsMisc::InvalidateEnter(World& world, Inode& inode) const {
  Ocfs2::InvalidateEnter(world, inode);
  OcfsInode(inode).LockData(kDlmExclusive);
}
void Ocfs2FsMisc::InvalidateExit(World& world, Inode& inode) const {
  OcfsInode(inode).UnlockData(kDlmExclusive);
  Ocfs2::InvalidateExit(world, inode);
}

void Ocfs2FsMisc::EvictEnter(World&, Inode& inode) const { LockBoth(inode, kDlmExclusive); }
void Ocfs2FsMisc::EvictExit(World&, Inode& inode) const { UnlockBoth(inode, kDlmExclusive); }

// --- the worker ---

void Ocfs2FsMisc::WriteFolio(World& world, Inode& inode, Folio& folio) {
  if (!BitsOf(inode).LockOrBorrow(folio)) {
    if (folio.dirty) (void)Writeback(world).WriteLocked(inode, folio);  // it stays dirty: WriteDirty comes back
    BitsOf(inode).Return(folio);
    return;
  }
  const bool ours = folio.mapping == &inode.mapping;
  if (ours && folio.writeback.is_set()) folio.writeback.WaitClear();
  if (ours && folio.dirty) {
    Writeback(world).Start(inode, folio);
  } else {
    folio.lock.Unlock();
  }
}

// Until none is dirty: an injected I/O error leaves a folio so.
void Ocfs2FsMisc::WriteDirty(World& world, Inode& inode) {
  Filemap filemap(world);
  for (bool found = true; found && !world.scheduler().unwinding();) {
    found = false;
    for (uint32_t page = 0; page < kFilePagesMax; ++page) {
      if (inode.mapping.pages[page] == nullptr) continue;
      Folio* folio = filemap.Get(inode.mapping, page);
      if (folio == nullptr) continue;
      if (folio->dirty_tag) {
        found = true;
        WriteFolio(world, inode, *folio);
      }
      if (folio->writeback.is_set()) folio->writeback.WaitClear();
      world.memory().Put(*folio);
    }
  }
}

void Ocfs2FsMisc::DropFolio(World& world, Inode& inode, Folio& folio) const {
  Filemap filemap(world);
  if (!BitsOf(inode).LockOrBorrow(folio)) {
    world.scheduler().Point(OperationKind::kWrite, folio.id());
    if (!bugs().Has(Bug::kB53FsMiscSkipsUptodate)) {
      if (folio.mapcount > 0) filemap.Unmap(folio);
      while (folio.dirty && Writeback(world).WriteLocked(inode, folio) != Error::kOk) {
      }
      folio.uptodate = false;
    }
    BitsOf(inode).Return(folio);
    return;
  }
  if (folio.mapping == &inode.mapping) {
    if (folio.writeback.is_set()) folio.writeback.WaitClear();
    if (folio.mapcount > 0) filemap.Unmap(folio);
    filemap.Remove(folio);
  }
  folio.lock.Unlock();
}

DownconvertAnswer Ocfs2FsMisc::Downconvert(World& world, Inode& inode, DlmMode blocking) const {
  Filemap filemap(world);
  filemap.UnmapRange(inode, 0, kFilePagesMax);
  WriteDirty(world, inode);
  if (blocking != kDlmExclusive) return DownconvertAnswer::kContinue;
  for (uint32_t page = 0; page < kFilePagesMax; ++page) {
    if (inode.mapping.pages[page] == nullptr) continue;
    Folio* folio = filemap.Get(inode.mapping, page);
    if (folio == nullptr) continue;
    DropFolio(world, inode, *folio);
    world.memory().Put(*folio);
  }
  CheckNothingCached(world, inode);
  return DownconvertAnswer::kContinue;
}

}  // namespace ordeal
