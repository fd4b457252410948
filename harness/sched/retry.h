// Retries: how often operations began again, and why. An operation that retries while nothing in the world changes is a livelock,
// however many steps it takes; one that retries very often is worth a look although it gets there.
//
// A task says NoteRetry with a reason and a hash of what its decision depended on (no counters, no time). The same reason, place
// and state of one task again and again, while no operation of any task completes, is a livelock. Counts of one operation, by
// reason, go into a distribution when it completes.
//
// Thread-safety: plain values; the book belongs to one scheduler.
// Invariants:    state repetitions are forgotten when any operation completes, counts of a task when one of its own does.
// Cost:          nothing until a task retries; then a look at a handful of entries.
// Example:
//   for (;;) {
//     const Result result = Write(...);
//     if (result.error != Error::kTruncatedPage) break;
//     scheduler.NoteRetry(RetryReason::kTruncatedPage, /*state=*/index);
//   }
//   scheduler.retries().of(RetryReason::kTruncatedPage).max;  // after the run
#ifndef ORDEAL_HARNESS_SCHED_RETRY_H_
#define ORDEAL_HARNESS_SCHED_RETRY_H_

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "harness/choice/choice_point.h"
#include "lockdep/graph/site.h"

namespace ordeal {

enum class RetryReason : uint8_t {
  kFaultRetry,         // VM_FAULT_RETRY: mmap_lock was dropped
  kTruncatedPage,      // AOP_TRUNCATED_PAGE
  kNotBlocking,        // ENOTBLK: direct I/O falls back to buffered
  kAgain,              // EAGAIN
  kFaultsDropped,      // faults_disabled_mapping had its lock dropped
  kNoFault,            // user memory was not present with page faults disabled
  kListBackoff,        // the AIL pusher backs off
  kTruncateRestart,    // truncate begins another pass
  kStaleMapping,       // the iomap is stale
  kInvalidateBusy,     // EBUSY of an invalidation
  kTransactionRestart, // a wait would have deadlocked
  kOther,
};
inline constexpr int kRetryReasons = static_cast<int>(RetryReason::kOther) + 1;
const char* RetryReasonName(RetryReason reason);  // "truncated-page"

// The operations of one run that retried for one reason.
struct RetryDistribution {
  uint64_t operations = 0;
  uint64_t retries = 0;                            // of all of them
  uint32_t max = 0;                                // of one
  std::array<uint64_t, 16> operations_by_log2{};   // [i]: those with 2^i .. 2^(i+1) - 1 retries
};

struct RetryStatistics {
  std::array<RetryDistribution, kRetryReasons> by_reason{};

  const RetryDistribution& of(RetryReason reason) const { return by_reason[static_cast<size_t>(reason)]; }
  // One line a reason that occurred: "truncated-page: 3 operations, 17 retries, at most 12; 1: 1, 4-7: 1, 8-15: 1".
  std::string ToString() const;
};

// One who retries.
struct Retrier {
  TaskId task = kNoTask;
  std::string task_name;
  RetryReason reason = RetryReason::kOther;
  lockdep::Site site;
  uint32_t count = 0;  // in the same state, or of one operation
};

// What ended a run as a livelock, as a value.
struct Livelock {
  std::vector<Retrier> retriers;  // empty: the watchdog's, nobody has said that it retries
  uint64_t choices_before = 0;    // choices that the run had made when the state that repeats was seen first
};

class RetryBook {
 public:
  void BeginRun();
  // `epoch` changes when any operation completes. The repetitions of this state in it, this one included.
  uint32_t Note(TaskId task, RetryReason reason, uint64_t state, lockdep::Site site, uint64_t epoch, uint64_t choices);
  // Retries of the task's current operation for the reason.
  uint32_t CountOf(TaskId task, RetryReason reason) const;
  bool IsOpen(TaskId task) const { return (open_ >> Index(task) & 1) != 0; }
  bool any_open() const { return open_ != 0; }
  // The task's operation completes (or the run ends).
  void Close(TaskId task);

  // Who has repeated a state at least `repeats` times in this epoch; the earliest sighting of one.
  Livelock Repeaters(uint64_t epoch, uint32_t repeats) const;
  const RetryStatistics& statistics() const { return statistics_; }

 private:
  static constexpr size_t kStates = 16;  // remembered a task; the oldest one goes first
  struct State {
    uint64_t hash = 0;
    uint64_t epoch = 0;
    uint64_t choices = 0;  // when first seen
    uint32_t repeats = 0;
    RetryReason reason = RetryReason::kOther;
    lockdep::Site site;
  };
  struct TaskRow {
    std::array<uint32_t, kRetryReasons> counts{};
    std::vector<State> states;
    size_t next = 0;  // to be overwritten
  };
  TaskRow& Row(TaskId task);

  std::vector<TaskRow> rows_;
  uint64_t open_ = 0;  // bit t: task t has counts
  RetryStatistics statistics_;
};

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_SCHED_RETRY_H_
