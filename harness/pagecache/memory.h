// The memory pool: a fixed number of folios with watermarks. An allocation below the low watermark wakes kswapd; one that
// finds nothing free reclaims by itself (direct reclaim), if its Gfp allows. With the fault kMemoryPressure a pool that is not
// low does both. The nodes of a cluster share the count of folios, but each has a kswapd and reclaims what is its own.
//
// Thread-safety: tasks of one simulation.
// Invariants:    a folio in use has refs > 0; the LRU list holds the folios of page trees, oldest first.
// Cost:          allocation constructs a Folio in place; no heap.
// Example:       Folio* folio = world.memory().Allocate(mapping, index, Gfp::kKernel); if (folio == nullptr) -> ENOMEM
#ifndef ORDEAL_HARNESS_PAGECACHE_MEMORY_H_
#define ORDEAL_HARNESS_PAGECACHE_MEMORY_H_

#include <memory>
#include <optional>
#include <vector>

#include "harness/pagecache/inode.h"

namespace ordeal::pagecache {

enum class Gfp : uint8_t {
  kKernel,   // direct reclaim, retries a few times
  kNoFs,     // the same, without entering the file system (no inode eviction)
  kNoRetry,  // readahead: one attempt, without entering the file system
};

class World;

class Memory {
 public:
  explicit Memory(World& world) : world_(world) {}
  void Reset(uint32_t folios, bool with_kswapd);
  void Begin();  // spawns kswapd, if asked for

  // A folio with one reference, not yet in the page tree. Null: no memory (or the allocation fault).
  Folio* Allocate(AddressSpace& mapping, uint32_t index, Gfp gfp);
  void Get(Folio& folio) { ++folio.refs; }
  void Put(Folio& folio);

  void AddToLru(Folio& folio) { lru_.push_back(&folio); }
  void RemoveFromLru(Folio& folio);
  const std::vector<Folio*>& lru() const { return lru_; }
  uint32_t free_folios() const { return static_cast<uint32_t>(free_.size()); }
  uint32_t folios() const { return folios_; }
  bool low() const { return free_folios() < low_watermark_; }
  // Every folio in use, in order of slots.
  template <typename Visitor>
  void ForEach(Visitor visitor) const {
    for (const auto& slot : slots_) {
      if (slot->has_value() && !(*slot)->abandoned) visitor(**slot);
    }
  }
  // kNoTask: the node has none.
  TaskId kswapd(int node) const { return kswapds_[static_cast<size_t>(node)].task; }
  // The node's memory is gone: its folios belong to nobody, though the stacks of its tasks still point at them, and as many new
  // ones take their place. Nobody alive uses one, and no request either.
  void Abandon(int node);

 private:
  struct KswapdState {
    TaskId task = kNoTask;
    bool idle = false;
    bool pressed = false;  // it owes a round
  };

  void Kswapd(int node);
  void WakeKswapds();
  bool MayEnterFs() const;
  void Press(int node, bool enters_fs);
  bool ReclaimDirectly(int node, bool enters_fs);
  bool ReclaimOne(int node, bool enters_fs);
  bool WriteOne(int node);

  World& world_;
  uint32_t folios_ = 0;
  uint32_t low_watermark_ = 0;
  bool with_kswapd_ = false;
  std::vector<std::unique_ptr<std::optional<Folio>>> slots_;
  std::vector<uint32_t> free_;  // slots, a stack
  std::vector<Folio*> lru_;
  uint32_t allocated_total_ = 0;
  std::vector<KswapdState> kswapds_;  // by node
  ObjectId id_ = kNoObject;
};

}  // namespace ordeal::pagecache

#endif  // ORDEAL_HARNESS_PAGECACHE_MEMORY_H_
