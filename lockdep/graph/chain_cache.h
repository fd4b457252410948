// The chains (exact held-lock sequences) that have been judged, and the last run each was seen in.
//
// Open addressing, power-of-two size, key 0 is empty. Readers are lock-free: a reader that misses an entry being inserted
// or sees an old table takes the slow path, which is correct, only slower.
// Thread-safety: Touch: any thread. Insert, ForEachSeenIn: under the validator's mutex.
// Invariants:    size() <= capacity / 2; entries are never removed; a replaced table is kept until destruction.
// Cost:          Touch: one expected cache line.
// Example:       if (!chains.Touch(key, run, true)) { ...judge...; chains.Insert(key, run, record, false); }
#ifndef ORDEAL_LOCKDEP_GRAPH_CHAIN_CACHE_H_
#define ORDEAL_LOCKDEP_GRAPH_CHAIN_CACHE_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/functional/function_ref.h"

namespace ordeal::lockdep {

class ChainCache {
 public:
  explicit ChainCache(uint32_t capacity = 4096);  // rounded up to a power of two

  // True if `key` was seen in `run`. A chain known from another run is marked as seen now, and so seen, if `any_run` and if
  // it breaks no rule by itself.
  bool Touch(uint64_t key, uint32_t run, bool any_run) {
    const Table* table = table_.load(std::memory_order_acquire);  // pairs with the store in Grow
    for (uint64_t slot = key & table->mask;; slot = (slot + 1) & table->mask) {
      Entry& entry = table->entries[slot];
      const uint64_t found = entry.key.load(std::memory_order_acquire);  // pairs with Insert
      if (found == key) {
        if (entry.run.load(std::memory_order_relaxed) == run) return true;
        if (!any_run || entry.illegal) return false;
        entry.run.store(run, std::memory_order_relaxed);
        return true;
      }
      if (found == 0) return false;
    }
  }
  // Adds `key`, or marks a known one as seen in `run`; false if it was known. `record` is the caller's name for the chain.
  // `illegal`: it breaks a rule by itself, so each run must judge it anew.
  bool Insert(uint64_t key, uint32_t run, uint32_t record, bool illegal);
  // Calls visit(record) for each chain seen in `run`, in an order that means nothing.
  void ForEachSeenIn(uint32_t run, absl::FunctionRef<void(uint32_t)> visit) const;
  uint64_t size() const { return size_; }
  size_t MemoryBytes() const;

 private:
  struct Entry {
    std::atomic<uint64_t> key{0};
    std::atomic<uint32_t> run{0};
    uint32_t record = 0;
    bool illegal = false;
  };
  struct Table {
    explicit Table(uint64_t capacity) : mask(capacity - 1), entries(new Entry[capacity]) {}
    uint64_t mask;
    std::unique_ptr<Entry[]> entries;
  };
  static Entry& Slot(const Table& table, uint64_t key);
  void Grow();

  std::vector<std::unique_ptr<Table>> tables_;
  std::atomic<const Table*> table_;
  uint64_t size_ = 0;
};

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_GRAPH_CHAIN_CACHE_H_
