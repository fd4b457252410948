#include "harness/sync/rw_semaphore.h"

#include <algorithm>

namespace ordeal {
namespace {

lockdep::Mode ModeOf(bool exclusive) { return exclusive ? lockdep::Mode::kExclusive : lockdep::Mode::kShared; }

}  // namespace

RwSemaphore::RwSemaphore(Simulation& sim, lockdep::LockClassId lock_class, const char* name, uint32_t number,
                         StealRule steal)
    : sim_(sim),
      map_(sim.validator().NewMap(lock_class, name, number)),
      id_(sim.scheduler().NewObject(name, number, this)),
      steal_(steal) {}

bool RwSemaphore::CanTake(bool exclusive) const {
  return writer_ == kNoTask && waiters_.empty() && (!exclusive || readers_.empty());
}

void RwSemaphore::Take(TaskId task, bool exclusive) {
  if (exclusive) {
    writer_ = task;
  } else {
    readers_.push_back(task);
  }
}

// A reader may pass the queue while no writer owns the lock and at most one reader is inside (protocols 1.1.1).
bool RwSemaphore::Steals() {
  if (steal_ != StealRule::kLegal || writer_ != kNoTask || readers_.size() > 1) return false;
  if (sim_.scheduler().Choose(ChoiceKind::kReaderSteal, 2, id_) == 0) return false;
  for (const Waiter& passed : waiters_) sim_.scheduler().NoteBypass(passed.task, sim_.scheduler().current());
  return true;
}

// True: it is the task's. False: it is queued, and blocks next.
bool RwSemaphore::LockOrQueue(bool exclusive, int subclass, lockdep::Site site) {
  Scheduler& scheduler = sim_.scheduler();
  if (scheduler.in_task()) {
    const uint64_t bit = uint64_t{1} << Index(scheduler.current());
    declared_shared_ = exclusive ? declared_shared_ & ~bit : declared_shared_ | bit;
  }
  scheduler.Point(OperationKind::kAcquire, id_, site);
  sim_.validator().Acquire(sim_.context(), map_, ModeOf(exclusive), {subclass, false, site});
  if (CanTake(exclusive) || (!exclusive && Steals())) {
    Take(scheduler.current(), exclusive);
    return true;
  }
  scheduler.BeginBypassCount();
  waiters_.push_back({scheduler.current(), exclusive});
  return false;
}

void RwSemaphore::Lock(bool exclusive, int subclass, lockdep::Site site) {
  if (!LockOrQueue(exclusive, subclass, site)) sim_.scheduler().Block({OperationKind::kAcquire, id_, this, site});
}

bool RwSemaphore::LockKillable(bool exclusive, int subclass, lockdep::Site site) {
  if (LockOrQueue(exclusive, subclass, site)) return true;
  Scheduler& scheduler = sim_.scheduler();
  scheduler.BlockKillable({OperationKind::kAcquire, id_, this, site});
  const TaskId self = scheduler.current();
  const auto queued = std::find_if(waiters_.begin(), waiters_.end(), [self](const Waiter& w) { return w.task == self; });
  if (queued == waiters_.end()) return true;  // it was handed over, perhaps as the signal came
  waiters_.erase(queued);
  sim_.validator().Release(sim_.context(), map_, site);
  WakeHead();  // who queued behind it may go on
  return false;
}

bool RwSemaphore::TryLock(bool exclusive, int subclass, lockdep::Site site) {
  Scheduler& scheduler = sim_.scheduler();
  scheduler.Point(OperationKind::kTryAcquire, id_, site);
  if (!CanTake(exclusive) || scheduler.ChooseFault(ChoiceKind::kTrylock, 2, id_) == 1) return false;
  Take(scheduler.current(), exclusive);
  sim_.validator().Acquire(sim_.context(), map_, ModeOf(exclusive), {subclass, true, site});
  return true;
}

void RwSemaphore::Unlock(bool exclusive, lockdep::Site site) {
  Scheduler& scheduler = sim_.scheduler();
  scheduler.Point(OperationKind::kRelease, id_, site);
  if (scheduler.unwinding()) return;
  sim_.validator().Release(sim_.context(), map_, site);
  if (exclusive) {
    if (writer_ != scheduler.current()) return;  // the validator has reported it
    writer_ = kNoTask;
  } else {
    const auto self = std::find(readers_.begin(), readers_.end(), scheduler.current());
    if (self == readers_.end()) return;
    readers_.erase(self);
  }
  WakeHead();
}

// Hands the lock to the first waiter: a writer alone, or all readers at the head of the queue.
void RwSemaphore::WakeHead() {
  while (!waiters_.empty() && writer_ == kNoTask) {
    const Waiter head = waiters_.front();
    if (head.exclusive && !readers_.empty()) return;
    waiters_.erase(waiters_.begin());
    Take(head.task, head.exclusive);
    sim_.scheduler().Wake(head.task);
  }
}

void RwSemaphore::Downgrade(lockdep::Site site) {
  Scheduler& scheduler = sim_.scheduler();
  scheduler.Point(OperationKind::kRelease, id_, site);
  if (scheduler.unwinding() || writer_ != scheduler.current()) return;
  sim_.validator().Downgrade(sim_.context(), map_, lockdep::Mode::kShared);
  writer_ = kNoTask;
  readers_.push_back(scheduler.current());
  WakeHead();
}

void RwSemaphore::LockExclusive(int subclass, lockdep::Site site) { Lock(true, subclass, site); }
bool RwSemaphore::TryLockExclusive(int subclass, lockdep::Site site) { return TryLock(true, subclass, site); }
void RwSemaphore::UnlockExclusive(lockdep::Site site) { Unlock(true, site); }
void RwSemaphore::LockShared(int subclass, lockdep::Site site) { Lock(false, subclass, site); }
bool RwSemaphore::TryLockShared(int subclass, lockdep::Site site) { return TryLock(false, subclass, site); }
void RwSemaphore::UnlockShared(lockdep::Site site) { Unlock(false, site); }

bool RwSemaphore::LockExclusiveKillable(int subclass, lockdep::Site site) { return LockKillable(true, subclass, site); }
bool RwSemaphore::LockSharedKillable(int subclass, lockdep::Site site) { return LockKillable(false, subclass, site); }

bool RwSemaphore::HeldExclusiveByCurrent() const {
  return writer_ != kNoTask && writer_ == sim_.scheduler().current();
}

bool RwSemaphore::HeldByCurrent() const {
  return HeldExclusiveByCurrent() ||
         std::find(readers_.begin(), readers_.end(), sim_.scheduler().current()) != readers_.end();
}

// A waiter needs the holders that exclude it and everybody queued ahead whose turn excludes it. A task that has only declared
// its acquisition would queue last.
void RwSemaphore::AppendBlockers(TaskId waiter, Blockers* out) const {
  const auto self =
      std::find_if(waiters_.begin(), waiters_.end(), [&](const Waiter& other) { return other.task == waiter; });
  const bool declared_shared = (declared_shared_ >> Index(waiter) & 1) != 0;
  const bool exclusive = self == waiters_.end() ? !declared_shared : self->exclusive;
  out->Add(writer_);
  if (exclusive) {
    for (const TaskId reader : readers_) out->Add(reader);
  }
  for (auto ahead = waiters_.begin(); ahead != self; ++ahead) {
    if (exclusive || ahead->exclusive) out->Add(ahead->task);
  }
}

}  // namespace ordeal
