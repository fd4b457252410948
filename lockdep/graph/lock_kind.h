// A lock kind: which modes a lock can be held in, which of them go together, and who queues behind waiters. One table says
// all that the order rules need to know, so a new kind (a DLM, SIX locks, two-state locks) is a table, not code.
//
// An acquirer in mode `a` can be made to wait by a holder in mode `h` if the two conflict, or if it queues behind a waiter
// that conflicts with `h`. Modes that the same holders can make wait are one *acquirer group*: in the
// dependency graph each group of a class is a node of its own, and a lock held in `h` leads on from the groups it blocks.
// For mutexes and reader/writer locks the graph has the same built in (Mode; dependency_graph.cc).
//
// Thread-safety: immutable. Invariants: at most 8 modes; the matrix is symmetric; tables live for ever.
// Example:
//   validator.RegisterClass("btree", {.kind = &kSixLock});
//   validator.AcquireMode(task, map, kSixIntent, {.site = Site::Here()});
#ifndef ORDEAL_LOCKDEP_GRAPH_LOCK_KIND_H_
#define ORDEAL_LOCKDEP_GRAPH_LOCK_KIND_H_

#include <array>
#include <cstdint>

namespace ordeal::lockdep {

inline constexpr int kLockModes = 8;

struct LockKind {
  const char* name = "";
  int modes = 0;
  std::array<const char*, kLockModes> mode_names{};
  std::array<uint8_t, kLockModes> conflicts{};      // by mode: the modes it does not go together with
  std::array<uint8_t, kLockModes> queues_behind{};  // by mode: the waiting modes that such an acquirer waits behind

  // The holder modes that can make an acquirer in `mode` wait.
  uint8_t BlockersOf(int mode) const;
  // The acquirer group of `mode`: the smallest mode with the same blockers.
  int GroupOf(int mode) const;
  // Crashes unless the table is symmetric and complete.
  void CheckInvariants() const;
};

// Shared, intent, exclusive (bcachefs): readers go with one intender; an intender keeps others from intending; a writer, who
// always holds intent as well, excludes readers, and readers wait behind a waiting writer.
inline constexpr int kSixShared = 0, kSixIntent = 1, kSixExclusive = 2;
extern const LockKind kSixLock;
// Any number of holders of one state, none of the other (bcachefs' pagecache_add_lock / block).
inline constexpr int kTwoStateAdd = 0, kTwoStateBlock = 1;
extern const LockKind kTwoStateLock;
// The six modes of the VMS distributed lock manager; requests queue.
inline constexpr int kDlmNull = 0, kDlmConcurrentRead = 1, kDlmConcurrentWrite = 2, kDlmProtectedRead = 3,
                     kDlmProtectedWrite = 4, kDlmExclusive = 5;
extern const LockKind kDlmLock;
// GFS2's glock: shared, deferred (direct I/O) and exclusive.
inline constexpr int kGlockShared = 0, kGlockDeferred = 1, kGlockExclusive = 2;
extern const LockKind kGlock;

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_GRAPH_LOCK_KIND_H_
