// A choice point: one place of a run at which the world could have gone another way (design: "one idea").
//
// Invariants:    options >= 2 (a point with one option is never asked and never recorded).
//                Option 0 is always the quiet one: keep running the same task, no fault, no delay, the smallest operand.
// Thread-safety: plain value.
// Example:
//   ChoicePoint point{.kind = ChoiceKind::kAllocation, .options = 2, .task = current, .object = pool};
//   const bool fails = source.Choose(point) == 1;
#ifndef ORDEAL_HARNESS_CHOICE_CHOICE_POINT_H_
#define ORDEAL_HARNESS_CHOICE_CHOICE_POINT_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace ordeal {

// A task of one run, by creation ordinal. kNoTask asks from outside any task (the workload generator, the scenario).
enum class TaskId : uint16_t {};
inline constexpr TaskId kNoTask{0xffff};
constexpr uint16_t Index(TaskId task) { return static_cast<uint16_t>(task); }

// A lock, folio, device ... of one run, by creation ordinal: the same in every process, unlike an address.
enum class ObjectId : uint32_t {};
inline constexpr ObjectId kNoObject{0};
constexpr uint32_t Index(ObjectId object) { return static_cast<uint32_t>(object); }

// What is being decided. Numbers are stored in corpus files: never reuse one.
enum class ChoiceKind : uint8_t {
  kSchedule = 1,     // which enabled task runs next; option 0 keeps the current one (lowest id if it cannot run)
  kReaderSteal = 2,  // 1: a reader passes the queued writers, where rw-semaphore rules allow it
  kAllocation = 3,   // 1: the allocation fails
  kIoError = 4,      // 1: the request completes with EIO
  kIoDelay = 5,      // 0..n: how much later than submitted the request completes
  kIoOrder = 6,      // which of the pending requests completes first; 0 is the oldest
  kOperation = 7,    // which operation the workload generator emits
  kOperand = 8,      // an operand of it: file, offset, length, buffer
  kEviction = 9,     // which clean folio memory pressure takes
  kSpuriousWake = 10,  // 1: a waiter wakes without its condition
  kIoShort = 11,       // a direct I/O of several blocks ends that many blocks early
  kIoTorn = 12,        // n > 0: only the first n cells of a failing write reach the device
  kDeviceFull = 13,    // 1: no block is free (ENOSPC)
  kUserPage = 14,      // of the user page that is about to be touched: 1 it is not present, 2 the address is bad
  kTrylock = 15,       // 1: a trylock fails although the lock is free
  kMemoryPressure = 16,  // 1: the allocation finds the pool low: direct reclaim, kswapd
  kSignal = 17,        // 1: a signal is pending when an interruptible wait begins, 2: one comes if the wait is long
  kMessageDelay = 18,  // 0..n: how much later than sent the message is delivered
  kMessageOrder = 19,  // which of the deliverable messages is delivered first; 0 is the oldest
  kNodeDeath = 20,     // 1: a node of the cluster dies now
  kClockJump = 21,     // 0..n: how far the clock jumps ahead
  kWakeOrder = 22,     // which of several waiters gets an unfair lock; 0 is the first
  kCompletionContext = 23,  // 0: a work queue completes the request, 1: the interrupt does
};
// "schedule", "io-error" ...; "unknown" for a number that this version does not know.
absl::string_view ChoiceKindName(ChoiceKind kind);
// The inverse of ChoiceKindName; false when no kind has that name.
bool ParseChoiceKind(absl::string_view name, ChoiceKind* kind);

// What a task declared that it will do next, before it yields. Strategies such as PCT, POS and SURW and the
// wait-for graph read it. Numbers are stored in traces: never reuse one.
enum class OperationKind : uint8_t {
  kStart = 1,    // the task has not run yet
  kAcquire = 2,
  kRelease = 3,
  kTryAcquire = 4,
  kWait = 5,     // for an event: completion, writeback, counter drain
  kSignal = 6,
  kRead = 7,     // plain shared state
  kWrite = 8,
  kIo = 9,       // submits or completes a block request
  kYield = 10,   // no object
};
absl::string_view OperationKindName(OperationKind kind);

struct DeclaredOperation {
  OperationKind kind = OperationKind::kStart;
  ObjectId object = kNoObject;
};
// True when the order of the two matters: same object and not both plain reads.
constexpr bool Conflict(const DeclaredOperation& a, const DeclaredOperation& b) {
  return a.object == b.object && a.object != kNoObject &&
         !(a.kind == OperationKind::kRead && b.kind == OperationKind::kRead);
}

struct Candidate {
  TaskId task = kNoTask;
  DeclaredOperation next;
};

struct ChoicePoint {
  ChoiceKind kind = ChoiceKind::kSchedule;
  int options = 2;           // 2..65535
  TaskId task = kNoTask;     // who asks; for kSchedule the task that ran last
  ObjectId object = kNoObject;  // what it is about; for kSchedule the object of the declared operation
  // kSchedule only, and only for sources with WantsCandidates(): candidates[i] is the task that option i runs.
  absl::Span<const Candidate> candidates = {};
};

// "schedule of 3, task 2, object 17": for messages.
std::string ToString(const ChoicePoint& point);

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_CHOICE_CHOICE_POINT_H_
