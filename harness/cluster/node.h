// The names of a cluster's parts. Thread-safety: plain values.
// Invariants:    nodes are numbered from 1, as in reports ("node 1"); a mode is one of lockdep's kDlm* numbers, the names of
//                lockdep::kDlmLock's rows, which is the only table of what goes together.
// Example:       if (Conflicts(lockdep::kDlmProtectedRead, blocking_mode)) ...
#ifndef ORDEAL_HARNESS_CLUSTER_NODE_H_
#define ORDEAL_HARNESS_CLUSTER_NODE_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "lockdep/graph/lock_kind.h"

namespace ordeal {

inline constexpr int kNodesMax = 4;

// A node of one cluster, from 1.
enum class NodeId : uint8_t {};
inline constexpr NodeId kNoNode{0};
constexpr size_t Index(NodeId node) { return static_cast<size_t>(node); }
// One element a node; element 0 is of nobody.
template <typename T>
using PerNode = std::array<T, kNodesMax + 1>;

// A lock resource of one Dlm, by creation ordinal.
enum class ResourceId : uint16_t {};
constexpr size_t Index(ResourceId resource) { return static_cast<size_t>(resource); }

using DlmMode = int;  // lockdep::kDlmNull ... kDlmExclusive
inline constexpr DlmMode kNoDlmMode = -1;  // no lock at all, not even kDlmNull

constexpr bool Conflicts(const lockdep::LockKind& kind, int a, int b) {
  return (kind.conflicts[static_cast<size_t>(a)] >> b & 1) != 0;
}
// Two nodes cannot have the resource in these modes at once. kNoDlmMode goes together with everything.
inline bool Conflicts(DlmMode a, DlmMode b) {
  return a != kNoDlmMode && b != kNoDlmMode && Conflicts(lockdep::kDlmLock, a, b);
}
// Whoever has `granted` may do all that `wanted` allows: what conflicts with `wanted` conflicts with `granted`.
inline bool Covers(DlmMode granted, DlmMode wanted) {
  if (granted == kNoDlmMode || wanted == kNoDlmMode) return granted == wanted || wanted == kNoDlmMode;
  const auto& conflicts = lockdep::kDlmLock.conflicts;
  return (conflicts[static_cast<size_t>(wanted)] & ~conflicts[static_cast<size_t>(granted)]) == 0;
}
// The strongest of NL, PR and EX that goes together with `blocking`: what a node gives a lock down to.
inline DlmMode HighestCompatible(DlmMode blocking) {
  for (const DlmMode mode : {lockdep::kDlmExclusive, lockdep::kDlmProtectedRead}) {
    if (!Conflicts(mode, blocking)) return mode;
  }
  return lockdep::kDlmNull;
}
const char* DlmModeName(DlmMode mode);  // "PR"; "none"

// How a request ended.
enum class DlmStatus : uint8_t {
  kGranted,
  kAgain,     // a request that does not queue (trylock) would have had to wait
  kDeadlock,  // a conversion that could never be granted: another node's conversion waits for what this node holds
  kCanceled,  // Dlm::Cancel was in time
  kUnlocked,
};
const char* DlmStatusName(DlmStatus status);

// What the holders of a resource tell each other through it: a file system's i_size, generation, quota counts.
inline constexpr int kLvbWords = 4;
using Lvb = std::array<uint64_t, kLvbWords>;

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_CLUSTER_NODE_H_
