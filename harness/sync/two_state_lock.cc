#include "harness/sync/two_state_lock.h"

#include <algorithm>

#include "lockdep/support/check.h"

namespace ordeal {

TwoStateLock::TwoStateLock(Simulation& sim, lockdep::LockClassId lock_class, const char* name, uint32_t number,
                           uint64_t order_key)
    : sim_(sim),
      map_(sim.validator().NewMap(lock_class, name, number, order_key)),
      id_(sim.scheduler().NewObject(name, number, this)) {}

void TwoStateLock::Declare(TwoState state) {
  Scheduler& scheduler = sim_.scheduler();
  if (!scheduler.in_task()) return;
  const uint64_t bit = uint64_t{1} << ordeal::Index(scheduler.current());
  declared_block_ = state == TwoState::kBlock ? declared_block_ | bit : declared_block_ & ~bit;
}

// One held lock a unit, since units may be released and handed over one by one. Only the first can wait.
void TwoStateLock::Tell(TwoState state, int units, bool trylock, lockdep::Site site) {
  for (int unit = 0; unit < units; ++unit) {
    sim_.validator().AcquireMode(sim_.context(), map_, static_cast<int>(state),
                                 {.trylock = trylock || unit > 0, .site = site});
  }
}

void TwoStateLock::Lock(TwoState state, int units, lockdep::Site site) {
  LD_CHECK(units > 0, "a two-state lock is taken for at least one unit");
  Scheduler& scheduler = sim_.scheduler();
  Declare(state);
  scheduler.Point(OperationKind::kAcquire, id_, site);
  Tell(state, units, false, site);
  if (!Free(state)) {
    const TaskId self = scheduler.current();
    scheduler.BeginBypassCount();
    waiters_.push_back({self, state});
    int spurious_left = kSpuriousWakesMax;
    while (!Free(state) && !scheduler.unwinding()) {
      scheduler.BlockRetesting({OperationKind::kAcquire, id_, this, site}, &spurious_left);
    }
  }
  Take(state, units);
}

bool TwoStateLock::TryLock(TwoState state, int units, lockdep::Site site) {
  LD_CHECK(units > 0, "a two-state lock is taken for at least one unit");
  Scheduler& scheduler = sim_.scheduler();
  scheduler.Point(OperationKind::kTryAcquire, id_, site);
  if (!Free(state) || scheduler.ChooseFault(ChoiceKind::kTrylock, 2, id_) == 1) return false;
  Tell(state, units, true, site);
  Take(state, units);
  return true;
}

void TwoStateLock::Take(TwoState state, int units) {
  LD_CHECK(Free(state) || sim_.scheduler().unwinding(), "both states of a two-state lock are held (S11)");
  units_[Index(state)] += units;
  AddHold(state, units);
  LeaveQueue(state);
}

// Who arrived before and still waits for the other state has been passed by the current task.
void TwoStateLock::LeaveQueue(TwoState state) {
  if (waiters_.empty()) return;
  const TaskId self = sim_.scheduler().current();
  for (size_t i = 0; i < waiters_.size(); ++i) {
    if (waiters_[i].task == self) {
      waiters_.erase(waiters_.begin() + static_cast<ptrdiff_t>(i));
      return;
    }
    if (waiters_[i].state != state) sim_.scheduler().NoteBypass(waiters_[i].task, self);
  }
}

void TwoStateLock::AddHold(TwoState state, int units) {
  const TaskId self = sim_.scheduler().current();
  for (Hold& hold : holds_) {
    if (hold.task != self || hold.state != state) continue;
    hold.units += units;
    return;
  }
  holds_.push_back({self, state, units});
}

// The current task's units are no longer its own; false if it has not got as many.
bool TwoStateLock::GiveUp(TwoState state, int units, lockdep::Site site) {
  LD_CHECK(units > 0, "a two-state lock is released for at least one unit");
  const TaskId self = sim_.scheduler().current();
  for (int unit = 0; unit < units; ++unit) sim_.validator().Release(sim_.context(), map_, site);
  const auto hold = std::find_if(holds_.begin(), holds_.end(),
                                 [&](const Hold& h) { return h.task == self && h.state == state; });
  if (hold == holds_.end() || hold->units < units) return false;  // the validator has reported it
  hold->units -= units;
  if (hold->units == 0) holds_.erase(hold);
  return true;
}

void TwoStateLock::Unlock(TwoState state, int units, lockdep::Site site) {
  Scheduler& scheduler = sim_.scheduler();
  scheduler.Point(OperationKind::kRelease, id_, site);
  if (scheduler.unwinding() || !GiveUp(state, units, site)) return;
  units_[Index(state)] -= units;
  if (units_[Index(state)] == 0) WakeAll();
}

// They stay in the queue until they have it.
void TwoStateLock::WakeAll() {
  for (const Waiter& waiter : waiters_) sim_.scheduler().Wake(waiter.task);
}

void TwoStateLock::HandOver(TwoState state, int units) {
  if (sim_.scheduler().unwinding()) return;
  LD_CHECK(UnitsOf(sim_.scheduler().current(), state) >= units, "only a holder hands a two-state lock to an I/O request");
  GiveUp(state, units, {});
  units_of_io_[Index(state)] += units;
}

void TwoStateLock::TakeOver(TwoState state, int units, lockdep::Site site) {
  if (sim_.scheduler().unwinding()) return;
  LD_CHECK(units_of_io_[Index(state)] >= units,
           "an I/O completion takes over units of a two-state lock that no I/O request has");
  units_of_io_[Index(state)] -= units;
  Tell(state, units, true, site);
  AddHold(state, units);
}

int TwoStateLock::UnitsOf(TaskId task, TwoState state) const {
  for (const Hold& hold : holds_) {
    if (hold.task == task && hold.state == state) return hold.units;
  }
  return 0;
}

std::optional<std::string> FindIllegalUnits(const TwoStateUnits& units) {
  if (units.all[0] != 0 && units.all[1] != 0) return "both states of a two-state lock are held (S11)";
  for (const int state : {0, 1}) {
    if (units.all[state] < 0 || units.of_io[state] < 0) return "a two-state lock has less than no units (S16)";
    if (units.all[state] != units.of_io[state] + units.of_tasks[state]) {
      return "the units of a two-state lock do not add up (S16)";
    }
  }
  return std::nullopt;
}

std::optional<std::string> TwoStateLock::FindBroken() const {
  TwoStateUnits units;
  for (const size_t state : {0u, 1u}) {
    units.all[state] = units_[state];
    units.of_io[state] = units_of_io_[state];
  }
  for (const Hold& hold : holds_) units.of_tasks[Index(hold.state)] += hold.units;
  return FindIllegalUnits(units);
}

void TwoStateLock::CheckInvariants() const {
  const std::optional<std::string> broken = FindBroken();
  LD_CHECK(!broken.has_value(), *broken);
}

// Everybody who holds the other state. A task that is not queued has only declared its acquisition.
void TwoStateLock::AppendBlockers(TaskId waiter, Blockers* out) const {
  const auto self =
      std::find_if(waiters_.begin(), waiters_.end(), [&](const Waiter& other) { return other.task == waiter; });
  const bool declared_block = (declared_block_ >> ordeal::Index(waiter) & 1) != 0;
  const TwoState wanted = self != waiters_.end() ? self->state : declared_block ? TwoState::kBlock : TwoState::kAdd;
  for (const Hold& hold : holds_) {
    if (hold.state == Other(wanted)) out->Add(hold.task);
  }
}

}  // namespace ordeal
