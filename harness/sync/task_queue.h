// Waiting tasks in order of arrival.
//
// Thread-safety: none. Invariants: a task is at most once in a queue, so that a ring of kTasksMax never overflows.
// Cost:          push and pop are a few instructions; Remove O(waiters); nothing is ever allocated.
// Example:       queue.PushBack(scheduler.current()); ... scheduler.Wake(queue.PopFront());
#ifndef ORDEAL_HARNESS_SYNC_TASK_QUEUE_H_
#define ORDEAL_HARNESS_SYNC_TASK_QUEUE_H_

#include <array>

#include "harness/choice/choice_point.h"
#include "harness/sched/scheduler.h"

namespace ordeal {

class TaskQueue {
 public:
  bool empty() const { return count_ == 0; }
  size_t size() const { return count_; }
  TaskId front() const { return at(0); }
  // The i-th in order of arrival, i < size().
  TaskId at(size_t i) const { return ring_[(head_ + i) % kTasksMax]; }
  void PushBack(TaskId task) { ring_[(head_ + count_++) % kTasksMax] = task; }
  TaskId PopFront() {
    const TaskId task = ring_[head_];
    head_ = (head_ + 1) % kTasksMax;
    --count_;
    return task;
  }
  bool Remove(TaskId task) {
    size_t kept = 0;
    for (size_t i = 0; i < count_; ++i) {
      const TaskId waiting = at(i);
      if (waiting != task) ring_[(head_ + kept++) % kTasksMax] = waiting;
    }
    const bool removed = kept != count_;
    count_ = static_cast<uint32_t>(kept);
    return removed;
  }

 private:
  uint32_t head_ = 0;
  uint32_t count_ = 0;
  std::array<TaskId, kTasksMax> ring_;
};

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_SYNC_TASK_QUEUE_H_
