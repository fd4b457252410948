// What must come before what in every reordering of a trace: the order of each task, fork and join, reads from the write
// they saw, waits from the trigger that satisfied them. Lock order is not among it: that is what prediction varies.
//
// A point's clock says how many events of each task come before it. Consecutive points of a task mostly have the same one,
// so clocks are rows that points share.
//
// Thread-safety: none.
// Invariants:    positions of a task count from 1; the row of a point leaves out its own task, whose entry is its position.
// Cost:          Step O(1); After O(1) if it says nothing new, else O(tasks). A row is kept only where something changed.
// Example:
//   order.Step(child);
//   order.After(child, fork_point, OrderCause::kFork, event);
#ifndef ORDEAL_LOCKDEP_PREDICT_MUST_ORDER_H_
#define ORDEAL_LOCKDEP_PREDICT_MUST_ORDER_H_

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace ordeal::lockdep {

inline constexpr uint32_t kNoTask = 0xffffffffu;

struct Point {
  uint32_t task = kNoTask;
  uint32_t position = 0;
  uint32_t row = 0;
};

enum class OrderCause : uint8_t { kFork = 0, kJoin = 1, kEvent = 2, kBarrier = 3, kSemaphore = 4, kHandOver = 5, kRead = 6 };

// One step between two tasks that said something new, in the order of the trace.
struct CrossEdge {
  uint32_t from_task;
  uint32_t from_position;
  uint32_t to_task;
  uint32_t to_position;
  uint32_t event;  // of the trace: at which the second task learnt of the first
  OrderCause cause;
};

class MustOrder {
 public:
  explicit MustOrder(uint32_t tasks) : states_(tasks) { rows_.push_back({0, 0}); }

  // The next event of `task`. Returns its position.
  uint32_t Step(uint32_t task) { return ++states_[task].position; }
  // The newest event of `task`.
  Point Here(uint32_t task);
  // From its newest event on, `task` comes after `before`; with `next`, from its next event on.
  void After(uint32_t task, const Point& before, OrderCause cause, uint32_t event, bool next = false);

  uint32_t tasks() const { return static_cast<uint32_t>(states_.size()); }
  uint32_t last_position(uint32_t task) const { return states_[task].position; }
  // Calls visit(task, position) for each task that the row knows of.
  template <typename Visit>
  void ForEachInRow(uint32_t row, Visit visit) const {
    const auto [begin, size] = rows_[row];
    for (uint32_t i = 0; i < size; ++i) {
      if (values_[begin + i] != 0) visit(i, values_[begin + i]);
    }
  }
  // How much of `task` comes before the point, itself included.
  uint32_t PositionAt(const Point& point, uint32_t task) const {
    if (task == point.task) return point.position;
    const auto [begin, size] = rows_[point.row];
    return task < size ? values_[begin + task] : 0;
  }
  const std::vector<CrossEdge>& cross_edges() const { return cross_edges_; }
  // The steps that lead from a point of one task to a point of another, by the causes of `mask` (bits 1 << cause).
  // Empty if none do.
  std::vector<CrossEdge> Explain(uint32_t from_task, uint32_t from_position, uint32_t to_task, uint32_t to_position,
                                 uint32_t mask) const;
  size_t MemoryBytes() const;

 private:
  struct State {
    std::vector<uint32_t> clock;  // by task, up to the last known one
    uint32_t position = 0;
    uint32_t row = 0;
    bool changed = false;  // since `row` was made
  };

  std::vector<State> states_;
  std::vector<std::pair<size_t, uint32_t>> rows_;  // begin and size in values_
  std::vector<uint32_t> values_;
  std::vector<CrossEdge> cross_edges_;
};

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_PREDICT_MUST_ORDER_H_
