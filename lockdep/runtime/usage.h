// In which contexts the locks of a node were taken, and whether those contexts could interrupt a holder.
//
// For each state (hard interrupt, soft interrupt, memory reclaim) a node is *used in* it (taken there) and *enabled* (held
// while that context could begin), each as reader or not. A lock that is both, or a path from a used-in node to an enabled
// one, can deadlock: the context begins on a CPU that holds the second lock and waits for the first.
// Source: the kernel's lockdep usage bits (kernel/locking/lockdep_states.h); reclaim had been a state before Linux 4.15.
//
// Thread-safety: none; the validator's mutex guards it.
// Example:
//   if (usage.Mark(node, MakeUsageBit(UsageState::kHardirq, false, reader), run, sighting)) ... first time in this run
#ifndef ORDEAL_LOCKDEP_RUNTIME_USAGE_H_
#define ORDEAL_LOCKDEP_RUNTIME_USAGE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "lockdep/graph/lock_class.h"
#include "lockdep/graph/site.h"

namespace ordeal::lockdep {

enum class UsageState : uint8_t { kHardirq = 0, kSoftirq = 1, kReclaim = 2 };

// bit 0: reader; bit 1: enabled (else used in); from bit 2: the state.
using UsageBit = uint8_t;
using UsageMask = uint16_t;
inline constexpr UsageBit kUsageBits = 12;
inline constexpr UsageBit kUsageReader = 1;
inline constexpr UsageBit kUsageEnabled = 2;
inline constexpr UsageMask kUsedInMask = 0x333;
inline constexpr UsageMask kEnabledMask = 0xccc;
inline constexpr UsageMask kReaderMask = 0xaaa;

constexpr UsageBit MakeUsageBit(UsageState state, bool enabled, bool reader) {
  return static_cast<UsageBit>(static_cast<unsigned>(state) * 4 + (enabled ? 2u : 0u) + (reader ? 1u : 0u));
}
constexpr UsageMask MaskOf(UsageBit bit) { return static_cast<UsageMask>(1u << bit); }
constexpr UsageState StateOf(UsageBit bit) { return static_cast<UsageState>(bit >> 2); }
// The bit of the other direction, without the reader flag: what conflicts with `bit` for sure.
constexpr UsageBit ExclusiveOf(UsageBit bit) {
  return static_cast<UsageBit>((bit ^ kUsageEnabled) & ~kUsageReader);
}
// "IN-HARDIRQ-W", "SOFTIRQ-ON-R", "IN-RECLAIM-W" ...
std::string UsageBitName(UsageBit bit);
// "hard", "hard,read", "soft", "reclaim" ...: the state as report kinds name it.
std::string UsageStateName(UsageBit bit);
// The four characters of the kernel's lock lines: hardirq write, hardirq read, softirq write, softirq read.
std::string UsageChars(UsageMask mask);

class UsageTable {
 public:
  struct Sighting {
    Site site;
    std::string task;
  };

  // Records `bit`; false if this run had it already.
  bool Mark(NodeId node, UsageBit bit, uint32_t run, const Site& site, const char* task);
  // Records that `run` saw `mask` of what earlier runs have seen.
  void MarkSeen(NodeId node, UsageMask mask, uint32_t run);
  UsageMask InRun(NodeId node, uint32_t run) const;
  UsageMask InAllRuns(NodeId node) const;
  // Where the node first got the bit. It must have it.
  const Sighting& First(NodeId node, UsageBit bit) const;
  size_t MemoryBytes() const;

 private:
  struct Node {
    UsageMask all = 0;
    UsageMask in_run = 0;
    uint32_t run = 0;
    std::vector<Sighting> first;  // by bit, up to the highest bit seen
  };
  std::vector<Node> nodes_;
};

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_RUNTIME_USAGE_H_
