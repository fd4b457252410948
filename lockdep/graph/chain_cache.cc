#include "lockdep/graph/chain_cache.h"

#include <bit>

namespace ordeal::lockdep {

ChainCache::ChainCache(uint32_t capacity) {
  tables_.push_back(std::make_unique<Table>(std::bit_ceil(uint64_t{capacity < 16 ? 16 : capacity})));
  table_.store(tables_.back().get(), std::memory_order_release);
}

// The slot of `key`, or the empty one where it belongs.
ChainCache::Entry& ChainCache::Slot(const Table& table, uint64_t key) {
  uint64_t slot = key & table.mask;
  while (true) {
    const uint64_t found = table.entries[slot].key.load(std::memory_order_relaxed);
    if (found == key || found == 0) return table.entries[slot];
    slot = (slot + 1) & table.mask;
  }
}

bool ChainCache::Insert(uint64_t key, uint32_t run, uint32_t record, bool illegal) {
  if ((size_ + 1) * 2 > tables_.back()->mask + 1) Grow();
  Entry& entry = Slot(*tables_.back(), key);
  entry.run.store(run, std::memory_order_relaxed);
  if (entry.key.load(std::memory_order_relaxed) == key) return false;
  entry.record = record;
  entry.illegal = illegal;
  entry.key.store(key, std::memory_order_release);  // pairs with Touch: run is set before the key shows
  ++size_;
  return true;
}

void ChainCache::ForEachSeenIn(uint32_t run, absl::FunctionRef<void(uint32_t)> visit) const {
  const Table& table = *tables_.back();
  for (uint64_t slot = 0; slot <= table.mask; ++slot) {
    const Entry& entry = table.entries[slot];
    if (entry.key.load(std::memory_order_relaxed) == 0) continue;
    if (entry.run.load(std::memory_order_relaxed) == run) visit(entry.record);
  }
}

size_t ChainCache::MemoryBytes() const {
  size_t bytes = 0;
  for (const auto& table : tables_) bytes += (table->mask + 1) * sizeof(Entry);
  return bytes;
}

// A run mark that another thread sets in the old table meanwhile is lost: that chain is judged once more.
void ChainCache::Grow() {
  const Table& old = *tables_.back();
  auto grown = std::make_unique<Table>((old.mask + 1) * 2);
  for (uint64_t slot = 0; slot <= old.mask; ++slot) {
    const Entry& from = old.entries[slot];
    const uint64_t key = from.key.load(std::memory_order_relaxed);
    if (key == 0) continue;
    Entry& to = Slot(*grown, key);
    to.run.store(from.run.load(std::memory_order_relaxed), std::memory_order_relaxed);
    to.record = from.record;
    to.illegal = from.illegal;
    to.key.store(key, std::memory_order_relaxed);
  }
  tables_.push_back(std::move(grown));
  table_.store(tables_.back().get(), std::memory_order_release);  // pairs with Touch
}

}  // namespace ordeal::lockdep
