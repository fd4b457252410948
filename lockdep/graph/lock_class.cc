#include "lockdep/graph/lock_class.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "lockdep/graph/lock_kind.h"
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

LockClassId LockClassTable::Append(LockClass lock_class) {
  const LockClassId id{size_};
  const uint32_t chunk = ChunkOf(size_);
  LD_CHECK(chunk < kChunks, "more than 2^30 lock classes");
  LockClass* storage = chunks_[chunk].load(std::memory_order_relaxed);
  if (storage == nullptr) storage = new LockClass[kFirstChunk << chunk];
  if (lock_class.version == 0) lock_class.version = ++versions_[lock_class.name];
  storage[size_ - FirstOf(chunk)] = std::move(lock_class);
  chunks_[chunk].store(storage, std::memory_order_release);
  ++size_;
  return id;
}

// One class for each mode; only those of groups get edges. They carry the name and number of the class they stand for.
void LockClassTable::AppendGroups(LockClassId id) {
  const LockKind* kind = at(id).options.kind;
  if (kind == nullptr) return;
  kind->CheckInvariants();
  const uint32_t chunk = ChunkOf(Index(id));
  LockClass& lock_class = chunks_[chunk].load(std::memory_order_relaxed)[Index(id) - FirstOf(chunk)];
  lock_class.first_group = LockClassId{size_};
  for (int mode = 0; mode < kind->modes; ++mode) Append({lock_class.name, lock_class.options, 0, lock_class.version});
}

NodeId LockClassTable::GroupNode(NodeId node, int mode) const {
  const LockClass& lock_class = at(ClassOf(node));
  const LockClassId group{Index(lock_class.first_group) + static_cast<uint32_t>(lock_class.options.kind->GroupOf(mode))};
  return NodeOf(group, SubclassOf(node));
}

LockClassId LockClassTable::Register(absl::string_view name, LockClassOptions options) {
  const auto known = by_name_.find(name);
  if (known != by_name_.end()) {
    LD_CHECK(at(known->second).options == options,
             absl::StrCat("lock class '", name, "' is registered twice with different options"));
    return known->second;
  }
  const LockClassId id = Append({std::string(name.data(), name.size()), options, 0, 0});
  AppendGroups(id);
  by_name_.emplace(std::string(name.data(), name.size()), id);
  return id;
}

LockClassId LockClassTable::RegisterKey(uint64_t key, absl::string_view name, LockClassOptions options) {
  LD_CHECK(key != 0, "a lock class key may not be 0");
  const auto known = by_key_.find(key);
  if (known != by_key_.end()) {
    LD_CHECK(at(known->second).options == options,
             absl::StrCat("the key of lock class '", name, "' is registered twice with different options"));
    return known->second;
  }
  const LockClassId id = Append({std::string(name.data(), name.size()), options, key, 0});
  AppendGroups(id);
  by_key_.emplace(key, id);
  return id;
}

void LockClassTable::Unregister(LockClassId id) {
  const uint32_t chunk = ChunkOf(Index(id));
  LockClass& gone = chunks_[chunk].load(std::memory_order_relaxed)[Index(id) - FirstOf(chunk)];
  gone.unregistered = true;
  if (gone.key != 0) {
    by_key_.erase(gone.key);
  } else {
    by_name_.erase(gone.name);
  }
}

size_t LockClassTable::MemoryBytes() const {
  size_t bytes = 0;
  for (uint32_t chunk = 0; chunk < kChunks; ++chunk) {
    if (chunks_[chunk].load(std::memory_order_relaxed) != nullptr) bytes += (kFirstChunk << chunk) * sizeof(LockClass);
  }
  return bytes + by_name_.capacity() * (sizeof(std::string) + sizeof(LockClassId)) +
         by_key_.capacity() * (sizeof(uint64_t) + sizeof(LockClassId));
}

std::string LockClassTable::NodeName(NodeId node) const {
  const LockClass& lock_class = at(ClassOf(node));
  std::string name = lock_class.name;
  if (lock_class.version > 1) absl::StrAppend(&name, "#", lock_class.version);
  if (SubclassOf(node) != 0) absl::StrAppend(&name, "/", SubclassOf(node));
  return name;
}

}  // namespace ordeal::lockdep
