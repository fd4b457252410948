#include "harness/sync/wait_queue.h"

#include "lockdep/support/check.h"

namespace ordeal {

WaitQueue::WaitQueue(Simulation& sim, lockdep::LockClassId event_class, const char* name, uint32_t number)
    : sim_(sim),
      map_(sim.validator().NewMap(event_class, name, number)),
      id_(sim.scheduler().NewObject(name, number, this)) {}

WaitQueue::~WaitQueue() {
  if (told_) sim_.validator().ForgetEvent(map_);
}

void WaitQueue::BeginWait(lockdep::Site site) {
  sim_.scheduler().Point(OperationKind::kWait, id_);
  sim_.validator().BeginWait(sim_.context(), map_, {0, false, site});
}

void WaitQueue::EndWait() { sim_.validator().EndWait(sim_.context(), map_); }

void WaitQueue::Sleep(lockdep::Site site) {
  waiters_.PushBack(sim_.scheduler().current());
  sim_.scheduler().Block({OperationKind::kWait, id_, this, site});
}

void WaitQueue::WakeOne(lockdep::Site site) {
  Scheduler& scheduler = sim_.scheduler();
  scheduler.Point(OperationKind::kSignal, id_);
  if (scheduler.unwinding()) return;
  told_ = true;
  sim_.validator().Trigger(sim_.context(), map_, site);
  if (!waiters_.empty()) scheduler.Wake(waiters_.PopFront());
}

void WaitQueue::WakeAll(lockdep::Site site) {
  Scheduler& scheduler = sim_.scheduler();
  scheduler.Point(OperationKind::kSignal, id_);
  if (scheduler.unwinding()) return;
  told_ = true;
  sim_.validator().Trigger(sim_.context(), map_, site);
  while (!waiters_.empty()) scheduler.Wake(waiters_.PopFront());
}

void WaitQueue::AppendBlockers(TaskId, Blockers* out) const { out->Add(trigger_); }

void WaitQueue::Owe(lockdep::Site site) {
  if (!sim_.scheduler().unwinding()) sim_.validator().Owe(sim_.context(), map_, site);
}

void WaitQueue::HandOver() {
  if (sim_.scheduler().unwinding() || !sim_.context().Holds(map_)) return;
  sim_.validator().HandOver(sim_.context(), map_);
}

void WaitQueue::Arm(bool anew) {
  told_ = true;
  sim_.validator().Arm(sim_.context(), map_, anew);
}

void CounterDrain::Begin() { queue_.Arm(++count_ == 1); }
void CounterDrain::TakeOver(lockdep::Site site) { queue_.Owe(site); }

void CounterDrain::End(lockdep::Site site) {
  LD_CHECK(count_ > 0, "a counter drain ends more than it began");
  if (--count_ > 0) {
    queue_.HandOver();
  } else {
    queue_.WakeAll(site);
  }
}

}  // namespace ordeal
