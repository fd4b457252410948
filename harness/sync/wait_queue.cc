#include "harness/sync/wait_queue.h"

#include "lockdep/support/check.h"

namespace ordeal {

WaitQueue::WaitQueue(Simulation& sim, lockdep::LockClassId event_class, const char* name, uint32_t number)
    : sim_(sim),
      map_(sim.validator().NewMap(event_class, name, number)),
      id_(sim.scheduler().NewObject(name, number, this)) {}

void WaitQueue::BeginWait(lockdep::Site site) {
  sim_.scheduler().Point(OperationKind::kWait, id_);
  sim_.validator().Wait(sim_.context(), map_, {0, false, site});
}

void WaitQueue::Sleep(lockdep::Site site) {
  waiters_.PushBack(sim_.scheduler().current());
  sim_.scheduler().Block({OperationKind::kWait, id_, this, site});
}

void WaitQueue::WakeOne() {
  Scheduler& scheduler = sim_.scheduler();
  scheduler.Point(OperationKind::kSignal, id_);
  if (scheduler.unwinding() || waiters_.empty()) return;
  scheduler.Wake(waiters_.PopFront());
}

void WaitQueue::WakeAll() {
  Scheduler& scheduler = sim_.scheduler();
  scheduler.Point(OperationKind::kSignal, id_);
  if (scheduler.unwinding()) return;
  while (!waiters_.empty()) scheduler.Wake(waiters_.PopFront());
}

void WaitQueue::AppendBlockers(TaskId, Blockers* out) const { out->Add(trigger_); }

void CounterDrain::End() {
  LD_CHECK(count_ > 0, "a counter drain ends more than it began");
  if (--count_ == 0) queue_.WakeAll();
}

}  // namespace ordeal
