// A block request between its making and its completion, as those see it who wait for it: while a task keeps it in its plug, only
// that task can bring it on (by submitting, or by sleeping where a plug is flushed); then the device has it, which always does.
//
// Thread-safety: tasks of one simulation. Invariants: submitted once.
// Example:
//   PluggedRequest read(scheduler.current());
//   folio.lock.HandOverToIo(&read);   // who wants the folio now waits for this task
//   ...
//   read.Submit();                    // from here on for the device
#ifndef ORDEAL_HARNESS_SYNC_PLUGGED_REQUEST_H_
#define ORDEAL_HARNESS_SYNC_PLUGGED_REQUEST_H_

#include "harness/choice/choice_point.h"

namespace ordeal {

class PluggedRequest {
 public:
  explicit PluggedRequest(TaskId plugged_by = kNoTask) : plugged_by_(plugged_by) {}
  void Submit() { plugged_by_ = kNoTask; }
  TaskId plugged_by() const { return plugged_by_; }

 private:
  TaskId plugged_by_;
};

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_SYNC_PLUGGED_REQUEST_H_
