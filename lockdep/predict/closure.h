// The sync-preserving closure: what else must have happened once certain events have, if critical sections of one lock keep
// the order that they had in the trace.
//
// It is the least set that holds, with an event, all that must come before it, and, with two conflicting acquisitions of a
// lock, the release of the earlier one. A deadlock pattern can be reached by reordering the trace exactly if none of its
// acquisitions is in the closure of what precedes them; the closure, in trace order, is then a schedule that reaches it.
// Algorithm: H. C. Tunc, U. Mathur, A. Pavlogiannis, M. Viswanathan: Sound Dynamic Deadlock Prediction in Linear Time,
// PLDI 2023, arXiv 2304.03692. Added here: readers, and releases by another task.
//
// Thread-safety: none.
// Invariants:    the set only grows until Reset; it is closed after each successful Close.
// Cost:          all Add and Close between two Resets: O(acquisitions + their clocks).
// Example:
//   closure.Reset();  closure.Add(before);  if (closure.Close() && !closure.Contains(task, position)) ...
#ifndef ORDEAL_LOCKDEP_PREDICT_CLOSURE_H_
#define ORDEAL_LOCKDEP_PREDICT_CLOSURE_H_

#include <cstdint>
#include <vector>

#include "lockdep/predict/lock_history.h"

namespace ordeal::lockdep {

class Closure {
 public:
  explicit Closure(const LockHistory* history);

  void Reset();
  // The point and all that must come before it.
  void Add(const Point& point);
  // False if a critical section that would have to end never does: then no set that holds this one is closed, either.
  bool Close();
  bool Contains(uint32_t task, uint32_t position) const { return position <= reached_[task]; }
  bool Contains(const Point& point) const { return Contains(point.task, point.position); }
  // Critical sections looked at and clocks merged since construction.
  uint64_t steps() const { return steps_; }
  // How many of its first events each task has done.
  const std::vector<uint32_t>& reached() const { return reached_; }

 private:
  struct LockState {
    uint32_t newest = 0;            // 1 + the last acquire event in the set
    uint32_t newest_exclusive = 0;  // ... of the exclusive ones
    std::vector<uint32_t> open;            // exclusive sections whose end is not yet required
    std::vector<uint32_t> open_shared;
  };

  void Raise(uint32_t task, uint32_t position);
  bool Include(uint32_t section);
  bool Require(uint32_t section);
  bool RequireOlder(std::vector<uint32_t>* open, uint32_t newest);

  const LockHistory& history_;
  std::vector<uint32_t> reached_;   // by task
  std::vector<uint32_t> included_;  // by task: of its sections
  std::vector<bool> queued_;
  std::vector<uint32_t> queue_;  // tasks that were raised
  std::vector<LockState> locks_;
  std::vector<uint32_t> touched_;  // locks
  uint64_t steps_ = 0;
};

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_PREDICT_CLOSURE_H_
