// Enumerates abstract deadlock patterns: simple cycles of the abstract lock graph in which each task waits for what the next
// holds (or will trigger), all tasks are different, and no two hold the same lock unless both share it.
//
// A plain reader waits behind a queued writer: where a reader waits for what readers hold, the cycle goes through a task
// that waits for the lock exclusively. Only nodes within one strongly connected component are tried.
//
// Thread-safety: none.
// Invariants:    every pattern is delivered once, starting at its smallest node.
// Cost:          components: linear. Cycles may be exponentially many; steps_max bounds the search and exhausted() says so.
#ifndef ORDEAL_LOCKDEP_PREDICT_PATTERN_SEARCH_H_
#define ORDEAL_LOCKDEP_PREDICT_PATTERN_SEARCH_H_

#include <cstdint>
#include <vector>

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
  void Index();
  void FindComponents();
  bool Extend(absl::FunctionRef<bool(const Pattern&)> visit);
  bool Try(uint32_t next, bool queued, absl::FunctionRef<bool(const Pattern&)> visit);
  bool HoldsFor(uint32_t waiter, uint32_t holder, bool shared_only) const;
  template <typename Visit>
  bool ForEachNext(uint32_t node, bool shared_only, Visit visit) const;

  const LockHistory& history_;
  const uint64_t steps_max_;
  uint64_t steps_ = 0;
  std::vector<std::vector<uint32_t>> holders_;    // by instance: nodes that hold it
  std::vector<std::vector<uint32_t>> writers_;    // by instance: nodes that wait for it exclusively
  std::vector<std::vector<Trigger>> triggerers_;  // by instance
  std::vector<std::vector<uint32_t>> of_task_;    // nodes
  std::vector<uint32_t> component_;               // by node; 0: in no cycle
  Pattern path_;
  uint32_t start_ = 0;
};

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_PREDICT_PATTERN_SEARCH_H_
