// A finding: anything worth reporting about one run, as a value. A run that finds a deadlock succeeded.
//
// Thread-safety: plain value.
// Invariants:    signature is stable across runs, seeds and builds: it is the key of duplicate suppression and what a
// replay
//                must reproduce. It holds no step numbers, task ids or counts.
// Example:       if (result.finding) out << result.finding->summary;
#ifndef ORDEAL_HARNESS_SCENARIO_FINDING_H_
#define ORDEAL_HARNESS_SCENARIO_FINDING_H_

#include <cstdint>
#include <string>
#include <vector>

namespace ordeal {

enum class FindingKind : uint8_t {
  kDeadlock = 1,   // tasks really block on each other
  kLockOrder = 2,  // the validator's: a cycle or recursion of classes, whether or not it blocked this time
  kData = 3,       // the data oracle's: stale, lost, foreign or torn data
  kInvariant = 4,  // a structural invariant S1..S17
  kLivelock = 5,   // steps without progress
  kLeak = 6,       // locks, pins, folios or I/O left at the end
  kLockUsage = 7,  // unbalanced release, sleep in atomic context
  kStarvation = 8, // a waiter is passed over beyond the bound
};
// "deadlock", "lock-order", "data" ...
const char* FindingKindName(FindingKind kind);
bool ParseFindingKind(const std::string& name, FindingKind* kind);

struct Finding {
  FindingKind kind = FindingKind::kDeadlock;
  std::string signature;           // "deadlock: folio_lock > mmap_lock"
  std::string summary;             // one line
  std::string details;             // the splat, the wait-for cycle, the cells and versions: many lines
  std::vector<std::string> sites;  // file:line of both sides
  std::vector<uint32_t> operations;  // ids of the operations of the history that it is about, for its timeline
};

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_SCENARIO_FINDING_H_
