// What a recorded run consists of: one value for each thing that a task did to a lock, an event, a context or another task.
//
// Names live in TraceSymbols; an event holds indexes, so a million events are 32 MB. An acquisition that returned is one
// kAcquire; one that never did is a kRequest (a kRequest directly before its kAcquire says nothing new).
//
// Thread-safety: plain values.
// Invariants:    sizeof(LockEvent) == 32; object is an index of the table that ObjectOf(op) names.
// Example:
//   TraceSymbols symbols;
//   LockEvent event{.op = EventOp::kAcquire, .task = symbols.Task("T1"), .object = symbols.Lock("A")};
#ifndef ORDEAL_LOCKDEP_TRACE_EVENT_H_
#define ORDEAL_LOCKDEP_TRACE_EVENT_H_

#include <cstdint>

#include "absl/strings/string_view.h"
#include "lockdep/graph/lock_class.h"

namespace ordeal::lockdep {

enum class EventOp : uint8_t {
  // Locks.
  kAcquire,
  kRelease,
  kRequest,      // an acquisition that began; alone: it never returned
  kTryFailed,    // a trylock that found the lock taken
  kDowngrade,    // to `mode`
  kSetClass,     // re-key a held or free lock: `lock_class`, `subclass`
  kInit,         // of class `lock_class` from now on
  kDestroy,
  kFreed,        // the memory that the lock lies in is freed
  kPin,          // argument: the cookie
  kUnpin,
  kAssertHeld,
  kAssertExclusive,
  kAssertShared,
  kAssertNotHeld,
  kAssertClassNotHeld,
  kUnregisterClass,
  // Events (completions, page bits, counters): instances like locks, of a class of their own.
  kEventRequest,  // from now on a trigger is asked for; what this task waits for before it triggers delays the event
  kEventWait,     // returned; alone at the end of a task: see kEventBlocked
  kEventBlocked,  // a wait that never returned
  kEventTrigger,
  kOwe,           // this task will trigger the event
  kDisown,        // ... no more
  // Semaphores and barriers.
  kDown,
  kUp,
  kArrive,
  kDepart,
  // Tasks.
  kFork,
  kJoin,
  kJoinBlocked,  // a join that never returned
  kTaskBegin,
  kTaskExit,
  kUserReturn,  // back to user space: nothing may be held
  // Contexts.
  kHardirqEnter,  // flag kThreaded: a handler that may be forced into a thread
  kHardirqExit,
  kSoftirqEnter,
  kSoftirqExit,
  kHardirqsOff,
  kHardirqsOn,
  kSoftirqsOff,
  kSoftirqsOn,
  kReclaimEnter,
  kReclaimExit,
  // Memory: argument of kAlloc is a set of kAlloc bits.
  kAlloc,
  kNofsSave,
  kNofsRestore,
  kNoioSave,
  kNoioRestore,
  kMemallocSave,
  kMemallocRestore,
  // Variables, which order what read what.
  kRead,
  kWrite,
  // Wound/wait: object is the class, argument the stamp.
  kWwBegin,
  kWwDone,
  kWwEnd,
  // No meaning of its own (STD's begin and end of a transaction).
  kMark,
};
inline constexpr int kEventOps = static_cast<int>(EventOp::kMark) + 1;

enum class ObjectKind : uint8_t { kNone, kLock, kTask, kVariable, kClass };
ObjectKind ObjectOf(EventOp op);
// "acquire", "event-wait" ...: the words of our own trace format.
const char* EventOpName(EventOp op);
// False if there is no such word.
bool FindEventOp(absl::string_view name, EventOp* op);

// Bits of LockEvent::flags.
inline constexpr uint8_t kFlagTrylock = 1;
inline constexpr uint8_t kFlagUnchecked = 2;  // tracked, not judged
inline constexpr uint8_t kFlagSync = 4;       // waits for all holders, holds nothing
inline constexpr uint8_t kFlagTimed = 8;      // the wait ends by itself
inline constexpr uint8_t kFlagThreaded = 16;
inline constexpr uint8_t kFlagOrderKey = 32;  // `argument` is the order key of this acquisition
inline constexpr uint8_t kFlagInterruptible = 64;

// Bits of the argument of kAlloc.
inline constexpr uint64_t kAllocFs = 1;
inline constexpr uint64_t kAllocIo = 2;
inline constexpr uint64_t kAllocReclaim = 4;
inline constexpr uint64_t kAllocNolockdep = 8;

inline constexpr uint32_t kNoIndex = 0xffffffffu;

struct LockEvent {
  EventOp op = EventOp::kMark;
  Mode mode = Mode::kExclusive;
  uint8_t subclass : 4 = 0;
  uint8_t lock_mode : 4 = 0;  // of an acquisition of a lock whose class has a LockKind
  uint8_t flags = 0;
  uint32_t task = 0;
  uint32_t object = kNoIndex;
  uint32_t site = kNoIndex;
  uint32_t nest = kNoIndex;        // the lock under which this one nests
  uint32_t lock_class = kNoIndex;  // of kInit and kSetClass
  uint64_t argument = 0;

  bool trylock() const { return (flags & kFlagTrylock) != 0; }
  friend bool operator==(const LockEvent&, const LockEvent&) = default;
};
static_assert(sizeof(LockEvent) == 32);

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_TRACE_EVENT_H_
