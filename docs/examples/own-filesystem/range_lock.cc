#include "range_lock.h"

#include "lockdep/support/check.h"

namespace mytrial {

using ordeal::OperationKind;
using ordeal::Scheduler;
using ordeal::TaskId;

RangeLock::RangeLock(ordeal::Simulation& sim, ordeal::lockdep::LockClassId lock_class, const char* name, uint32_t number)
    : sim_(sim),
      map_(sim.validator().NewMap(lock_class, name, number)),
      id_(sim.scheduler().NewObject(name, number, this)) {}

// Four steps that every primitive has: declare the operation (others may run there), tell the validator (before it blocks),
// take the lock or queue, and block.
void RangeLock::Lock(uint32_t begin, uint32_t end, ordeal::lockdep::Site site) {
  Scheduler& scheduler = sim_.scheduler();
  scheduler.Point(OperationKind::kAcquire, id_, site);
  sim_.validator().Acquire(sim_.context(), map_, ordeal::lockdep::Mode::kExclusive, {.subclass = 0, .trylock = false, .site = site});
  const TaskId self = scheduler.current();
  ranges_.push_back({self, begin, end, true});
  if (!MustWait(ranges_.size() - 1)) return;
  ranges_.back().held = false;
  scheduler.Block({.kind = OperationKind::kAcquire, .object = id_, .waitable = this, .site = site});
}

void RangeLock::Unlock(ordeal::lockdep::Site site) {
  Scheduler& scheduler = sim_.scheduler();
  scheduler.Point(OperationKind::kRelease, id_, site);
  if (scheduler.unwinding()) return;  // the run is over; what is left of its tasks passes by here
  sim_.validator().Release(sim_.context(), map_, site);
  const size_t own = IndexOf(scheduler.current());
  if (own == ranges_.size()) return;  // not held: the validator has reported it
  ranges_.erase(ranges_.begin() + static_cast<std::ptrdiff_t>(own));
  for (size_t i = 0; i < ranges_.size(); ++i) {
    if (ranges_[i].held || MustWait(i)) continue;
    ranges_[i].held = true;
    scheduler.Wake(ranges_[i].task);
  }
}

void RangeLock::AppendBlockers(TaskId waiter, ordeal::Blockers* out) const {
  const size_t own = IndexOf(waiter);
  for (size_t i = 0; i < own && own < ranges_.size(); ++i) {
    if (Overlap(ranges_[i], ranges_[own])) out->Add(ranges_[i].task);
  }
}

bool RangeLock::MustWait(size_t index) const {
  for (size_t i = 0; i < index; ++i) {
    if (Overlap(ranges_[i], ranges_[index])) return true;
  }
  return false;
}

size_t RangeLock::IndexOf(TaskId task) const {
  size_t i = 0;
  while (i < ranges_.size() && ranges_[i].task != task) ++i;
  return i;
}

}  // namespace mytrial
