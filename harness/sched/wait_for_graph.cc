#include "harness/sched/wait_for_graph.h"

namespace ordeal {
namespace {

using WaitOf = absl::FunctionRef<const Wait*(TaskId)>;

// Depth-first from `task` towards `start`. A task is entered once (`visited`): if it led nowhere it still does.
bool Reaches(TaskId task, TaskId start, WaitOf wait_of, uint64_t* visited, std::vector<TaskId>* path) {
  const Wait* wait = wait_of(task);
  if (wait == nullptr || wait->waitable == nullptr) return false;
  Blockers blockers;
  wait->waitable->AppendBlockers(task, &blockers);
  path->push_back(task);
  for (const TaskId blocker : blockers.tasks()) {
    if (blocker == start) return true;
    const uint64_t bit = uint64_t{1} << Index(blocker);
    if ((*visited & bit) != 0) continue;
    *visited |= bit;
    if (Reaches(blocker, start, wait_of, visited, path)) return true;
  }
  path->pop_back();
  return false;
}

}  // namespace

bool FindWaitCycle(TaskId start, WaitOf wait_of, std::vector<TaskId>* cycle) {
  uint64_t visited = uint64_t{1} << Index(start);
  cycle->clear();
  return Reaches(start, start, wait_of, &visited, cycle);
}

}  // namespace ordeal
