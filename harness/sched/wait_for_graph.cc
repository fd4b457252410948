#include "harness/sched/wait_for_graph.h"

#include <algorithm>
#include <bit>

// A depth-first search for a cycle through the task that has just blocked. It takes a wait for any one of several tasks for a
// wait for each, so that it may find too much, but nothing is overlooked; where it met such a wait, the tasks that are really
// stuck are computed: the greatest set of blocked tasks in which each has a blocker in the set, and if any one suffices, all.
// Chandy, Misra, Haas, "Distributed deadlock detection" (1983) call the two the resource and the communication model.

namespace ordeal {
namespace {

using WaitOf = absl::FunctionRef<const Wait*(TaskId)>;

constexpr uint64_t Bit(TaskId task) { return uint64_t{1} << Index(task); }

class Search {
 public:
  Search(TaskId start, WaitOf wait_of) : start_(start), wait_of_(wait_of) {}

  // A cycle through the start, of tasks in `among`, from its end.
  bool FindCycle(uint64_t among, std::vector<TaskId>* reversed) {
    among_ = among;
    visited_ = Bit(start_);
    reversed->clear();
    return Reaches(start_, *wait_of_(start_), reversed);
  }
  bool met_any() const { return met_any_; }

  // The tasks that are stuck, of those that the start waits for, directly or not.
  uint64_t StuckTasks() {
    visited_ = Bit(start_);
    CollectBlocked(start_);
    uint64_t stuck = visited_;
    for (bool changed = true; changed;) {
      changed = false;
      for (uint64_t rest = stuck; rest != 0; rest &= rest - 1) {
        const TaskId task{static_cast<uint16_t>(std::countr_zero(rest))};
        if (IsStuck(task, stuck)) continue;
        stuck &= ~Bit(task);
        changed = true;
      }
    }
    return stuck;
  }

 private:
  // Depth-first from the blocked `task` towards the start; fills the cycle from its end when it closes. A task is entered
  // once: if it led nowhere it still does.
  bool Reaches(TaskId task, const Wait& wait, std::vector<TaskId>* reversed) {
    if (wait.waitable == nullptr) return false;
    Blockers blockers;
    wait.waitable->AppendBlockers(task, &blockers);
    met_any_ |= blockers.any() && blockers.tasks().size() > 1;
    for (const TaskId blocker : blockers.tasks()) {
      bool closes = blocker == start_;
      if (!closes) {
        if ((visited_ & Bit(blocker)) != 0 || (among_ & Bit(blocker)) == 0) continue;
        visited_ |= Bit(blocker);
        const Wait* next = wait_of_(blocker);
        closes = next != nullptr && Reaches(blocker, *next, reversed);
      }
      if (closes) {
        reversed->push_back(task);
        return true;
      }
    }
    return false;
  }

  void CollectBlocked(TaskId task) {
    const Wait* wait = wait_of_(task);
    if (wait == nullptr || wait->waitable == nullptr) return;
    Blockers blockers;
    wait->waitable->AppendBlockers(task, &blockers);
    for (const TaskId blocker : blockers.tasks()) {
      if ((visited_ & Bit(blocker)) != 0) continue;
      visited_ |= Bit(blocker);
      CollectBlocked(blocker);
    }
  }

  bool IsStuck(TaskId task, uint64_t stuck) const {
    const Wait* wait = wait_of_(task);
    if (wait == nullptr || wait->waitable == nullptr) return false;
    Blockers blockers;
    wait->waitable->AppendBlockers(task, &blockers);
    const auto in = [stuck](TaskId blocker) { return (stuck & Bit(blocker)) != 0; };
    const absl::Span<const TaskId> tasks = blockers.tasks();
    if (tasks.empty()) return false;
    return blockers.any() ? std::all_of(tasks.begin(), tasks.end(), in) : std::any_of(tasks.begin(), tasks.end(), in);
  }

  const TaskId start_;
  const WaitOf wait_of_;
  uint64_t among_ = 0;
  uint64_t visited_ = 0;
  bool met_any_ = false;
};

}  // namespace

bool FindWaitCycle(TaskId start, WaitOf wait_of, std::vector<TaskId>* cycle, std::vector<TaskId>* knot) {
  if (knot != nullptr) knot->clear();
  Search search(start, wait_of);
  if (!search.FindCycle(~uint64_t{0}, cycle)) return false;
  if (search.met_any()) {
    uint64_t stuck = search.StuckTasks();
    if ((stuck & Bit(start)) == 0 || !search.FindCycle(stuck, cycle)) {
      cycle->clear();
      return false;
    }
    for (const TaskId task : *cycle) stuck &= ~Bit(task);
    for (; knot != nullptr && stuck != 0; stuck &= stuck - 1) {
      knot->push_back(TaskId{static_cast<uint16_t>(std::countr_zero(stuck))});
    }
  }
  std::reverse(cycle->begin(), cycle->end());
  return true;
}

}  // namespace ordeal
