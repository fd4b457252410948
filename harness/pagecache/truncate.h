// Taking pages out of the cache and blocks out of a file (mm/truncate.c; protocols 1.4.7a to 1.4.9).
//
// Thread-safety: tasks of one simulation.
// Example:       Truncation(world).DropPages(inode, 2, kFilePagesMax); Truncation(world).FreeBlocks(inode, 2, kFilePagesMax);
#ifndef ORDEAL_HARNESS_PAGECACHE_TRUNCATE_H_
#define ORDEAL_HARNESS_PAGECACHE_TRUNCATE_H_

#include "harness/pagecache/page_cache.h"

namespace ordeal::pagecache {

class Truncation {
 public:
  explicit Truncation(World& world) : world_(world) {}

  // truncate_pagecache_range: unmaps and removes whole pages, dirty or not; waits for locks and write-back.
  void DropPages(Inode& inode, uint32_t begin, uint32_t end);
  // After DropPages, until FileSystem::ExtentsExit: no folio of the pages is filled while their extents change. Those that have
  // come back are dropped again.
  void KeepDropped(Inode& inode, uint32_t begin, uint32_t end);
  // Zeroes the cells of [cell, end of its page) in the cache, reading the page if it must.
  Error ZeroToPageEnd(Inode& inode, uint32_t cell);
  // Gives the blocks of whole pages back.
  void FreeBlocks(Inode& inode, uint32_t begin, uint32_t end);
  // invalidate_inode_pages2_range: false if a folio was dirty or pinned and stays.
  bool Invalidate(Inode& inode, uint32_t begin, uint32_t end);

 private:
  bool UnmapsOnce() const;
  bool DropPage(Inode& inode, uint32_t page);
  bool AnyCached(Inode& inode, uint32_t begin, uint32_t end);

  World& world_;
};

}  // namespace ordeal::pagecache

#endif  // ORDEAL_HARNESS_PAGECACHE_TRUNCATE_H_
