#include "lockdep/preload/address_table.h"

namespace ordeal::lockdep {
namespace {

constexpr uint64_t kFirstCapacity = 16;

}  // namespace

AddressTable::AddressTable() {
  for (Shard& shard : shards_) shard.table.store(NewTable(shard, kFirstCapacity), std::memory_order_release);
}

AddressTable::~AddressTable() {
  for (Shard& shard : shards_) {
    Table* table = shard.table.load(std::memory_order_relaxed);
    table->spare = shard.spares;
    while (table != nullptr) {
      Table* next = table->spare;
      delete[] table->slots;
      delete table;
      table = next;
    }
  }
}

AddressTable::Table* AddressTable::NewTable(Shard& shard, uint64_t capacity) {
  for (Table** link = &shard.spares; *link != nullptr; link = &(*link)->spare) {
    Table* table = *link;
    if (table->mask + 1 != capacity) continue;
    *link = table->spare;
    for (uint64_t i = 0; i < capacity; ++i) table->slots[i].store(kFree, std::memory_order_relaxed);
    return table;
  }
  auto* table = new Table{capacity - 1, new std::atomic<uint64_t>[capacity], nullptr};
  for (uint64_t i = 0; i < capacity; ++i) table->slots[i].store(kFree, std::memory_order_relaxed);
  return table;
}

void AddressTable::Put(Table& table, uint64_t hash, Addressed* entry, Shard& shard) {
  const uint64_t word = (TagOf(hash) << 48) | reinterpret_cast<uintptr_t>(entry);
  for (uint64_t slot = hash & table.mask;; slot = (slot + 1) & table.mask) {
    const uint64_t found = table.slots[slot].load(std::memory_order_relaxed);
    if (found != kFree && found != kErased) continue;
    if (found == kErased) {
      --shard.erased;
    } else {
      ++shard.used;
    }
    table.slots[slot].store(word, std::memory_order_release);
    return;
  }
}

// At least half of the new table is free.
void AddressTable::Rebuild(Shard& shard) {
  Table* old = shard.table.load(std::memory_order_relaxed);
  const uint64_t live = shard.used - shard.erased;
  const uint64_t capacity = live * 4 > old->mask + 1 ? (old->mask + 1) * 2 : old->mask + 1;
  Table* table = NewTable(shard, capacity);
  shard.used = 0;
  shard.erased = 0;
  for (uint64_t i = 0; i <= old->mask; ++i) {
    const uint64_t word = old->slots[i].load(std::memory_order_relaxed);
    if (word == kFree || word == kErased) continue;
    auto* entry = reinterpret_cast<Addressed*>(word & kPointer);
    Put(*table, HashOf(entry->address.load(std::memory_order_relaxed)), entry, shard);
  }
  shard.table.store(table, std::memory_order_release);
  old->spare = shard.spares;
  shard.spares = old;
}

void AddressTable::Insert(Addressed* entry) {
  const uint64_t hash = HashOf(entry->address.load(std::memory_order_relaxed));
  Shard& shard = shards_[hash >> 58];
  const Table* table = shard.table.load(std::memory_order_relaxed);
  if ((shard.used + 1) * 4 > (table->mask + 1) * 3) Rebuild(shard);
  Put(*shard.table.load(std::memory_order_relaxed), hash, entry, shard);
}

void AddressTable::Erase(const void* address) {
  const uint64_t hash = HashOf(address);
  Shard& shard = shards_[hash >> 58];
  Table& table = *shard.table.load(std::memory_order_relaxed);
  for (uint64_t slot = hash & table.mask, probes = 0; probes <= table.mask; slot = (slot + 1) & table.mask, ++probes) {
    const uint64_t word = table.slots[slot].load(std::memory_order_relaxed);
    if (word == kFree) return;
    if (word == kErased) continue;
    const auto* entry = reinterpret_cast<const Addressed*>(word & kPointer);
    if (entry->address.load(std::memory_order_relaxed) != address) continue;
    table.slots[slot].store(kErased, std::memory_order_release);
    ++shard.erased;
    return;
  }
}

size_t AddressTable::size() const {
  size_t size = 0;
  for (const Shard& shard : shards_) size += shard.used - shard.erased;
  return size;
}

}  // namespace ordeal::lockdep
