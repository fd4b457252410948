// Lock classes: what the validator reasons about. All locks with one role (every inode's i_rwsem) are one class; a class
// has up to 8 subclasses for locks of that role taken one inside the other; a class x subclass is a node of the graph.
//
// Thread-safety: LockClassTable: Register is serialised by the validator; at() may run beside it, for ids that it returned.
// Invariants:    ids are dense and in order of registration; NodeOf is a bijection; a name is registered once.
// Example:
//   const LockClassId inode = classes.Register("i_rwsem", {.inner = WaitType::kSleep});
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

// The context in which a lock may be taken (outer) and which holding it creates (inner), from loose to strict: what sleeps
// may not be taken where spinning is all that is allowed. kConfig is a lock that sleeps on a fully preemptible kernel.
// Source: the kernel's wait-type rules (include/linux/lockdep_types.h).
enum class WaitType : uint8_t { kUnchecked = 0, kFree = 1, kSpin = 2, kConfig = 3, kSleep = 4 };

struct LockKind;
struct LockMap;

// < 0 if `next` may be taken while `held`, of the same class, is held.
using LockCompare = int (*)(const LockMap& held, const LockMap& next);

struct LockClassOptions {
  // Same-class locks may nest when order_key ascends strictly (folios of one mapping by index, inodes by number).
  bool ordered_by_key = false;
  // An event that is waited for (writeback, completion, counter drain): checked like an acquisition.
  bool is_event = false;
  // Tracked as held, but no order, recursion or usage rule applies (wait types, balance and nest rules do).
  bool no_validate = false;
  // Locks of this class may nest in any order; orders against other classes are still judged.
  bool no_check_recursion = false;
  // A lock that only the own CPU takes: interrupts cannot invert it, so usage searches do not pass through it.
  bool per_cpu = false;
  // Not a lock: replaces the wait context of all that is held below it.
  bool wait_override = false;
  WaitType inner = WaitType::kSleep;      // kConfig: a spinlock, kSpin: a raw one
  WaitType outer = WaitType::kUnchecked;  // kUnchecked: as inner
  LockCompare compare = nullptr;          // orders the class's instances; asked beside ordered_by_key
  const LockKind* kind = nullptr;         // null: a mutex or reader/writer lock (Mode); else Validator::AcquireMode

  bool spins() const { return inner == WaitType::kConfig || inner == WaitType::kSpin; }
  bool ordered() const { return ordered_by_key || compare != nullptr; }
  friend bool operator==(const LockClassOptions&, const LockClassOptions&) = default;
};

struct LockClass {
  std::string name;
  LockClassOptions options;
  uint64_t key = 0;          // of a class registered by key; 0: registered by name
  int version = 1;           // same name, another key: "name#2"
  bool unregistered = false;  // its key is gone; the id is never used again
  // Of a class with a kind: the first of the classes that stand for its acquirer groups, in order of the modes.
  LockClassId first_group{};
};

class LockClassTable {
 public:
  LockClassTable() = default;
  ~LockClassTable();
  LockClassTable(const LockClassTable&) = delete;
  LockClassTable& operator=(const LockClassTable&) = delete;

  // The id of `name`; the first registration fixes the options (a second one with other options is an LD_CHECK).
  LockClassId Register(absl::string_view name, LockClassOptions options = {});
  // The class of `key` (not 0). Classes of different keys may share a name; later ones are shown as "name#2", "name#3".
  LockClassId RegisterKey(uint64_t key, absl::string_view name, LockClassOptions options = {});
  // Forgets the key: registering it again makes a new class.
  void Unregister(LockClassId id);
  const LockClass& at(LockClassId id) const {
    const uint32_t chunk = ChunkOf(Index(id));
    return chunks_[chunk].load(std::memory_order_acquire)[Index(id) - FirstOf(chunk)];  // pairs with Register
  }
  uint32_t size() const { return size_; }
  size_t MemoryBytes() const;
  // The node that stands for the acquirers of `mode` at a node of a class with a kind.
  NodeId GroupNode(NodeId node, int mode) const;
  // "name", "name/2" (subclass), "name#3/2" (third key of that name).
  std::string NodeName(NodeId node) const;

 private:
  // Classes never move: chunk k holds 64 << k of them and is allocated when the first of them is registered.
  static constexpr uint32_t kChunks = 24;
  static constexpr uint32_t kFirstChunk = 64;
  static constexpr uint32_t ChunkOf(uint32_t index) {
    return static_cast<uint32_t>(std::bit_width(index / kFirstChunk + 1)) - 1;
  }
  static constexpr uint32_t FirstOf(uint32_t chunk) { return kFirstChunk * ((1u << chunk) - 1); }
  LockClassId Append(LockClass lock_class);
  void AppendGroups(LockClassId id);

  std::array<std::atomic<LockClass*>, kChunks> chunks_{};
  uint32_t size_ = 0;
  absl::flat_hash_map<std::string, LockClassId> by_name_;
  absl::flat_hash_map<uint64_t, LockClassId> by_key_;
  absl::flat_hash_map<std::string, int> versions_;  // classes of each name so far
};

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_GRAPH_LOCK_CLASS_H_
