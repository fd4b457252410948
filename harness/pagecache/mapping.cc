// What a process does to its mappings (protocols 1.4.20), and readdir, which copies to them under the directory's lock (1.4.16).
#include "harness/pagecache/fault.h"
#include "harness/pagecache/filemap.h"
#include "harness/pagecache/freeze.h"
#include "harness/pagecache/page_cache.h"

namespace ordeal::pagecache {
namespace {

constexpr int kChildMm = 1;  // SINGLE_DEPTH_NESTING

// zap_page_range, under mmap_lock for writing: dirty bits go to the folios without any lock of theirs.
void Zap(World& world, Vma& vma) {
  for (Pte& pte : vma.table) {
    if (pte.folio == nullptr) continue;
    world.scheduler().Point(OperationKind::kWrite, pte.folio->id());
    if (pte.folio == nullptr) continue;  // a truncate was faster
    Filemap(world).Zap(pte);
  }
}

}  // namespace

// B97: mmap updates the access time, for which it asks leave to write, under mmap_lock.
Result World::UnmapAndMap(Mm& mm, Inode& file) {
  Result result;
  mm.mmap_lock.LockExclusive();
  Vma* vma = mm.FindVma(file);
  if (vma == nullptr) {
    result.error = Error::kInvalid;  // another thread is at it
  } else {
    Zap(*this, *vma);
    vma->mapped = false;
  }
  mm.mmap_lock.UnlockExclusive();
  if (vma == nullptr) return Finish(file, std::move(result));
  mm.mmap_lock.LockExclusive();
  if (bugs().Has(Bug::kB97FreezeUnderMmapLock)) {
    const FreezeGuard guard(*this, FreezeLevel::kWrite);
    scheduler().Point(OperationKind::kWrite, file.id);
  }
  vma->mapped = true;
  mm.mmap_lock.UnlockExclusive();
  return Finish(file, std::move(result));
}

Result World::Protect(Mm& mm, Inode& file) {
  for (const bool writable : {false, true}) {
    mm.mmap_lock.LockExclusive();
    if (Vma* vma = mm.FindVma(file); vma != nullptr) {
      vma->writable = writable;
      for (Pte& pte : vma->table) {
        if (pte.folio == nullptr || writable) continue;
        scheduler().Point(OperationKind::kWrite, pte.folio->id());
        pte.writable = false;  // stores fault from now on; what was stored stays dirty
      }
    }
    mm.mmap_lock.UnlockExclusive();
  }
  return Finish(file, {});
}

Result World::Msync(Mm& mm, Inode& file) {
  mm.mmap_lock.LockShared();
  const bool mapped = mm.FindVma(file) != nullptr;
  mm.mmap_lock.UnlockShared();  // dropped around the work
  if (!mapped) return Finish(file, {.error = Error::kNoMemory});
  return Fsync(file);
}

// The child has the parent's mappings (shared file mappings fault anew), touches each and exits.
Result World::Fork(Mm& mm) {
  Mm& child = CreateMm(mm.node);
  mm.mmap_lock.LockExclusive();
  child.mmap_lock.LockExclusive(kChildMm);
  for (const Vma& vma : mm.vmas) {
    if (vma.mapped) child.vmas.push_back(Vma{vma.file, {}});
  }
  child.mmap_lock.UnlockExclusive();
  mm.mmap_lock.UnlockExclusive();
  for (Vma& vma : child.vmas) {
    Stamp ignored;
    (void)UserMemory(*this, child).Load(*vma.file, 0, &ignored);
  }
  child.mmap_lock.LockExclusive();
  for (Vma& vma : child.vmas) {
    Zap(*this, vma);
    vma.mapped = false;
  }
  child.mmap_lock.UnlockExclusive();
  return Finish({});
}

// B41: the copy to the user is made under the lock of the directory's tree.
Result World::Readdir(Mm& mm, const Io& io) {
  Result result;
  Inode& directory = OnNode(root(), mm.node);
  directory.i_rwsem.LockShared();
  Folio* block = memory_.Allocate(directory.mapping, 0, Gfp::kKernel);
  if (block == nullptr) result.error = Error::kNoMemory;
  const bool under_tree_lock = bugs().Has(Bug::kB41ReaddirCopiesUnderTreeLock);
  directory.extent_lock.LockShared();
  if (!under_tree_lock) directory.extent_lock.UnlockShared();
  for (uint32_t i = 0; i < io.length_cells && result.error == Error::kOk; ++i) {
    if (io.buffer.mapping != nullptr) {
      result.error = UserMemory(*this, mm).Store(*io.buffer.mapping, io.buffer.offset_cells + i, io.stamps[i]);
    }
    if (result.error == Error::kOk) ++result.cells_done;
  }
  if (result.error == Error::kSigBus) result.error = Error::kFault;
  if (under_tree_lock) directory.extent_lock.UnlockShared();
  if (block != nullptr) memory_.Put(*block);
  directory.i_rwsem.UnlockShared();
  return Finish(std::move(result));
}

}  // namespace ordeal::pagecache
