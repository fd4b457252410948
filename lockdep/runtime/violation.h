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
  kCircular,           // a new dependency closes a cycle
  kRecursive,          // a class is acquired while held, without a rule that allows it
  kBadUnlock,          // a release of a lock that the task does not hold
  kForeignUnlock,      // a release of a lock that another task holds
  kHeldFreed,          // memory with a held lock is freed, or a held lock initialised again
  kHeldAtExit,         // a task ended with locks held
  kWaitContext,        // a lock that may sleep (or be preempted) where that is not allowed
  kInconsistentState,  // one lock is taken in an interrupt (or reclaim) and held where that interrupt may come
  kIrqInversion,       // a lock's new state contradicts the state of a lock it depends on
  kIrqOrder,           // a new dependency leads from a lock used in interrupts to one that they may interrupt
  kNestNotHeld,        // a nest lock was named that the task does not hold
  kPinned,             // a pinned lock is released, or a pin does not match
  kAssertHeld,         // an assertion that a lock is held (or held so) failed
  kAssertNotHeld,      // an assertion that a lock, or any of its class, is not held failed
  kApiAssert,          // a primitive's own rule (wound/wait contexts, subclasses) is broken
};
// "circular", "recursive", "bad-unlock" ...: stable, part of signatures and JSON.
const char* ViolationKindName(ViolationKind kind);

// How sure a report of a possible deadlock is.
enum class Grade : uint8_t {
  kOrder,      // classes contradict each other; something in grade_reason may exclude it
  kFeasible,   // no common guard lock, no fork/join or event order and no single task excludes it
  kConfirmed,  // a schedule was found in which the tasks block on each other
};
const char* GradeName(Grade grade);  // "order", "feasible", "confirmed"

// One lock as a report shows it.
struct HeldLockReport {
  std::string node;      // class with subclass, "i_rwsem/4"
  std::string instance;  // "inode 3"; may be empty
  Mode mode = Mode::kExclusive;
  bool trylock = false;
  Site site;
  bool sync = false;    // waits for the holders, holds nothing
  bool event = false;   // waited for, or owed by this context
  bool nested = false;  // under a nest lock
  std::string usage = "....";  // the kernel's usage characters
  WaitType outer = WaitType::kUnchecked;
  WaitType inner = WaitType::kUnchecked;
  std::string mode_name;               // of a lock with a LockKind: "PR", "intent"; else empty
  std::vector<std::string> backtrace;  // innermost frame first; empty unless asked for
};

// One dependency of a cycle or path: `to` was acquired (or waited for) while `from` was held (or owed).
struct DependencyReport {
  std::string from;
  std::string to;
  Mode from_mode = Mode::kExclusive;
  Mode to_mode = Mode::kExclusive;
  Site from_site;    // where `from` had been acquired
  Site to_site;      // where `to` was then acquired
  std::string task;  // whose acquisition made it first
  bool from_event = false;
  bool to_event = false;
  bool to_sync = false;
  std::string from_mode_name;  // as HeldLockReport::mode_name
  std::string to_mode_name;
  std::vector<std::string> backtrace;  // of the acquisition of `to`; empty unless asked for
};

// The state of a node that an interrupt report is about.
struct UsageReport {
  std::string node;
  std::string state;  // "IN-HARDIRQ-W"
  Site site;          // where it first got it
  std::string task;
  friend bool operator==(const UsageReport&, const UsageReport&) = default;
};

struct TaskStateReport {
  bool in_hardirq = false;
  bool in_softirq = false;
  bool hardirqs_on = true;
  bool softirqs_on = true;
  bool in_reclaim = false;
};

struct Violation {
  ViolationKind kind = ViolationKind::kCircular;
  std::string variant;  // kIrqOrder: "hard", "soft,read" ...: of the state that is contradicted; else empty
  std::string task;
  HeldLockReport acquiring;    // the lock being acquired, released or re-stated
  HeldLockReport conflicting;  // the held lock it contradicts; empty node if there is none
  // kCircular: from `acquiring` back to `conflicting`, then the new edge, last.
  // kIrqInversion, kIrqOrder: the path from the lock used in the interrupt to the lock that it may interrupt.
  std::vector<DependencyReport> cycle;
  std::vector<HeldLockReport> held;  // all locks of the task, oldest first
  UsageReport safe;                  // kInconsistentState, kIrqInversion, kIrqOrder: the one used in the context
  UsageReport unsafe;                // ... and the one held while the context may begin
  TaskStateReport state;
  WaitType wait_context = WaitType::kUnchecked;  // kWaitContext: what is allowed there
  std::string message;    // kApiAssert, kNestNotHeld, kPinned: what is wrong, in words
  std::string signature;  // stable: kind and the sorted nodes; the key of duplicate suppression

  Grade grade = Grade::kOrder;
  std::string grade_reason;            // what excludes it, or what confirmed it
  std::vector<std::string> instances;  // "2 x writer", "1 x reader": the tasks that a deadlock needs
  std::string hint;                    // "47 of 48 sites take A before B; the odd one is x.cc:12"
  std::string corpus_file;             // kConfirmed: replays the deadlock

  // "circular", "irq-order(hard,read)".
  std::string KindText() const;
};

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_RUNTIME_VIOLATION_H_
