// Lock address -> what is known of the lock, for locks that have no room for a tag (spinlocks, semaphores, shared and robust
// mutexes).
//
// Open addressing in 64 shards. Readers take no lock and write nothing; a reader that races with a change misses, and the
// caller then asks again under the registry's lock. A slot is one word: the entry's pointer and 16 bits of the key's hash.
// Thread-safety: Find: any thread, beside everything. Insert, Erase: under the caller's lock.
// Invariants:    entries are never freed, so a slot that a reader saw before it was cleared is still safe to look into; a
//                table that was outgrown or rebuilt is kept and used again for the next rebuild of its size.
// Cost:          Find: one multiply and, expected, two cache lines.
// Example:       table.Insert(&lock, entry);   table.Find(&lock) == entry
#ifndef ORDEAL_LOCKDEP_PRELOAD_ADDRESS_TABLE_H_
#define ORDEAL_LOCKDEP_PRELOAD_ADDRESS_TABLE_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace ordeal::lockdep {

// The part of an entry that the table reads.
struct Addressed {
  std::atomic<const void*> address{nullptr};  // null: belongs to no lock now
};

class AddressTable {
 public:
  AddressTable();
  ~AddressTable();  // nobody looks any more
  AddressTable(const AddressTable&) = delete;
  AddressTable& operator=(const AddressTable&) = delete;

  Addressed* Find(const void* address) const {
    const uint64_t hash = HashOf(address);
    const Table* table = shards_[hash >> 58].table.load(std::memory_order_acquire);  // pairs with Insert and Rebuild
    for (uint64_t slot = hash & table->mask, probes = 0; probes <= table->mask; slot = (slot + 1) & table->mask, ++probes) {
      const uint64_t word = table->slots[slot].load(std::memory_order_acquire);  // pairs with Insert
      if (word == kFree) return nullptr;
      if ((word >> 48) != TagOf(hash) || word == kErased) continue;
      Addressed* entry = reinterpret_cast<Addressed*>(word & kPointer);
      if (entry->address.load(std::memory_order_acquire) == address) return entry;
    }
    return nullptr;
  }
  // entry->address must be set to the address, which is not in the table.
  void Insert(Addressed* entry);
  void Erase(const void* address);
  size_t size() const;

 private:
  static constexpr uint64_t kFree = 0;
  static constexpr uint64_t kErased = 1;
  static constexpr uint64_t kPointer = (uint64_t{1} << 48) - 1;
  static constexpr int kShards = 64;

  struct Table {
    uint64_t mask;
    std::atomic<uint64_t>* slots;
    Table* spare;  // next in the shard's list of tables out of use
  };
  struct alignas(64) Shard {
    std::atomic<Table*> table;
    uint64_t used = 0;    // slots that are not free, erased ones among them
    uint64_t erased = 0;
    Table* spares = nullptr;
  };

  static uint64_t HashOf(const void* address) {
    uint64_t hash = (reinterpret_cast<uintptr_t>(address) >> 2) * 0x9fb21c651e98df25u;
    return hash ^ (hash >> 29);
  }
  static uint64_t TagOf(uint64_t hash) { return (hash >> 40) & 0xffff; }
  static Table* NewTable(Shard& shard, uint64_t capacity);
  static void Put(Table& table, uint64_t hash, Addressed* entry, Shard& shard);
  static void Rebuild(Shard& shard);

  std::array<Shard, kShards> shards_;
};

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_PRELOAD_ADDRESS_TABLE_H_
