// Builds a LockHistory in two passes: the first pairs acquisitions with releases and forks with joins, so that the second
// knows who will release what it sees acquired.
//
// Thread-safety: none. Used by LockHistory's constructor alone.
// Invariants:    pairs_[acquire] is its release event (kNever: none, kInner: re-entrant) until the second pass has made its
//                section, then the section; pairs_[release] is its acquire event.
#ifndef ORDEAL_LOCKDEP_PREDICT_HISTORY_BUILDER_H_
#define ORDEAL_LOCKDEP_PREDICT_HISTORY_BUILDER_H_

#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "lockdep/predict/lock_history.h"

namespace ordeal::lockdep {

class HistoryBuilder {
 public:
  explicit HistoryBuilder(LockHistory* history);
  void Build();

 private:
  static constexpr uint32_t kNever = 0xffffffffu;
  static constexpr uint32_t kInner = 0xfffffffeu;

  struct Holder {  // first pass
    uint32_t task;
    uint32_t acquire_event;
    uint32_t depth;
  };
  struct Held {  // second pass
    HeldInstance held;
    uint32_t section;
    uint32_t release_event;
    uint64_t order_key;
  };
  struct TaskState {
    std::vector<Held> held;
    std::vector<Held> handed;         // to this task, for release
    std::vector<HeldInstance> inherited;  // its forker holds them from before its start until after its end
    uint32_t lock_set = 0;
    uint32_t handed_id = kNoIndex;
    bool changed = true;
    uint32_t ww_class = kNoIndex;  // of its acquire context
    // First pass.
    uint32_t forker = kNoTask;
    uint32_t join_event = kNever;  // by the forker
    uint32_t request = kNever;         // its newest event, if that is a request
  };
  struct LockState {
    uint32_t instance = kNever;
    uint32_t lock_class = 0;
    uint64_t order_key = 0;
    uint32_t generation = 0;
    bool as_lock = true;         // a semaphore used as a lock
    uint32_t downs = 0;          // of a counting semaphore
    size_t first_unconsumed = 0;  // trigger
    Point request;               // the last one
    std::vector<Holder> holders;  // first pass
    std::vector<uint32_t> active;  // second pass: sections
    Point arrivals;              // the last arrival that comes after all others
  };
  using NodeKey = std::tuple<uint32_t, WaitsFor, uint32_t, uint32_t, Mode, uint32_t, bool>;

  void ClassifySemaphores();
  void Pair();
  void PairAcquire(const LockEvent& event, uint32_t index);
  void PairRelease(const LockEvent& event, uint32_t index);
  void Replay();
  void ReplayLock(const LockEvent& event, uint32_t index);
  void ReplayEvent(const LockEvent& event, uint32_t index);
  void ReplayTask(const LockEvent& event, uint32_t index);
  void Acquire(const LockEvent& event, uint32_t index);
  void Release(const LockEvent& event, uint32_t index);
  void TryFailed(const LockEvent& event, uint32_t index);
  void Down(const LockEvent& event, uint32_t index);
  void Consume(LockState* lock, uint32_t instance, const Point& consumer);
  void Want(const LockEvent& event, uint32_t index, WaitsFor kind, uint32_t object, NodeId node, Mode mode,
            bool nested, bool backs_off = false);
  EventOp Meaning(const LockEvent& event) const;  // semaphores used as locks: acquire, release
  LockState& StateOf(uint32_t lock);
  uint32_t InstanceOf(uint32_t lock);
  NodeId NodeFor(const LockState& lock, const LockEvent& event) const;
  bool IsNested(const LockEvent& event, const LockState& lock, NodeId node, uint64_t order_key) const;
  uint32_t LockSetOf(TaskState* task);
  uint32_t Intern(LockSet set);

  LockHistory& history_;
  const TraceSymbols& symbols_;
  const std::vector<LockEvent>& events_;
  std::vector<uint32_t> pairs_;
  std::vector<TaskState> tasks_;
  std::vector<LockState> locks_;
  std::vector<Point> last_write_;  // by variable
  absl::flat_hash_map<uint32_t, std::vector<Point>> tries_before_release_;  // by acquire event
  absl::flat_hash_map<NodeKey, uint32_t> node_ids_;
  absl::flat_hash_map<std::string, uint32_t> lock_set_ids_;
};

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_PREDICT_HISTORY_BUILDER_H_
