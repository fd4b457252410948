// A trace as prediction sees it: critical sections, and abstract acquires: all acquisitions of one lock by one task with the
// same locks held are one node of the abstract lock graph.
//
// Besides mutual exclusion a node may wait for an event, for a barrier or for the end of a task; and a task may hold what
// another took: a lock handed to it for release, or one that its forker holds from before the fork until after the join.
//
// Thread-safety: none once built: const.
// Invariants:    each acquire of a lock instance is in at most one section; a section's release is the last of the task that
//                made it; re-entrant inner acquisitions are no sections; locks destroyed and initialised again are others.
// Cost:          two passes over the events; about 60 bytes for each acquisition.
// Example:       const LockHistory history(trace);   for (const AbstractAcquire& node : history.nodes()) ...
#ifndef ORDEAL_LOCKDEP_PREDICT_LOCK_HISTORY_H_
#define ORDEAL_LOCKDEP_PREDICT_LOCK_HISTORY_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "lockdep/graph/lock_class.h"
#include "lockdep/predict/must_order.h"
#include "lockdep/trace/symbols.h"

namespace ordeal::lockdep {

// A lock between initialisation and destruction.
struct LockInstance {
  uint32_t lock = 0;  // of the symbols
  uint32_t generation = 0;
};

struct Section {
  uint32_t instance = 0;
  uint32_t acquire_event = 0;
  bool exclusive = true;  // at any time in it
  Point acquire;
  Point release;  // task == kNoTask: never
};

struct HeldInstance {
  uint32_t instance = 0;
  NodeId node{};
  Mode mode = Mode::kExclusive;

  bool exclusive() const { return mode == Mode::kExclusive; }
  friend bool operator==(const HeldInstance&, const HeldInstance&) = default;
};
using LockSet = std::vector<HeldInstance>;  // sorted by instance

// At most one side shared.
bool Disjoint(const LockSet& a, const LockSet& b);

enum class WaitsFor : uint8_t { kLock, kEvent, kBarrier, kTaskEnd };

// One acquisition (wait, join) of a node. `before` is the task's previous event.
struct Occurrence {
  uint32_t position = 0;
  uint32_t row = 0;  // of all that comes before it
  uint32_t event = 0;
  uint32_t handed = kNoIndex;  // index into handed_sections: what it holds by other tasks' acquisitions
};

struct AbstractAcquire {
  uint32_t task = 0;
  WaitsFor kind = WaitsFor::kLock;
  uint32_t object = 0;  // an instance, or a task
  NodeId node{};        // of the class waited for; unused for kTaskEnd
  Mode mode = Mode::kExclusive;
  uint32_t held = 0;  // a lock set
  bool nested = false;  // annotated: in order by key, or under a nest lock
  bool backs_off = false;  // a wound/wait mutex under an acquire context: a cycle of those alone resolves itself
  std::vector<Occurrence> occurrences;
};

// A trigger of an event, an arrival at a barrier, an up of a counting semaphore.
struct Trigger {
  Point point;
  uint32_t event = 0;
  Point consumer;  // what used it up (a new request, the down that took it); task == kNoTask: nothing did
};

class LockHistory {
 public:
  // The trace must outlive the history.
  explicit LockHistory(const Trace& trace);

  const Trace& trace() const { return trace_; }
  const MustOrder& order() const { return order_; }
  const std::vector<Section>& sections() const { return sections_; }
  // Ids of the sections that the task acquired, in order.
  const std::vector<uint32_t>& sections_of(uint32_t task) const { return sections_of_task_[task]; }
  const std::vector<AbstractAcquire>& nodes() const { return nodes_; }
  const LockSet& lock_set(uint32_t id) const { return lock_sets_[id]; }
  uint32_t instances() const { return static_cast<uint32_t>(instances_.size()); }
  const LockInstance& instance(uint32_t id) const { return instances_[id]; }
  // Of an event instance, in the order of the trace.
  const std::vector<Trigger>& triggers(uint32_t instance) const { return triggers_[instance]; }
  const std::vector<uint32_t>& handed_sections(uint32_t id) const { return handed_sections_[id]; }

  std::string InstanceName(uint32_t instance) const;  // "A", or "A (2nd)" when it was initialised again
  std::string NodeName(NodeId node) const;            // as the validator names it: "i_rwsem/1", "x#2"
  // The section of `instance` that `event` of `task` lies in; null if there is none.
  const Section* SectionAround(uint32_t instance, uint32_t task, uint32_t event) const;
  size_t MemoryBytes() const;

 private:
  friend class HistoryBuilder;

  const Trace& trace_;
  MustOrder order_;
  std::vector<LockInstance> instances_;
  std::vector<Section> sections_;
  std::vector<std::vector<uint32_t>> sections_of_task_;
  std::vector<std::vector<uint32_t>> sections_of_instance_;
  std::vector<AbstractAcquire> nodes_;
  std::vector<LockSet> lock_sets_;
  std::vector<std::vector<Trigger>> triggers_;  // by instance
  std::vector<std::vector<uint32_t>> handed_sections_;
  std::vector<int> class_versions_;  // same name: 1, 2 ...
};

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_PREDICT_LOCK_HISTORY_H_
