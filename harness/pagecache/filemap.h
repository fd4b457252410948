// The generic page-cache paths of mm/filemap.c and mm/readahead.c: lookup, insertion, removal, fill, readahead, reclaim of a
// single folio. A value made on the spot: Filemap(world).Get(mapping, index).
//
// Thread-safety: tasks of one simulation.
// Invariants:    Insert and Remove happen under the folio lock and i_pages; what Get returns carries a reference.
// Example:
//   Folio* folio = nullptr;
//   const Error error = Filemap(world).GetUptodate(mapping, index, &folio);  // buffered read
//   if (error == Error::kOk) world.memory().Put(*folio);
#ifndef ORDEAL_HARNESS_PAGECACHE_FILEMAP_H_
#define ORDEAL_HARNESS_PAGECACHE_FILEMAP_H_

#include "harness/pagecache/page_cache.h"

namespace ordeal::pagecache {

class Filemap {
 public:
  explicit Filemap(World& world) : world_(world) {}

  // A reference to the cached folio, or null.
  Folio* Get(AddressSpace& mapping, uint32_t index);
  // Puts a locked new folio into the tree (whose reference is added); false if the slot is taken.
  bool Insert(AddressSpace& mapping, Folio& folio);
  // Takes a locked folio out of the tree: mapping becomes null.
  void Remove(Folio& folio);
  // Removes a locked folio unless it is dirty or pinned, or (own_refs >= 0) somebody besides the tree and the caller refers to
  // it. That pinned folios stay is stricter than Linux 6.1, where invalidation can lose what DMA then writes.
  static constexpr int kAnyRefs = -1;
  bool RemoveIfClean(Folio& folio, int own_refs);
  // Finds or creates the folio, locked and with a reference. Null: no memory.
  Folio* GetLocked(AddressSpace& mapping, uint32_t index);

  // ->read_folio of a locked folio: starts the read and gives the lock to the I/O. kTruncatedPage: the file system has unlocked
  // it without reading; put it and look it up again.
  Error SubmitRead(Folio& folio);
  // What ->read_folio does when it need not wait for locks: a hole is zeroed and unlocked at once.
  void StartRead(Folio& folio);
  // Reads a locked folio and waits; the caller keeps the lock. Bypasses P2: for callers below the lock.
  Error ReadLocked(Folio& folio);
  // A reference to an up-to-date folio, by the rules of a buffered read.
  Error GetUptodate(AddressSpace& mapping, uint32_t index, Folio** folio);
  // Starts reads of the missing folios of [begin, end) below the end of file; stops at the first that is cached.
  void Readahead(AddressSpace& mapping, uint32_t begin, uint32_t end, FillKind kind);

  // shrink_folio for one folio to which the caller has `own_refs` references: never sleeps on a lock. True: it left the tree.
  bool TryReclaim(Folio& folio, int own_refs);

  // Clears the page-table entries of one folio, or of a range of a file; dirty bits go to the folios.
  void Unmap(Folio& folio);
  void UnmapRange(Inode& inode, uint32_t begin, uint32_t end);
  // Clears one entry that is present. No scheduling point.
  void Zap(Pte& pte);
  void SetDirty(Folio& folio);
  bool SkipsRecheck(const Folio& folio) const;

 private:
  Error Create(AddressSpace& mapping, uint32_t index, Folio** folio, bool* retry);
  Error Update(AddressSpace& mapping, Folio& folio, bool* retry);
  bool MapBlock(Folio& folio, uint32_t* block);

  World& world_;
};

}  // namespace ordeal::pagecache

#endif  // ORDEAL_HARNESS_PAGECACHE_FILEMAP_H_
