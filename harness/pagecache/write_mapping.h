// What a buffered write knows of the extents of its range before it locks a folio (iomap, as in XFS): it looks them up once for the
// whole range and reserves space for the holes. A mapping is used only if it still holds under the folio lock; in the end the
// reservations that no data came to need are released, under the fill lock, because page faults rely on reservations too.
//
// Thread-safety: one task, which holds what excludes other writes to the inode.
// Lock order:    i_rwsem > invalidate_lock (End) > folio_lock > extent lock.
// Example:
//   WriteMapping mapping(world, inode);
//   mapping.Begin(page, end_page);
//   ... lock the folio of `page` ...
//   if (!mapping.Valid(page)) { ... unlock, mapping.End(page), begin again ... }
//   mapping.End(first_page_without_data);
#ifndef ORDEAL_HARNESS_PAGECACHE_WRITE_MAPPING_H_
#define ORDEAL_HARNESS_PAGECACHE_WRITE_MAPPING_H_

#include <array>

#include "harness/pagecache/page_cache.h"

namespace ordeal::pagecache {

class WriteMapping {
 public:
  WriteMapping(World& world, Inode& inode) : world_(world), inode_(inode) {}

  // Looks up and reserves [begin, end) in pages, or its first part if the device is full. False: not even the first page.
  bool Begin(uint32_t begin, uint32_t end);
  bool Covers(uint32_t page) const { return page >= begin_ && page < end_; }
  // The extent is still what was looked up. Asked under the folio lock, which keeps write-back from changing it.
  bool Valid(uint32_t page) const;
  // As looked up.
  bool HasData(uint32_t page) const { return extents_[page].kind == ExtentKind::kWritten; }
  // Forgets the mapping. What it has reserved from page `written` on is given back, unless somebody else has dirtied the page.
  void End(uint32_t written);

  // Gives back the reservations of [begin, end) that no dirty folio needs.
  static void Release(World& world, Inode& inode, uint32_t begin, uint32_t end);

 private:
  World& world_;
  Inode& inode_;
  uint32_t begin_ = 0;
  uint32_t end_ = 0;
  uint32_t new_begin_ = kFilePagesMax;  // what it has reserved itself lies in [new_begin_, new_end_)
  uint32_t new_end_ = 0;
  std::array<Extent, kFilePagesMax> extents_{};
};

}  // namespace ordeal::pagecache

#endif  // ORDEAL_HARNESS_PAGECACHE_WRITE_MAPPING_H_
