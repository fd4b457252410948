#include "harness/pagecache/block_allocator.h"

#include "absl/strings/str_cat.h"
#include "lockdep/support/check.h"

namespace ordeal::pagecache {

void BlockAllocator::Reset() {
  for (uint32_t i = 0; i < fresh_; ++i) owner_[i] = kNobody;
  freed_.clear();
  fresh_ = 0;
  allocated_ = 0;
}

uint32_t BlockAllocator::Allocate(uint32_t inode_number) {
  uint32_t block = fresh_;
  if (!freed_.empty()) {
    block = freed_.back();
    freed_.pop_back();
  } else {
    LD_CHECK(fresh_ < device_.size(), "the device is full: give WorldOptions::disk_blocks room for every file's maximum");
    ++fresh_;
  }
  owner_[block] = inode_number;
  ++allocated_;
  return block;
}

void BlockAllocator::Free(uint32_t block, uint32_t inode_number) {
  LD_CHECK(owner_[block] == inode_number,
           absl::StrCat("inode ", inode_number, " frees block ", block, " of inode ", owner_[block]));
  owner_[block] = kNobody;
  freed_.push_back(block);
  --allocated_;
  device_.block(block).fill(Stamp::Make(StampKind::kPoisonFree, 0, block * kPageCells, 0));
}

}  // namespace ordeal::pagecache
