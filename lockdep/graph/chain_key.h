// The chain key: names one exact sequence of held locks, with everything that a verdict depends on.
//
// A chain word describes one acquisition: node, mode, how it was taken and the interrupt state it was taken in. The kernel
// leaves trylock, nesting and comparison out of its key and so misses violations (FN-2 and FN-3 of the validator survey);
// it also marks interrupt usage at each acquisition, which is not needed when the state is part of the key.
//
// Thread-safety: pure functions. Cost: one multiply. Test vectors are in chain_cache_test.cc.
// Example:       key = MixChainKey(key, ChainWord(node, mode) | kTrylock | context);
#ifndef ORDEAL_LOCKDEP_GRAPH_CHAIN_KEY_H_
#define ORDEAL_LOCKDEP_GRAPH_CHAIN_KEY_H_

#include <cstdint>

#include "lockdep/graph/lock_class.h"

namespace ordeal::lockdep {

inline constexpr uint64_t kEmptyChainKey = 0x243f6a8885a308d3u;

// Bits of a chain word. 0..1: the mode. 32..63: the node.
inline constexpr uint64_t kTrylock = 1u << 2;
inline constexpr uint64_t kOrdered = 1u << 3;      // a same-class order was given and holds
inline constexpr uint64_t kNested = 1u << 4;       // under a nest lock that is held
inline constexpr uint64_t kUnchecked = 1u << 5;    // tracked only
inline constexpr uint64_t kSync = 1u << 6;         // waits for all holders, holds nothing
inline constexpr uint64_t kOwed = 1u << 7;         // an event that this context will trigger; nothing waited for it
// The state of the task at the acquisition.
inline constexpr uint64_t kInHardirq = 1u << 8;
inline constexpr uint64_t kInSoftirq = 1u << 9;
inline constexpr uint64_t kHardirqsOn = 1u << 10;
inline constexpr uint64_t kSoftirqsOn = 1u << 11;
inline constexpr uint64_t kInReclaim = 1u << 12;
inline constexpr uint64_t kThreadedIrq = 1u << 13;  // the hard interrupt may be forced into a thread
inline constexpr int kLockModeShift = 16;  // 16..18: the mode of a class with a LockKind
inline constexpr uint64_t kIrqContext = kInHardirq | kInSoftirq;  // locks of different ones are separate chains

constexpr uint64_t ChainWord(NodeId node, Mode mode) {
  return (static_cast<uint64_t>(Index(node)) << 32) | static_cast<uint64_t>(mode);
}
constexpr NodeId NodeOfWord(uint64_t word) { return NodeId{static_cast<uint32_t>(word >> 32)}; }
constexpr Mode ModeOfWord(uint64_t word) { return static_cast<Mode>(word & 3); }
constexpr int LockModeOfWord(uint64_t word) { return static_cast<int>((word >> kLockModeShift) & 7); }
constexpr uint64_t MixChainKey(uint64_t key, uint64_t word) {
  key = (key ^ word) * 0x9fb21c651e98df25u;
  return key ^ (key >> 32);
}

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_GRAPH_CHAIN_KEY_H_
