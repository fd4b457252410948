// Writing dirty folios to the device (protocols 1.4.11), and reserving the block that a dirty folio needs.
//
// Thread-safety: tasks of one simulation.
// Invariants:    a dirty folio of a file below i_size has a reserved or allocated block, so that write-back never finds the device
//                full: who makes a folio dirty reserves before he copies anything. A folio whose write failed is dirty
//                again, and its mapping has an error to report: an injected I/O error delays data but never loses it.
// Example:       if (Writeback(world).Range(inode, 0, 4) != Error::kOk) return EIO;
#ifndef ORDEAL_HARNESS_PAGECACHE_WRITEBACK_H_
#define ORDEAL_HARNESS_PAGECACHE_WRITEBACK_H_

#include "harness/pagecache/page_cache.h"

namespace ordeal::pagecache {

class Writeback {
 public:
  explicit Writeback(World& world) : world_(world) {}

  // For a page that will be dirtied, its folio locked: a hole becomes a reservation (takes the extent lock). kNoSpace: no block is
  // free for a hole, or for the copy of a shared block.
  Error Reserve(Inode& inode, uint32_t page);
  // The locked folio was not dirtied after all: its reservation, if it is nobody's, is a hole again.
  void Unreserve(Inode& inode, const Folio& folio);
  // Writes the dirty folios of pages [begin, end) and waits for them; kIo if one failed.
  Error Range(Inode& inode, uint32_t begin, uint32_t end);
  // Starts the write of a locked, dirty folio of `inode` that is not under write-back, and unlocks it.
  void Start(Inode& inode, Folio& folio);
  // Writes a dirty folio that stays locked, and waits; without the write-back bit, so that nobody else sees it. An error leaves
  // it dirty.
  Error WriteLocked(Inode& inode, Folio& folio);

 private:
  bool NeedsBlock(const Inode& inode, uint32_t page) const;
  void ClearDirtyForIo(Inode& inode, Folio& folio);
  uint32_t AllocateBlock(Inode& inode, uint32_t page, bool* cow);

  World& world_;
};

}  // namespace ordeal::pagecache

#endif  // ORDEAL_HARNESS_PAGECACHE_WRITEBACK_H_
