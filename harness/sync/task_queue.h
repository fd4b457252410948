// Waiting tasks in order of arrival.
//
// Thread-safety: none. Invariants: a task is at most once in a queue. Cost: O(waiters) to remove; nothing is allocated while
// at most 8 wait (inline storage).
// Example:  queue.PushBack(scheduler.current()); ... scheduler.Wake(queue.PopFront());
#ifndef ORDEAL_HARNESS_SYNC_TASK_QUEUE_H_
#define ORDEAL_HARNESS_SYNC_TASK_QUEUE_H_

#include <algorithm>

#include "absl/container/inlined_vector.h"
#include "harness/choice/choice_point.h"

namespace ordeal {

class TaskQueue {
 public:
  bool empty() const { return tasks_.empty(); }
  size_t size() const { return tasks_.size(); }
  TaskId front() const { return tasks_.front(); }
  void PushBack(TaskId task) { tasks_.push_back(task); }
  TaskId PopFront() {
    const TaskId task = tasks_.front();
    tasks_.erase(tasks_.begin());
    return task;
  }
  bool Remove(TaskId task) {
    const auto it = std::find(tasks_.begin(), tasks_.end(), task);
    if (it == tasks_.end()) return false;
    tasks_.erase(it);
    return true;
  }
  auto begin() const { return tasks_.begin(); }
  auto end() const { return tasks_.end(); }

 private:
  absl::InlinedVector<TaskId, 8> tasks_;
};

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_SYNC_TASK_QUEUE_H_
