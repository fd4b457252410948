#include "harness/pagecache/freeze.h"

#include <iterator>
#include <memory>

#include "harness/pagecache/writeback.h"

namespace ordeal::pagecache {

void World::MakeFreezable() {
  const lockdep::LockClassId classes[] = {classes_.sb_writers, classes_.sb_pagefaults, classes_.sb_internal};
  const char* const names[] = {"sb_writers", "sb_pagefaults", "sb_internal"};
  for (int node = 0; node < options_.nodes; ++node) {
    freeze_.push_back(std::make_unique<FreezeLevels>());
    for (size_t level = 0; level < std::size(names); ++level) {
      (*freeze_.back())[level].emplace(sim_, classes[level], names[level], static_cast<uint32_t>(node), options_.steal);
    }
  }
}

Result World::SyncFilesystem(int node) {
  Result result;
  for (int i = 0; i < inodes_used_; ++i) {
    Inode& file = inode(i);
    if (file.node != node || file.type != InodeType::kRegular) continue;
    const Error error = Writeback(*this).Range(file, 0, kFilePagesMax);
    if (error != Error::kOk) result.error = error;
  }
  return Finish(std::move(result));
}

// freeze_super and thaw_super: page faults are kept out before the flush, transactions only after it.
Result World::FreezeAndThaw(int node) {
  RwSemaphore* const writers = freeze_level(FreezeLevel::kWrite);
  RwSemaphore* const page_faults = freeze_level(FreezeLevel::kPageFault);
  RwSemaphore* const transactions = freeze_level(FreezeLevel::kInternal);
  if (writers == nullptr) return Finish({.error = Error::kInvalid});
  writers->LockExclusive();
  page_faults->LockExclusive();
  Result result = SyncFilesystem(node);
  transactions->LockExclusive();
  scheduler().Point(OperationKind::kWait, root().id);
  transactions->UnlockExclusive();
  page_faults->UnlockExclusive();
  writers->UnlockExclusive();
  return Finish(std::move(result));
}

}  // namespace ordeal::pagecache
