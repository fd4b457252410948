#include "harness/pagecache/block_allocator.h"

#include "absl/strings/str_cat.h"
#include "lockdep/support/check.h"

namespace ordeal::pagecache {

void BlockAllocator::Reset() {
  for (uint32_t i = 0; i < fresh_; ++i) {
    owner_[i] = kNobody;
    references_[i] = 0;
  }
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
  references_[block] = 1;
  ++allocated_;
  return block;
}

void BlockAllocator::Share(uint32_t block) {
  LD_CHECK(references_[block] > 0, "a free block cannot be shared");
  owner_[block] = kShared;
  ++references_[block];
  ++allocated_;
}

void BlockAllocator::Free(uint32_t block, uint32_t inode_number) {
  const bool was_shared = owner_[block] == kShared && references_[block] > 0;
  LD_CHECK(was_shared || owner_[block] == inode_number,
           absl::StrCat("inode ", inode_number, " frees block ", block, " of inode ", owner_[block]));
  --allocated_;
  if (--references_[block] > 0) return;
  owner_[block] = kNobody;
  if (was_shared) return;
  freed_.push_back(block);
  device_.block(block).fill(Stamp::Make(StampKind::kPoisonFree, 0, block * kPageCells, 0));
}

void BlockAllocator::FreeBusy(uint32_t block, uint32_t inode_number) {
  LD_CHECK(references_[block] > 0, "a free block is freed");
  if (owner_[block] == inode_number) owner_[block] = kShared;
  Free(block, inode_number);
}

}  // namespace ordeal::pagecache
