// The chain key: names one exact sequence of held locks, with everything that a verdict depends on.
//
// Thread-safety: pure functions. Cost: one multiply. Test vectors are in chain_cache_test.cc.
// Example:       key = MixChainKey(key, ChainWord(node, mode, trylock, ordered));
#ifndef ORDEAL_LOCKDEP_GRAPH_CHAIN_KEY_H_
#define ORDEAL_LOCKDEP_GRAPH_CHAIN_KEY_H_

#include <cstdint>

#include "lockdep/graph/lock_class.h"

namespace ordeal::lockdep {

inline constexpr uint64_t kEmptyChainKey = 0x243f6a8885a308d3u;

// The kernel leaves trylock, nesting and comparison out of its key and so misses violations (cached chains, FN-2 and FN-3
// of the validator survey); here they are in. `ordered` says: a same-class order key was given and ascends.
constexpr uint64_t ChainWord(NodeId node, Mode mode, bool trylock, bool ordered) {
  return (static_cast<uint64_t>(Index(node)) << 8) | (static_cast<uint64_t>(mode) << 2) |
         (static_cast<uint64_t>(trylock) << 1) | static_cast<uint64_t>(ordered);
}
constexpr uint64_t MixChainKey(uint64_t key, uint64_t word) {
  key = (key ^ word) * 0x9fb21c651e98df25u;
  return key ^ (key >> 32);
}

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_GRAPH_CHAIN_KEY_H_
