// Plays a trace to a validator: classes by name, locks by instance, contexts per task. Whatever the validator reports online
// it reports on a trace of the same run.
//
// What a trace says and the validator has no call for is turned into what it has: a request that never returned is an
// acquisition; a semaphore is a lock where a task ups what it downed and an event elsewhere; a barrier is an event that each
// arrival triggers; an acquire context of wound/wait mutexes is a lock under which those of its class nest.
//
// Thread-safety: none.
// Invariants:    the symbols outlive the validator's violations, which refer to their strings; one player a validator's run.
// Cost:          the validator's, and an index look-up an event; memory: a task context and a lock map for each name.
// Example:
//   Player player(&symbols, &validator);
//   RETURN_IF_ERROR(ReadTraceFile(path, format, &symbols, [&](const LockEvent& event) { player.Play(event); }));
//   player.Finish();   // then validator.violations()
#ifndef ORDEAL_LOCKDEP_TRACE_PLAYER_H_
#define ORDEAL_LOCKDEP_TRACE_PLAYER_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "lockdep/runtime/reclaim.h"
#include "lockdep/runtime/validator.h"
#include "lockdep/trace/event.h"
#include "lockdep/trace/symbols.h"

namespace ordeal::lockdep {

class Player {
 public:
  Player(const TraceSymbols* symbols, Validator* validator) : symbols_(*symbols), validator_(*validator) {}
  ~Player();
  Player(const Player&) = delete;
  Player& operator=(const Player&) = delete;

  // Events in the order of the trace. The symbols may grow between calls.
  void Play(const LockEvent& event);
  // The trace ends: requests that are still open never returned.
  void Finish();
  uint64_t events() const { return events_; }

 private:
  // One phase of a barrier. Each arrival is an event of its own, which all others who depart have waited for.
  struct BarrierPhase {
    std::vector<std::pair<uint32_t, std::unique_ptr<LockMap>>> arrivals;  // by task
    bool open = true;  // nobody has departed
  };

  struct TaskState {
    std::unique_ptr<TaskContext> context;
    LockEvent request;  // its newest event, if that was a request
    bool requested = false;
    std::vector<std::pair<FsReclaim::Scope, uint8_t>> scopes;
    uint32_t ww_class = kNoIndex;
    std::unique_ptr<LockMap> ww_map;
    std::shared_ptr<BarrierPhase> arrived;  // at the barrier that it has not departed from
  };

  TaskState& StateOf(uint32_t task);
  TaskContext& ContextOf(uint32_t task) { return *StateOf(task).context; }
  LockMap& MapOf(uint32_t lock);
  LockClassId ClassIdOf(uint32_t lock_class);
  FsReclaim& Reclaim();
  bool Holds(uint32_t task, uint32_t lock) { return ContextOf(task).Holds(MapOf(lock)); }

  void PlayBarrier(TaskState& task, const LockEvent& event, const AcquireOptions& options);
  void PlayLock(TaskState& task, const LockEvent& event, Site site);
  void PlayAssertion(TaskContext& task, const LockEvent& event, Site site);
  void PlayEvent(TaskContext& task, const LockEvent& event, Site site);
  void PlaySemaphore(TaskState& task, const LockEvent& event, Site site);
  void PlayTask(TaskState& task, const LockEvent& event, Site site);
  void PlayContext(TaskContext& task, const LockEvent& event, Site site);
  void PlayMemory(TaskState& task, const LockEvent& event, Site site);
  void PlayWoundWait(TaskState& task, const LockEvent& event, Site site);
  void Acquire(TaskState& task, const LockEvent& event, Site site);
  void Init(TaskContext& task, const LockEvent& event, Site site);

  const TraceSymbols& symbols_;
  Validator& validator_;
  std::deque<TaskState> tasks_;
  std::deque<LockMap> maps_;  // by lock; the validator keeps their addresses
  std::vector<bool> mapped_;
  std::vector<LockClassId> classes_;
  absl::flat_hash_map<std::pair<uint32_t, uint64_t>, uint32_t> cookies_;  // of pins: the validator's by (lock, trace's)
  std::unique_ptr<FsReclaim> reclaim_;
  uint64_t events_ = 0;
  absl::flat_hash_map<uint32_t, std::shared_ptr<BarrierPhase>> barriers_;  // by object: the newest phase
};

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_TRACE_PLAYER_H_
