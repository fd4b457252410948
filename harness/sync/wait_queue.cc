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
  sim_.scheduler().Point(OperationKind::kWait, id_, site);
  sim_.validator().BeginWait(sim_.context(), map_, {0, false, site});
}

void WaitQueue::EndWait() { sim_.validator().EndWait(sim_.context(), map_); }

// How often the wait may end spuriously.
int WaitQueue::BeginSleep() {
  sim_.scheduler().BeginBypassCount();
  return kSpuriousWakesMax;
}

void WaitQueue::Sleep(lockdep::Site site, int* spurious_left) {
  Scheduler& scheduler = sim_.scheduler();
  const TaskId self = scheduler.current();
  waiters_.PushBack(self);
  if (!scheduler.BlockRetesting({OperationKind::kWait, id_, this, site}, spurious_left)) waiters_.Remove(self);
}

bool WaitQueue::SleepInterruptible(lockdep::Site site) {
  Scheduler& scheduler = sim_.scheduler();
  const TaskId self = scheduler.current();
  waiters_.PushBack(self);
  const bool woken = scheduler.BlockKillable({OperationKind::kWait, id_, this, site});
  if (!woken) waiters_.Remove(self);
  return woken;
}

void WaitQueue::NoteWaitersPassed(size_t first_waiters) {
  Scheduler& scheduler = sim_.scheduler();
  if (!scheduler.counts_bypasses()) return;
  for (size_t i = 0; i < first_waiters; ++i) scheduler.NoteBypass(waiters_.at(i), scheduler.current());
}

void WaitQueue::WakeOne(lockdep::Site site) {
  Scheduler& scheduler = sim_.scheduler();
  scheduler.Point(OperationKind::kSignal, id_, site);
  if (scheduler.unwinding()) return;
  told_ = true;
  sim_.validator().Trigger(sim_.context(), map_, site);
  if (waiters_.empty()) return;
  if (!unordered_) return scheduler.Wake(waiters_.PopFront());
  const int nth = scheduler.Choose(ChoiceKind::kWakeOrder, static_cast<int>(waiters_.size()), id_);
  const TaskId chosen = waiters_.at(static_cast<size_t>(nth));
  for (int i = 0; i < nth; ++i) scheduler.NoteBypass(waiters_.at(static_cast<size_t>(i)), chosen);
  waiters_.Remove(chosen);
  scheduler.Wake(chosen);
}

void WaitQueue::WakeAll(lockdep::Site site) {
  Scheduler& scheduler = sim_.scheduler();
  scheduler.Point(OperationKind::kSignal, id_, site);
  if (scheduler.unwinding()) return;
  told_ = true;
  sim_.validator().Trigger(sim_.context(), map_, site);
  while (!waiters_.empty()) scheduler.Wake(waiters_.PopFront());
}

void WaitQueue::AppendBlockers(TaskId, Blockers* out) const {
  if (request_ != nullptr) out->Add(request_->plugged_by());
  out->Add(trigger_);
  for (const TaskId task : any_trigger_) out->Add(task);
  if (any_trigger_.empty()) return;
  if (device_may_trigger_) {
    out->AnySufficesAndOneProgresses();
  } else {
    out->AnySuffices();
  }
}

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
