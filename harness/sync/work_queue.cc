#include "harness/sync/work_queue.h"

#include <algorithm>

#include "lockdep/support/check.h"

namespace ordeal {

WorkQueue::WorkQueue(Simulation& sim, lockdep::LockClassId slot_class, WorkQueueOptions options, const char* name)
    : sim_(sim),
      options_(options),
      slot_(sim.validator().NewMap(slot_class, name)),
      id_(sim.scheduler().NewObject(name)) {
  LD_CHECK(options.workers > 0, "a work queue without workers");
  for (int i = 0; i < options.workers; ++i) {
    sim.scheduler().Spawn("worker", [this] { Serve(false); }, TaskKind::kDaemon);
  }
  if (options.rescuer) sim.scheduler().Spawn("rescuer", [this] { Serve(true); }, TaskKind::kDaemon);
}

bool WorkQueue::Queue(WorkItem& item) {
  Scheduler& scheduler = sim_.scheduler();
  scheduler.Point(OperationKind::kSignal, id_);
  if (scheduler.unwinding() || item.state_ != WorkItem::State::kIdle) return false;
  item.state_ = WorkItem::State::kQueued;
  item.done_.Arm();
  queue_.push_back(&item);
  SetTriggers();
  if (!idle_.empty()) {
    const TaskId worker = idle_.front();
    idle_.erase(idle_.begin());
    scheduler.Wake(worker);
  } else if (idle_rescuer_ != kNoTask) {
    scheduler.Wake(std::exchange(idle_rescuer_, kNoTask));
  }
  return true;
}

// Workers that have never run are not idle: they look at the queue when they begin.
void WorkQueue::Serve(bool rescuer) {
  Scheduler& scheduler = sim_.scheduler();
  for (;;) {
    while (queue_.empty()) {
      if (rescuer) {
        idle_rescuer_ = scheduler.current();
      } else {
        idle_.push_back(scheduler.current());
      }
      scheduler.Block({.kind = OperationKind::kWait, .object = id_});
    }
    WorkItem& item = *queue_.front();
    queue_.erase(queue_.begin());
    Execute(item, lockdep::Site::Here());
  }
}

void WorkQueue::Execute(WorkItem& item, lockdep::Site site) {
  executing_ = sim_.scheduler().current();
  item.state_ = WorkItem::State::kExecuting;
  item.done_.set_trigger(executing_);
  SetTriggers();
  item.done_.Owe(site);
  lockdep::Validator& validator = sim_.validator();
  validator.Acquire(sim_.context(), slot_, lockdep::Mode::kExclusive, {0, options_.rescuer, site});
  item.function_();
  validator.Release(sim_.context(), slot_, site);
  executing_ = kNoTask;
  item.state_ = WorkItem::State::kIdle;
  item.done_.set_trigger(kNoTask);
  SetTriggers();
  item.done_.WakeAll(site);
}

// Who waits for a queued item of a pool of one waits for what that executes; of several workers, for none in particular.
void WorkQueue::SetTriggers() {
  if (options_.workers > 1 || options_.rescuer) return;
  for (WorkItem* item : queue_) item->done_.set_trigger(executing_);
}

}  // namespace ordeal
