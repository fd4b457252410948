// Blocks that several files refer to: what clone, dedupe and unshare do to the extents, below the file system's locks (P18).
//
// Thread-safety: tasks of one simulation.
// Lock order:    the two extent locks by inode number, the second with subclass 1.
// Example:       Remap(world).SharePage(source, 0, target, 2);
#ifndef ORDEAL_HARNESS_PAGECACHE_REFLINK_H_
#define ORDEAL_HARNESS_PAGECACHE_REFLINK_H_

#include "harness/pagecache/page_cache.h"

namespace ordeal::pagecache {

class Remap {
 public:
  explicit Remap(World& world) : world_(world) {}

  // Page `to` of the target refers to what page `from` of the source refers to. Its own block, if it had one, is freed.
  void SharePage(Inode& source, uint32_t from, Inode& target, uint32_t to);
  bool Shared(const Inode& inode, uint32_t page) const;
  Error DirtyShared(Inode& inode, uint32_t page);
  // Zeroes from the end of file to the end of its page, because the file is about to grow.
  Error ZeroOldEnd(Inode& target);

 private:
  static void LockExtents(Inode& a, Inode& b);
  static void UnlockExtents(Inode& a, Inode& b);
  void ShareLocked(Inode& source, uint32_t from, Inode& target, uint32_t to);

  World& world_;
};

}  // namespace ordeal::pagecache

#endif  // ORDEAL_HARNESS_PAGECACHE_REFLINK_H_
