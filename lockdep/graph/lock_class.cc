#include "lockdep/graph/lock_class.h"

#include "absl/strings/str_cat.h"
#include "lockdep/support/check.h"

namespace ordeal::lockdep {

const char* ModeName(Mode mode) {
  switch (mode) {
    case Mode::kExclusive: return "exclusive";
    case Mode::kShared: return "shared";
    case Mode::kSharedRecursive: return "shared-recursive";
  }
  return "unknown";
}

LockClassTable::~LockClassTable() {
  for (const std::atomic<LockClass*>& chunk : chunks_) delete[] chunk.load(std::memory_order_relaxed);
}

LockClassId LockClassTable::Register(absl::string_view name, LockClassOptions options) {
  const auto known = by_name_.find(name);
  if (known != by_name_.end()) {
    LD_CHECK(at(known->second).options == options,
             absl::StrCat("lock class '", name, "' is registered twice with different options"));
    return known->second;
  }
  const LockClassId id{size_};
  const uint32_t chunk = ChunkOf(size_);
  LD_CHECK(chunk < kChunks, "more than 2^30 lock classes");
  LockClass* storage = chunks_[chunk].load(std::memory_order_relaxed);
  if (storage == nullptr) storage = new LockClass[kFirstChunk << chunk];
  storage[size_ - FirstOf(chunk)] = {std::string(name.data(), name.size()), options};
  chunks_[chunk].store(storage, std::memory_order_release);
  by_name_.emplace(std::string(name.data(), name.size()), id);
  ++size_;
  return id;
}

std::string LockClassTable::NodeName(NodeId node) const {
  const LockClass& lock_class = at(ClassOf(node));
  if (SubclassOf(node) == 0) return lock_class.name;
  return absl::StrCat(lock_class.name, "/", SubclassOf(node));
}

}  // namespace ordeal::lockdep
