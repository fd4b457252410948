#include "harness/sync/six_lock.h"

#include <algorithm>

#include "lockdep/support/check.h"

namespace ordeal {

SixLock::SixLock(Simulation& sim, lockdep::LockClassId lock_class, const char* name, uint32_t number)
    : sim_(sim), id_(sim.scheduler().NewObject(name, number, this)) {
  maps_.fill(sim.validator().NewMap(lock_class, name, number));
}

bool SixLock::Holds(TaskId task, SixMode mode) const {
  switch (mode) {
    case SixMode::kShared: return std::find(readers_.begin(), readers_.end(), task) != readers_.end();
    case SixMode::kIntent: return intent_ == task && task != kNoTask;
    case SixMode::kExclusive: return exclusive_ && intent_ == task;
  }
  return false;
}

bool SixLock::IsWaiting(SixMode mode) const {
  return std::any_of(waiters_.begin(), waiters_.end(), [mode](const Waiter& w) { return w.mode == mode; });
}

// Of a newcomer. Readers queue behind a waiting writer, intents behind waiting intents.
bool SixLock::CanTake(SixMode mode) const {
  switch (mode) {
    case SixMode::kShared: return !exclusive_ && !IsWaiting(SixMode::kExclusive);
    case SixMode::kIntent: return intent_ == kNoTask && !IsWaiting(SixMode::kIntent);
    case SixMode::kExclusive: return readers_.empty();
  }
  return false;
}

void SixLock::Declare(OperationKind operation, SixMode mode, lockdep::Site site) {
  Scheduler& scheduler = sim_.scheduler();
  if (scheduler.in_task()) declared_[Index(scheduler.current())] = mode;
  scheduler.Point(operation, id_, site);
  if (mode != SixMode::kExclusive || scheduler.unwinding()) return;
  const TaskId self = scheduler.current();
  LD_CHECK(Holds(self, SixMode::kIntent) && !exclusive_, "a SIX lock is taken exclusively by a holder of intent, once");
}

void SixLock::Tell(SixMode mode, bool trylock, int subclass, lockdep::Site site) {
  sim_.validator().AcquireMode(sim_.context(), Map(mode), static_cast<int>(mode),
                               {.subclass = subclass, .trylock = trylock, .site = site});
}

void SixLock::Take(TaskId task, SixMode mode) {
  switch (mode) {
    case SixMode::kShared: readers_.push_back(task); break;
    case SixMode::kIntent: intent_ = task; break;
    case SixMode::kExclusive: exclusive_ = true; break;
  }
}

void SixLock::Wait(SixMode mode, lockdep::Site site) {
  Scheduler& scheduler = sim_.scheduler();
  waiters_.push_back({scheduler.current(), mode});
  scheduler.Block({OperationKind::kAcquire, id_, this, site});
}

void SixLock::Lock(SixMode mode, int subclass, lockdep::Site site) {
  Declare(OperationKind::kAcquire, mode, site);
  Tell(mode, false, subclass, site);
  if (CanTake(mode)) {
    Take(sim_.scheduler().current(), mode);
  } else {
    Wait(mode, site);  // who releases makes it the holder
  }
}

// To the validator it is a trylock until it is certain to be no restart: orders that end in a restart do no harm.
bool SixLock::LockOrRestart(SixMode mode, int subclass, lockdep::Site site) {
  Scheduler& scheduler = sim_.scheduler();
  Declare(OperationKind::kAcquire, mode, site);
  if (CanTake(mode)) {
    Take(scheduler.current(), mode);
  } else {
    if (scheduler.WouldDeadlock({OperationKind::kAcquire, id_, this, site})) return false;
    Wait(mode, site);
  }
  Tell(mode, true, subclass, site);
  return true;
}

bool SixLock::TryTake(SixMode mode, int subclass, lockdep::Site site) {
  Scheduler& scheduler = sim_.scheduler();
  if (!CanTake(mode) || scheduler.ChooseFault(ChoiceKind::kTrylock, 2, id_) == 1) return false;
  Take(scheduler.current(), mode);
  Tell(mode, true, subclass, site);
  return true;
}

bool SixLock::TryLock(SixMode mode, int subclass, lockdep::Site site) {
  Declare(OperationKind::kTryAcquire, mode, site);
  return TryTake(mode, subclass, site);
}

bool SixLock::Relock(SixMode mode, uint64_t sequence, int subclass, lockdep::Site site) {
  LD_CHECK(mode != SixMode::kExclusive, "an exclusive SIX lock is taken anew, not relocked");
  Declare(OperationKind::kTryAcquire, mode, site);
  return sequence_ == sequence && TryTake(mode, subclass, site);
}

void SixLock::GiveUp(SixMode mode) {
  switch (mode) {
    case SixMode::kShared:
      readers_.erase(std::find(readers_.begin(), readers_.end(), sim_.scheduler().current()));
      break;
    case SixMode::kIntent:
      LD_CHECK(!exclusive_, "intent of a SIX lock is released before exclusive");
      intent_ = kNoTask;
      break;
    case SixMode::kExclusive:
      exclusive_ = false;
      ++sequence_;
      break;
  }
}

void SixLock::Unlock(SixMode mode, lockdep::Site site) {
  Scheduler& scheduler = sim_.scheduler();
  scheduler.Point(OperationKind::kRelease, id_, site);
  if (scheduler.unwinding()) return;
  sim_.validator().Release(sim_.context(), Map(mode), site);
  if (!HeldByCurrent(mode)) return;  // the validator has reported it
  GiveUp(mode);
  HandOff();
}

// All who can, in order of arrival. A waiting writer is there alone, since it holds intent: it goes before the readers behind it.
void SixLock::HandOff() {
  for (size_t i = 0; i < waiters_.size();) {
    const Waiter waiter = waiters_[i];
    const bool behind_writer = waiter.mode == SixMode::kShared && (exclusive_ || IsWaiting(SixMode::kExclusive));
    const bool can = waiter.mode == SixMode::kShared   ? !behind_writer
                     : waiter.mode == SixMode::kIntent ? intent_ == kNoTask
                                                       : readers_.empty();
    if (!can) {
      ++i;
      continue;
    }
    waiters_.erase(waiters_.begin() + static_cast<ptrdiff_t>(i));
    Take(waiter.task, waiter.mode);
    sim_.scheduler().Wake(waiter.task);
  }
}

bool SixLock::TryUpgrade(int subclass, lockdep::Site site) {
  Scheduler& scheduler = sim_.scheduler();
  Declare(OperationKind::kTryAcquire, SixMode::kIntent, site);
  LD_CHECK(HeldByCurrent(SixMode::kShared) || scheduler.unwinding(), "an upgrade of a SIX lock that is not shared");
  if (scheduler.unwinding() || !TryTake(SixMode::kIntent, subclass, site)) return false;
  sim_.validator().Release(sim_.context(), Map(SixMode::kShared), site);
  GiveUp(SixMode::kShared);
  HandOff();
  return true;
}

void SixLock::Downgrade(int subclass, lockdep::Site site) {
  Scheduler& scheduler = sim_.scheduler();
  scheduler.Point(OperationKind::kRelease, id_, site);
  if (scheduler.unwinding()) return;
  LD_CHECK(HeldByCurrent(SixMode::kIntent) && !exclusive_, "a downgrade of a SIX lock that is not held with intent alone");
  Tell(SixMode::kShared, true, subclass, site);
  Take(scheduler.current(), SixMode::kShared);
  sim_.validator().Release(sim_.context(), Map(SixMode::kIntent), site);
  GiveUp(SixMode::kIntent);
  HandOff();
}

void SixLock::CheckInvariants() const {
  LD_CHECK(!exclusive_ || (intent_ != kNoTask && readers_.empty()), "a SIX lock is exclusive without intent, or shared");
  int writers = 0;
  for (size_t i = 0; i < waiters_.size(); ++i) {
    const Waiter& waiter = waiters_[i];
    if (waiter.mode == SixMode::kIntent) LD_CHECK(intent_ != kNoTask, "an intent of a SIX lock waits for nobody");
    if (waiter.mode == SixMode::kShared) {
      LD_CHECK(exclusive_ || IsWaiting(SixMode::kExclusive), "a reader of a SIX lock waits for nobody");
    }
    if (waiter.mode != SixMode::kExclusive) continue;
    ++writers;
    LD_CHECK(waiter.task == intent_ && !exclusive_ && !readers_.empty(), "a writer of a SIX lock waits for nobody");
  }
  LD_CHECK(writers <= 1, "two writers of a SIX lock");
}

// A reader waits for the writer, inside or waiting; an intent for its owner and the intents ahead; a writer for the readers. A
// task that is not queued has only declared its acquisition, and would queue last.
void SixLock::AppendBlockers(TaskId waiter, Blockers* out) const {
  const auto self =
      std::find_if(waiters_.begin(), waiters_.end(), [&](const Waiter& other) { return other.task == waiter; });
  const SixMode wanted = self == waiters_.end() ? declared_[Index(waiter)] : self->mode;
  switch (wanted) {
    case SixMode::kShared:
      if (exclusive_ || IsWaiting(SixMode::kExclusive)) out->Add(intent_);
      break;
    case SixMode::kIntent:
      out->Add(intent_);
      for (auto ahead = waiters_.begin(); ahead != self; ++ahead) {
        if (ahead->mode == SixMode::kIntent) out->Add(ahead->task);
      }
      break;
    case SixMode::kExclusive:
      for (const TaskId reader : readers_) out->Add(reader);
      break;
  }
}

}  // namespace ordeal
