// A broken lock rule, as a value. Reports render it; nothing here prints.
//
// Thread-safety: plain value.
// Example:  for (const Violation& v : validator.violations()) out << RenderSplat(v);
#ifndef ORDEAL_LOCKDEP_RUNTIME_VIOLATION_H_
#define ORDEAL_LOCKDEP_RUNTIME_VIOLATION_H_

#include <string>
#include <vector>

#include "lockdep/graph/lock_class.h"
#include "lockdep/graph/site.h"

namespace ordeal::lockdep {

enum class ViolationKind : uint8_t {
  kCircular,       // a new dependency closes a cycle
  kRecursive,      // a class is acquired while held, without a rule that allows it
  kUnlockBalance,  // a release of a lock that the task does not hold
  kHeldAtExit,     // a task ended with locks held
  kSleepInAtomic,  // a sleeping lock, or a wait, while a spinlock is held
};
// "circular", "recursive", "unlock-balance" ...: stable, part of signatures and JSON.
const char* ViolationKindName(ViolationKind kind);

// One lock as a report shows it.
struct HeldLockReport {
  std::string node;      // class with subclass, "i_rwsem/4"
  std::string instance;  // "inode 3"; may be empty
  Mode mode = Mode::kExclusive;
  bool trylock = false;
  Site site;
};

// One dependency of a cycle: `to` was acquired while `from` was held.
struct DependencyReport {
  std::string from;
  std::string to;
  Mode from_mode = Mode::kExclusive;
  Mode to_mode = Mode::kExclusive;
  Site from_site;  // where `from` had been acquired
  Site to_site;    // where `to` was then acquired
  std::string task;  // whose acquisition made it first
};

struct Violation {
  ViolationKind kind = ViolationKind::kCircular;
  std::string task;
  HeldLockReport acquiring;             // the lock being acquired or released
  HeldLockReport conflicting;           // the held lock it contradicts; empty node if there is none
  std::vector<DependencyReport> cycle;  // kCircular: from `acquiring` back to `conflicting`, then the new edge, last
  std::vector<HeldLockReport> held;     // all locks of the task, oldest first
  std::string signature;                // stable: kind and the sorted nodes; the key of duplicate suppression
};

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_RUNTIME_VIOLATION_H_
