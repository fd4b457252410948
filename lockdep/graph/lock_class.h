// Lock classes: what the validator reasons about. All locks with one role (every inode's i_rwsem) are one class; a class
// has up to 8 subclasses for locks of that role taken one inside the other; a class x subclass is a node of the graph.
//
// Thread-safety: LockClassTable: Register is serialised by the validator; at() may run beside it, for ids that it returned.
// Invariants:    ids are dense and in order of registration; NodeOf is a bijection; a name is registered once.
// Example:
//   const LockClassId inode = classes.Register("i_rwsem", {.wait = WaitType::kSleep});
//   const NodeId parent = NodeOf(inode, 1);   // "i_rwsem/1"
#ifndef ORDEAL_LOCKDEP_GRAPH_LOCK_CLASS_H_
#define ORDEAL_LOCKDEP_GRAPH_LOCK_CLASS_H_

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"

namespace ordeal::lockdep {

inline constexpr int kSubclasses = 8;

enum class LockClassId : uint32_t {};
enum class NodeId : uint32_t {};
constexpr uint32_t Index(LockClassId id) { return static_cast<uint32_t>(id); }
constexpr uint32_t Index(NodeId id) { return static_cast<uint32_t>(id); }
constexpr NodeId NodeOf(LockClassId id, int subclass) {
  return NodeId{Index(id) * kSubclasses + static_cast<uint32_t>(subclass)};
}
constexpr LockClassId ClassOf(NodeId node) { return LockClassId{Index(node) / kSubclasses}; }
constexpr int SubclassOf(NodeId node) { return static_cast<int>(Index(node) % kSubclasses); }

// How a lock is acquired. kShared blocks behind a queued writer; kSharedRecursive does not (so a cycle through it
// is a deadlock only if another edge of the cycle closes it; Documentation of the kernel's lockdep-design calls it type 2).
enum class Mode : uint8_t { kExclusive = 0, kShared = 1, kSharedRecursive = 2 };
const char* ModeName(Mode mode);

struct LockClassOptions {
  // Same-class locks may nest when order_key ascends strictly (folios of one mapping by index, inodes by number).
  bool ordered_by_key = false;
  // A spinlock: nothing that sleeps may be acquired while it is held.
  bool spins = false;
  // An event that is waited for (writeback, completion, counter drain): checked like an acquisition, never held.
  bool is_event = false;

  friend bool operator==(const LockClassOptions& a, const LockClassOptions& b) {
    return a.ordered_by_key == b.ordered_by_key && a.spins == b.spins && a.is_event == b.is_event;
  }
};

struct LockClass {
  std::string name;
  LockClassOptions options;
};

class LockClassTable {
 public:
  LockClassTable() = default;
  ~LockClassTable();
  LockClassTable(const LockClassTable&) = delete;
  LockClassTable& operator=(const LockClassTable&) = delete;

  // The id of `name`; the first registration fixes the options (a second one with other options is an LD_CHECK).
  LockClassId Register(absl::string_view name, LockClassOptions options = {});
  const LockClass& at(LockClassId id) const {
    const uint32_t chunk = ChunkOf(Index(id));
    return chunks_[chunk].load(std::memory_order_acquire)[Index(id) - FirstOf(chunk)];  // pairs with Register
  }
  uint32_t size() const { return size_; }
  // "name" or "name/2".
  std::string NodeName(NodeId node) const;

 private:
  // Classes never move: chunk k holds 64 << k of them and is allocated when the first of them is registered.
  static constexpr uint32_t kChunks = 24;
  static constexpr uint32_t kFirstChunk = 64;
  static constexpr uint32_t ChunkOf(uint32_t index) {
    return static_cast<uint32_t>(std::bit_width(index / kFirstChunk + 1)) - 1;
  }
  static constexpr uint32_t FirstOf(uint32_t chunk) { return kFirstChunk * ((1u << chunk) - 1); }

  std::array<std::atomic<LockClass*>, kChunks> chunks_{};
  uint32_t size_ = 0;
  absl::flat_hash_map<std::string, LockClassId> by_name_;
};

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_GRAPH_LOCK_CLASS_H_
