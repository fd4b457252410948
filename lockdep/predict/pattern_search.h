// Enumerates abstract deadlock patterns: simple cycles of the abstract lock graph in which each task waits for what the next
// holds (or will trigger), all tasks are different, and no two hold the same lock unless both share it.
//
// A plain reader waits behind a queued writer: where a reader waits for what readers hold, the cycle goes through a task
// that waits for the lock exclusively. Short patterns come first: nodes are tried only where the distance back to the start,
// in the graph of what is waited for, allows it, and only within one strongly connected component.
//
// Thread-safety: none.
// Invariants:    every pattern is delivered once, starting at its smallest node, after all shorter ones.
// Cost:          components: linear. Cycles may be exponentially many; steps_max bounds the search and exhausted() says so.
#ifndef ORDEAL_LOCKDEP_PREDICT_PATTERN_SEARCH_H_
#define ORDEAL_LOCKDEP_PREDICT_PATTERN_SEARCH_H_

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "lockdep/predict/lock_history.h"

namespace ordeal::lockdep {

struct PatternNode {
  uint32_t node = 0;     // of the history
  bool queued = false;   // waits behind the next node, which waits for the same lock exclusively
};
using Pattern = std::vector<PatternNode>;

class PatternSearch {
 public:
  PatternSearch(const LockHistory* history, uint64_t steps_max);
  // Until visit returns false.
  void ForEach(absl::FunctionRef<bool(const Pattern&)> visit);
  bool exhausted() const { return steps_ > steps_max_; }
  uint64_t steps() const { return steps_; }
  // Tasks that trigger the event, with the position of each one's last trigger.
  struct Trigger {
    uint32_t task;
    uint32_t last_position;
  };


 private:
  // What may be waited for: a lock or event, a lock's queue of writers, the end of a task; and as what a node is sorted by
  // what it waits for, "the lock or its queue", which is what a plain reader waits for.
  using Resource = uint32_t;
  Resource LockResource(uint32_t instance) const { return instance; }
  Resource QueueResource(uint32_t instance) const { return history_.instances() + instance; }
  Resource TaskResource(uint32_t task) const { return 2 * history_.instances() + task; }
  Resource EitherResource(uint32_t instance) const {
    return 2 * history_.instances() + history_.order().tasks() + instance;
  }
  Resource Wanted(uint32_t node) const;

  struct Answer {
    Resource wanted;  // by the node
    uint32_t node;
  };

  void Index();
  void FindComponents();
  void LinkResources();
  const std::vector<std::pair<Resource, uint32_t>>& DistancesTo(Resource target);
  bool SetDistances();
  bool Walk(absl::FunctionRef<bool(const Pattern&)> visit);
  bool Extend(absl::FunctionRef<bool(const Pattern&)> visit);
  bool ExtendTo(Resource resource, bool queued, absl::FunctionRef<bool(const Pattern&)> visit);
  bool Close(bool queued, absl::FunctionRef<bool(const Pattern&)> visit);
  bool HoldsFor(uint32_t waiter, uint32_t holder, bool shared_only) const;
  bool Answers(uint32_t waiter, uint32_t next, bool queued, bool shared_only) const;
  bool BehindReader() const { return path_.size() > 1 && path_[path_.size() - 2].queued; }

  const LockHistory& history_;
  const uint64_t steps_max_;
  uint64_t steps_ = 0;
  std::vector<std::vector<uint32_t>> holders_;    // by instance: nodes that hold it
  std::vector<std::vector<uint32_t>> writers_;    // by instance: nodes that wait for it exclusively
  std::vector<std::vector<Trigger>> triggerers_;  // by instance
  std::vector<std::vector<uint32_t>> of_task_;    // nodes
  std::vector<std::vector<uint32_t>> owed_;       // by task: event instances that it triggers
  std::vector<uint32_t> component_;               // by node; 0: in no cycle
  std::vector<std::vector<Answer>> answers_;      // by resource: nodes in cycles, by what they want
  std::vector<std::vector<Resource>> before_;     // by wanted resource: those whose answers want it
  absl::flat_hash_map<Resource, std::vector<std::pair<Resource, uint32_t>>> distances_;  // of this length
  std::vector<uint32_t> distance_;  // by resource, to the start; 0: too far; else 1 + how many nodes are in between
  std::vector<Resource> near_;      // those of distance_ that are set
  std::vector<uint32_t> mark_;      // by resource, for DistancesTo
  uint32_t marks_ = 0;
  Pattern path_;
  uint32_t start_ = 0;
  uint32_t length_ = 1;  // of the patterns looked for
};

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_PREDICT_PATTERN_SEARCH_H_
