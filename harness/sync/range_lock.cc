#include "harness/sync/range_lock.h"

#include "lockdep/support/check.h"

namespace ordeal {

RangeLock::RangeLock(Simulation& sim, lockdep::LockClassId lock_class, const char* name, uint32_t number)
    : sim_(sim),
      map_(sim.validator().NewMap(lock_class, name, number)),
      id_(sim.scheduler().NewObject(name, number, this)) {}

void RangeLock::LockExclusive(uint32_t begin, uint32_t end, lockdep::Site site) {
  Lock({sim_.scheduler().current(), begin, end, true, State::kDeclared}, site);
}

void RangeLock::LockShared(uint32_t begin, uint32_t end, lockdep::Site site) {
  Lock({sim_.scheduler().current(), begin, end, false, State::kDeclared}, site);
}

void RangeLock::Lock(Range range, lockdep::Site site) {
  LD_CHECK(range.begin < range.end, "a range lock of an empty range");
  Scheduler& scheduler = sim_.scheduler();
  ranges_.push_back(range);
  scheduler.Point(OperationKind::kAcquire, id_, site);
  // It queues now: whoever came while it was only declared is before it.
  ranges_.erase(ranges_.begin() + static_cast<std::ptrdiff_t>(Find(range.task, State::kDeclared)));
  ranges_.push_back(range);
  const lockdep::Mode mode = range.exclusive ? lockdep::Mode::kExclusive : lockdep::Mode::kShared;
  sim_.validator().Acquire(sim_.context(), map_, mode, {0, false, site});
  const bool waits = MustWait(ranges_.size() - 1);
  ranges_.back().state = waits ? State::kWaiting : State::kHeld;
  if (!waits) return;
  scheduler.BeginBypassCount();
  scheduler.Block({OperationKind::kAcquire, id_, this, site});
}

void RangeLock::Unlock(lockdep::Site site) {
  Scheduler& scheduler = sim_.scheduler();
  scheduler.Point(OperationKind::kRelease, id_, site);
  if (scheduler.unwinding()) return;
  sim_.validator().Release(sim_.context(), map_, site);
  const size_t own = Find(scheduler.current(), State::kHeld);
  if (own == ranges_.size()) return;  // the validator has reported it
  ranges_.erase(ranges_.begin() + static_cast<std::ptrdiff_t>(own));
  for (size_t i = 0; i < ranges_.size(); ++i) {
    if (ranges_[i].state != State::kWaiting || MustWait(i)) continue;
    ranges_[i].state = State::kHeld;
    scheduler.Wake(ranges_[i].task);
  }
}

bool RangeLock::HeldByCurrent() const { return Find(sim_.scheduler().current(), State::kHeld) != ranges_.size(); }

bool RangeLock::MustWait(size_t index) const {
  for (size_t i = 0; i < index; ++i) {
    if (ranges_[i].state != State::kDeclared && Conflict(ranges_[i], ranges_[index])) return true;
  }
  return false;
}

// A task that has only declared its request would queue last.
void RangeLock::AppendBlockers(TaskId waiter, Blockers* out) const {
  size_t own = Find(waiter, State::kWaiting);
  const bool waits = own != ranges_.size();
  if (!waits) own = Find(waiter, State::kDeclared);
  if (own == ranges_.size()) return;
  const size_t ahead = waits ? own : ranges_.size();
  for (size_t i = 0; i < ahead; ++i) {
    if (i != own && ranges_[i].state != State::kDeclared && Conflict(ranges_[i], ranges_[own])) out->Add(ranges_[i].task);
  }
}

size_t RangeLock::Find(TaskId task, State state) const {
  size_t i = 0;
  while (i < ranges_.size() && (ranges_[i].task != task || ranges_[i].state != state)) ++i;
  return i;
}

}  // namespace ordeal
