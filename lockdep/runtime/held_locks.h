// Helpers over a task's held locks that several parts of the validator share.
//
// Thread-safety: pure functions.
// Example:  for (size_t i = FirstOfIrqContext(task.held(), word); i < task.held().size(); ++i) ...
#ifndef ORDEAL_LOCKDEP_RUNTIME_HELD_LOCKS_H_
#define ORDEAL_LOCKDEP_RUNTIME_HELD_LOCKS_H_

#include <cstddef>
#include <cstdint>

#include "lockdep/graph/chain_key.h"
#include "lockdep/runtime/task_context.h"

namespace ordeal::lockdep {

constexpr bool SameIrqContext(uint64_t word, uint64_t other) { return ((word ^ other) & kIrqContext) == 0; }

// Index of the oldest lock of the newest unbroken stretch that was taken in the interrupt context of `word`.
inline size_t FirstOfIrqContext(const HeldStack& held, uint64_t word) {
  size_t first = held.size();
  while (first > 0 && SameIrqContext(held[first - 1].word, word)) --first;
  return first;
}

// The key after `word` is taken on top of `below` (null: nothing). Locks that only repeat one nesting do not change it, so
// that a loop over many instances under one nest lock is one chain.
constexpr uint64_t KeyAfter(uint64_t key, const HeldLock* below, uint64_t word) {
  if (below != nullptr && (word & kNested) != 0 && below->word == word) return key;
  return MixChainKey(key, word);
}

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_RUNTIME_HELD_LOCKS_H_
