// Events: what their trigger depends on.

#include "lockdep/runtime/held_locks.h"
#include "lockdep/runtime/history.h"
#include "lockdep/runtime/validator.h"

namespace ordeal::lockdep {

void Validator::RememberAcquisitions(TaskContext& task) { task.history_ = std::make_unique<AcquisitionHistory>(); }
void Validator::Remember(TaskContext& task) { task.history_->Add(task.held_.back()); }

void Validator::Owe(TaskContext& task, const LockMap& event, Site site, int subclass) {
  HeldLock owed = NotHeld(event, site);
  owed.word = ChainWord(NodeOf(event.lock_class, subclass), Mode::kExclusive) | task.context_ | kTrylock | kOwed;
  PushAndJudge(task, owed);
}

void Validator::Trigger(TaskContext& task, const LockMap& event, Site site, int subclass) {
  if (task.Holds(event)) Release(task, event, site);
}

}  // namespace ordeal::lockdep
