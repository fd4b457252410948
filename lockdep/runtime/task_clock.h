// Sparse vector clocks: what of other tasks a point in a task's life comes after.
//
// Thread-safety: pure functions over plain values.
// Invariants:    sorted by task, one entry a task.
// Cost:          linear in the tasks that are known; a look-up is a binary search.
// Example:       clock = MergeClocks(clock, {{child, epoch}});   if (EpochIn(clock, child) >= epoch) ...  // ordered
#ifndef ORDEAL_LOCKDEP_RUNTIME_TASK_CLOCK_H_
#define ORDEAL_LOCKDEP_RUNTIME_TASK_CLOCK_H_

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

namespace ordeal::lockdep {

// The epochs of other tasks that a point in a task's life comes after; sorted by task.
using TaskClock = std::vector<std::pair<uint32_t, uint32_t>>;

// The clock that is after all that either is after.
inline TaskClock MergeClocks(const TaskClock& a, const TaskClock& b) {
  TaskClock merged;
  merged.reserve(a.size() + b.size());
  size_t i = 0, j = 0;
  while (i < a.size() || j < b.size()) {
    if (j == b.size() || (i < a.size() && a[i].first < b[j].first)) {
      merged.push_back(a[i++]);
    } else if (i == a.size() || b[j].first < a[i].first) {
      merged.push_back(b[j++]);
    } else {
      merged.emplace_back(a[i].first, std::max(a[i].second, b[j].second));
      ++i, ++j;
    }
  }
  return merged;
}

// 0: the clock knows nothing of the task.
inline uint32_t EpochIn(const TaskClock& clock, uint32_t task) {
  const auto found = std::lower_bound(clock.begin(), clock.end(), std::pair<uint32_t, uint32_t>(task, 0));
  return found == clock.end() || found->first != task ? 0 : found->second;
}

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_RUNTIME_TASK_CLOCK_H_
