#include "harness/filesystems/ocfs2/ocfs2_historical.h"

#include "harness/pagecache/filemap.h"
#include "harness/pagecache/writeback.h"

namespace ordeal {

using lockdep::kDlmExclusive;
using lockdep::kDlmProtectedRead;
using pagecache::AddressSpace;
using pagecache::Bug;
using pagecache::Error;
using pagecache::FillKind;
using pagecache::Filemap;
using pagecache::Folio;
using pagecache::Inode;
using pagecache::kFilePagesMax;
using pagecache::World;
using pagecache::Writeback;

// --- naive ---

absl::Span<const char* const> Ocfs2Naive::lock_order() const {
  static constexpr const char* kOrder[] = {
      "i_rwsem/1",  "i_rwsem",          "i_rwsem/4",    "ocfs2_rw_lock",   "inode_dio", "mmap_lock",        "mmap_lock/1",
      "folio_lock", "ocfs2_inode_lock", "ip_alloc_sem", "folio_writeback", "block_io",  "ocfs2_extent_map", "ocfs2_extent_map/1",
      "i_pages",
  };
  return kOrder;
}

Error Ocfs2Naive::ReadFolio(World& world, Folio& folio) const {
  Ocfs2Inode& state = OcfsInode(folio.mapping->host);
  state.LockMeta(kDlmProtectedRead);
  Filemap(world).StartRead(folio);
  state.UnlockMeta(kDlmProtectedRead);
  return Error::kOk;
}
Error Ocfs2Naive::ReadaheadFolio(World& world, Folio& folio) const { return ReadFolio(world, folio); }

Error Ocfs2Naive::PrepareWrite(World&, Folio& folio) const {
  OcfsInode(folio.mapping->host).LockMeta(kDlmExclusive);
  return Error::kOk;
}
void Ocfs2Naive::FolioWritten(World&, Folio& folio) const {
  OcfsInode(folio.mapping->host).UnlockMeta(kDlmExclusive);
}

// --- skip what is locked ---

// One look at each folio; false if one has to be looked at again.
bool Ocfs2SkipLocked::Pass(World& world, Inode& inode, bool drop) {
  Filemap filemap(world);
  bool complete = true;
  filemap.UnmapRange(inode, 0, kFilePagesMax);
  for (uint32_t page = 0; page < kFilePagesMax; ++page) {
    if (inode.mapping.pages[page] == nullptr) continue;
    Folio* folio = filemap.Get(inode.mapping, page);
    if (folio == nullptr) continue;
    if (!folio->lock.TryLock()) {
      complete = false;
    } else {
      if (folio->writeback.is_set()) folio->writeback.WaitClear();
      const bool ours = folio->mapping == &inode.mapping;
      if (ours && folio->mapcount > 0) filemap.Unmap(*folio);
      if (ours && folio->dirty) {
        Writeback(world).Start(inode, *folio);  // unlocks it
        complete = false;
      } else {
        if (ours && drop) filemap.Remove(*folio);
        folio->lock.Unlock();
      }
    }
    world.memory().Put(*folio);
  }
  return complete;
}

DownconvertAnswer Ocfs2SkipLocked::Downconvert(World& world, Inode& inode, DlmMode blocking) const {
  while (!Pass(world, inode, blocking == kDlmExclusive)) {
    if (world.scheduler().unwinding()) break;
    world.scheduler().NoteRetry(RetryReason::kInvalidateBusy, inode.number);
  }
  return DownconvertAnswer::kContinue;
}

// --- guards ---

void Ocfs2Guard::FillEnter(World& world, AddressSpace& mapping, FillKind) const {
  OcfsInode(mapping.host).LockMeta(kDlmProtectedRead);
  OcfsWorld(world).submitted[Index(world.scheduler().current())] = false;
}
void Ocfs2Guard::FillExit(World& world, AddressSpace& mapping, FillKind) const {
  const bool submitted = OcfsWorld(world).submitted[Index(world.scheduler().current())];
  if (bugs().Has(Bug::kB51LeakedGuard) && !submitted) return;
  OcfsInode(mapping.host).UnlockMeta(kDlmProtectedRead);
}

Error Ocfs2Guard::ReadFolio(World& world, Folio& folio) const {
  OcfsWorld(world).submitted[Index(world.scheduler().current())] = true;
  Filemap(world).StartRead(folio);
  return Error::kOk;
}
Error Ocfs2Guard::ReadaheadFolio(World& world, Folio& folio) const { return ReadFolio(world, folio); }

Error Ocfs2Guard::WriteBegin(World&, Inode& inode, uint32_t) const {
  OcfsInode(inode).LockMeta(kDlmExclusive);
  return Error::kOk;
}
void Ocfs2Guard::WriteEnd(World&, Inode& inode, uint32_t) const { OcfsInode(inode).UnlockMeta(kDlmExclusive); }

// --- AOP_TRUNCATED_PAGE as posted ---

Error Ocfs2Atp::TryOrRetry(World& world, Folio& folio, DlmMode mode) {
  Inode& inode = folio.mapping->host;
  if (OcfsInode(inode).TryLockMeta(mode)) return Error::kOk;
  const uint32_t page = folio.index;
  folio.lock.Unlock();
  world.scheduler().NoteRetry(RetryReason::kTruncatedPage, uint64_t{inode.number} << 32 | page);
  return Error::kTruncatedPage;
}

Error Ocfs2Atp::ReadFolio(World& world, Folio& folio) const {
  Inode& inode = folio.mapping->host;
  if (const Error error = TryOrRetry(world, folio, kDlmProtectedRead); error != Error::kOk) return error;
  Filemap(world).StartRead(folio);
  OcfsInode(inode).UnlockMeta(kDlmProtectedRead);
  return Error::kOk;
}

// Unlike ReadFolio nobody retries: it stays unread.
Error Ocfs2Atp::ReadaheadFolio(World& world, Folio& folio) const {
  Inode& inode = folio.mapping->host;
  if (!OcfsInode(inode).TryLockMeta(kDlmProtectedRead)) {
    folio.lock.Unlock();
    return Error::kTruncatedPage;
  }
  Filemap(world).StartRead(folio);
  OcfsInode(inode).UnlockMeta(kDlmProtectedRead);
  return Error::kOk;
}

Error Ocfs2Atp::PrepareWrite(World& world, Folio& folio) const { return TryOrRetry(world, folio, kDlmExclusive); }

}  // namespace ordeal
