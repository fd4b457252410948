// In which order instances of one class were taken inside each other.
//
// A class by creation site says little about nesting: programs lock two accounts, a parent and its child, a list and its
// element, all made at one place, and nothing tells the interposer which orders are meant. Reporting every such nesting (as
// the kernel does, where classes are annotated) would bury the real findings; so a nesting is judged by its instances, and is
// reported only if it contradicts another: a inside b here, b inside a (or b inside c inside a) there.
//
// Thread-safety: any thread; one lock, taken only for nestings within one class.
// Invariants:    instances are named by ordinals that are never used again.
// Cost:          Add: a hash look-up if the pair is known, else a search of the class's nested instances.
// Example:       order.Add(1, 2);  order.Add(2, 3);  order.Add(3, 1) == false
#ifndef ORDEAL_LOCKDEP_PRELOAD_NESTING_ORDER_H_
#define ORDEAL_LOCKDEP_PRELOAD_NESTING_ORDER_H_

#include <cstdint>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "lockdep/preload/raw_lock.h"

namespace ordeal::lockdep {

class NestingOrder {
 public:
  // `inner` is taken while `outer` is held. False if the contrary is known, directly or through others; then nothing is added.
  bool Add(uint64_t outer, uint64_t inner);
  // The instance exists no more.
  void Remove(uint64_t instance);
  size_t size() const { return inner_of_.size(); }

  // Around fork.
  void Lock() { lock_.Lock(); }
  void Unlock() { lock_.Unlock(); }

 private:
  struct Instance {
    std::vector<uint64_t> inner;  // taken while this one was held; may name removed ones
    size_t prune_at = 16;
  };
  bool Reaches(uint64_t from, uint64_t to) const;
  void Prune(Instance& instance);

  mutable RawLock lock_;
  absl::flat_hash_map<uint64_t, Instance> inner_of_;
};

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_PRELOAD_NESTING_ORDER_H_
