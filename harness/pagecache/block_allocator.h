// The free blocks of the device: last freed, first reused (what makes stale data show soonest). Freeing poisons the block.
//
// Thread-safety: tasks of one simulation; no scheduling point inside.
// Invariants:    a block is free, or one inode owns it, or it is shared: then it counts who refers to it. A block that was ever
//                shared is not reused in the same run: a direct read may still be under way that mapped it (busy extents).
// Example:       const uint32_t block = allocator.Allocate(inode.number); ... allocator.Free(block, inode.number);
#ifndef ORDEAL_HARNESS_PAGECACHE_BLOCK_ALLOCATOR_H_
#define ORDEAL_HARNESS_PAGECACHE_BLOCK_ALLOCATOR_H_

#include <cstdint>
#include <vector>

#include "harness/pagecache/block_device.h"

namespace ordeal::pagecache {

class BlockAllocator {
 public:
  static constexpr uint32_t kNobody = 0;
  static constexpr uint32_t kShared = 0xffffffff;  // was at some time

  explicit BlockAllocator(BlockDevice& device) : device_(device), owner_(device.size(), kNobody), references_(device.size(), 0) {}
  void Reset();
  // ENOSPC for who is about to reserve or to allocate a block, who asks before he changes anything. What has been reserved
  // (delayed allocation, copy on write of a dirty page) is allocated without asking. Only a fault: there is room for all.
  bool Full() { return device_.Full(); }
  uint32_t Allocate(uint32_t inode_number);
  // One inode more refers to it.
  void Share(uint32_t block);
  // One inode less; the last one frees it.
  void Free(uint32_t block, uint32_t inode_number);
  // The same for a block that I/O under way may have mapped.
  void FreeBusy(uint32_t block, uint32_t inode_number);
  // Once shared, a block is replaced by who writes, even when only one refers to it: a direct read may still use it for another.
  bool CopiesOnWrite(uint32_t block) const { return owner_[block] == kShared; }
  bool shared(uint32_t block) const { return references_[block] > 1; }
  uint32_t owner(uint32_t block) const { return owner_[block]; }
  uint32_t allocated() const { return allocated_; }  // a block counts as often as it is referred to

 private:
  BlockDevice& device_;
  std::vector<uint32_t> owner_;
  std::vector<uint32_t> references_;
  std::vector<uint32_t> freed_;  // a stack
  uint32_t fresh_ = 0;           // blocks below it have been allocated at least once
  uint32_t allocated_ = 0;
};

}  // namespace ordeal::pagecache

#endif  // ORDEAL_HARNESS_PAGECACHE_BLOCK_ALLOCATOR_H_
