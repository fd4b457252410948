// What a task acquired since it last triggered an event: the event could not have been triggered before.
//
// Thread-safety: one task.
#ifndef ORDEAL_LOCKDEP_RUNTIME_HISTORY_H_
#define ORDEAL_LOCKDEP_RUNTIME_HISTORY_H_

#include <vector>

#include "lockdep/runtime/task_context.h"

namespace ordeal::lockdep {

class AcquisitionHistory {
 public:
  void Add(const HeldLock& held) { acquired_.push_back(held); }
  const std::vector<HeldLock>& acquired() const { return acquired_; }
  void Clear() { acquired_.clear(); }

 private:
  std::vector<HeldLock> acquired_;
};

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_RUNTIME_HISTORY_H_
