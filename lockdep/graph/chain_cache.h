// The chains (exact held-lock sequences) that have been judged, and the last run each was seen in.
//
// Open addressing, power-of-two size, key 0 is empty. Readers are lock-free: a reader that misses an entry being inserted
// or sees an old table takes the slow path, which is correct, only slower.
// Thread-safety: SeenIn: any thread. Insert, MarkSeen: under the validator's mutex.
// Invariants:    size() <= capacity / 2; entries are never removed; a replaced table is kept until destruction.
// Cost:          SeenIn: one expected cache line.
// Example:       if (!chains.SeenIn(key, run)) { ...judge...; chains.MarkSeen(key, run); }
#ifndef ORDEAL_LOCKDEP_GRAPH_CHAIN_CACHE_H_
#define ORDEAL_LOCKDEP_GRAPH_CHAIN_CACHE_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

namespace ordeal::lockdep {

class ChainCache {
 public:
  explicit ChainCache(uint32_t capacity = 4096);  // rounded up to a power of two

  bool SeenIn(uint64_t key, uint32_t run) const {
    const Table* table = table_.load(std::memory_order_acquire);  // pairs with the store in Grow
    for (uint64_t slot = key & table->mask;; slot = (slot + 1) & table->mask) {
      const uint64_t found = table->entries[slot].key.load(std::memory_order_acquire);  // pairs with MarkSeen
      if (found == key) return table->entries[slot].run.load(std::memory_order_relaxed) == run;
      if (found == 0) return false;
    }
  }
  // True if any run has seen it.
  bool Known(uint64_t key) const;
  void MarkSeen(uint64_t key, uint32_t run);
  uint64_t size() const { return size_; }

 private:
  struct Entry {
    std::atomic<uint64_t> key{0};
    std::atomic<uint32_t> run{0};
  };
  struct Table {
    explicit Table(uint64_t capacity) : mask(capacity - 1), entries(new Entry[capacity]) {}
    uint64_t mask;
    std::unique_ptr<Entry[]> entries;
  };
  void Grow();

  std::vector<std::unique_ptr<Table>> tables_;
  std::atomic<const Table*> table_;
  uint64_t size_ = 0;
};

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_GRAPH_CHAIN_CACHE_H_
