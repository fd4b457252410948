#include "harness/sched/wait_for_graph.h"

#include <algorithm>

namespace ordeal {
namespace {

using WaitOf = absl::FunctionRef<const Wait*(TaskId)>;

// Depth-first from the blocked `task` towards `start`; fills the cycle from its end when it closes. A task is entered once
// (`visited`): if it led nowhere it still does.
bool Reaches(TaskId task, const Wait& wait, TaskId start, WaitOf wait_of, uint64_t* visited,
             std::vector<TaskId>* reversed) {
  if (wait.waitable == nullptr) return false;
  Blockers blockers;
  wait.waitable->AppendBlockers(task, &blockers);
  for (const TaskId blocker : blockers.tasks()) {
    bool closes = blocker == start;
    if (!closes) {
      const uint64_t bit = uint64_t{1} << Index(blocker);
      if ((*visited & bit) != 0) continue;
      *visited |= bit;
      const Wait* next = wait_of(blocker);
      closes = next != nullptr && Reaches(blocker, *next, start, wait_of, visited, reversed);
    }
    if (closes) {
      reversed->push_back(task);
      return true;
    }
  }
  return false;
}

}  // namespace

bool FindWaitCycle(TaskId start, WaitOf wait_of, std::vector<TaskId>* cycle) {
  uint64_t visited = uint64_t{1} << Index(start);
  cycle->clear();
  if (!Reaches(start, *wait_of(start), start, wait_of, &visited, cycle)) return false;
  std::reverse(cycle->begin(), cycle->end());
  return true;
}

}  // namespace ordeal
