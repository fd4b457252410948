#include "lockdep/predict/must_order.h"

#include <algorithm>

namespace ordeal::lockdep {

Point MustOrder::Here(uint32_t task) {
  State& state = states_[task];
  if (state.changed) {
    state.changed = false;
    state.row = static_cast<uint32_t>(rows_.size());
    rows_.emplace_back(values_.size(), static_cast<uint32_t>(state.clock.size()));
    values_.insert(values_.end(), state.clock.begin(), state.clock.end());
  }
  return {task, state.position, state.row};
}

void MustOrder::After(uint32_t task, const Point& before, OrderCause cause, uint32_t event, bool next) {
  if (before.task == task || before.position == 0) return;
  State& state = states_[task];
  if (before.task >= state.clock.size()) {
    state.clock.resize(before.task + 1);
  } else if (state.clock[before.task] >= before.position) {
    return;  // and so all that came before it is known
  }
  state.clock[before.task] = before.position;
  const auto [begin, size] = rows_[before.row];
  if (size > state.clock.size()) state.clock.resize(size);
  for (uint32_t i = 0; i < size; ++i) state.clock[i] = std::max(state.clock[i], values_[begin + i]);
  if (task < state.clock.size()) state.clock[task] = 0;  // its own entry is its position
  state.changed = true;
  cross_edges_.push_back({before.task, before.position, task, state.position + (next ? 1 : 0), event, cause});
}

std::vector<CrossEdge> MustOrder::Explain(uint32_t from_task, uint32_t from_position, uint32_t to_task,
                                          uint32_t to_position, uint32_t mask) const {
  constexpr uint32_t kNever = 0xffffffffu;
  // The log is in the order of the trace, so every path is met in order: one pass finds the earliest arrivals.
  std::vector<uint32_t> reached(states_.size(), kNever);
  std::vector<size_t> arrived_by(states_.size(), cross_edges_.size());
  std::vector<std::pair<size_t, size_t>> previous;  // edge, the edge before it
  reached[from_task] = from_position;
  for (size_t i = 0; i < cross_edges_.size(); ++i) {
    const CrossEdge& edge = cross_edges_[i];
    if ((mask & (1u << static_cast<unsigned>(edge.cause))) == 0) continue;
    if (reached[edge.from_task] > edge.from_position || reached[edge.to_task] <= edge.to_position) continue;
    reached[edge.to_task] = edge.to_position;
    previous.emplace_back(i, arrived_by[edge.from_task]);
    arrived_by[edge.to_task] = previous.size() - 1;
    if (edge.to_task != to_task) continue;
    if (edge.to_position > to_position) return {};
    std::vector<CrossEdge> path;
    for (size_t at = previous.size() - 1;;) {
      path.push_back(cross_edges_[previous[at].first]);
      if (path.back().from_task == from_task) break;
      at = previous[at].second;
    }
    std::reverse(path.begin(), path.end());
    return path;
  }
  return {};
}

size_t MustOrder::MemoryBytes() const {
  return rows_.capacity() * sizeof(rows_[0]) + values_.capacity() * sizeof(uint32_t) +
         cross_edges_.capacity() * sizeof(CrossEdge);
}

}  // namespace ordeal::lockdep
