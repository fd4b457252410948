#include "harness/sync/page_lock.h"

#include <algorithm>

#include "lockdep/support/check.h"

namespace ordeal {

using lockdep::Mode;

PageLock::PageLock(Simulation& sim, lockdep::LockClassId lock_class, const char* name, uint32_t number,
                   uint64_t order_key, PageLockRules rules)
    : sim_(sim),
      map_(sim.validator().NewMap(lock_class, name, number, order_key)),
      id_(sim.scheduler().NewObject(name, number, this)),
      rules_(rules) {}

PageLock::~PageLock() {
  if (rules_.wait_table == nullptr) return;
  for (std::vector<PageLock*>& bucket : rules_.wait_table->buckets_) {
    bucket.erase(std::remove(bucket.begin(), bucket.end(), this), bucket.end());
  }
}

// An arrival, or a waiter that was woken. If the lock is unfair, that passes those who have waited longer.
bool PageLock::TakeIfFree() {
  if (locked()) return false;
  Scheduler& scheduler = sim_.scheduler();
  owner_ = Owner::kTask;
  owner_task_ = scheduler.current();
  if (waiters_.empty()) return true;
  const Waiters::iterator self = Find(owner_task_);
  for (auto ahead = waiters_.begin(); ahead != self; ++ahead) {
    if (ahead->wants_lock) scheduler.NoteBypass(ahead->task, owner_task_);
  }
  if (self != waiters_.end()) Leave(self);
  return true;
}

void PageLock::Lock(lockdep::Site site) {
  Scheduler& scheduler = sim_.scheduler();
  scheduler.Point(OperationKind::kAcquire, id_, site);
  sim_.validator().Acquire(sim_.context(), map_, Mode::kExclusive, {0, false, site});
  if (!TakeIfFree()) WaitFor(true, false, site);
}

bool PageLock::LockKillable(lockdep::Site site) {
  Scheduler& scheduler = sim_.scheduler();
  scheduler.Point(OperationKind::kAcquire, id_, site);
  sim_.validator().Acquire(sim_.context(), map_, Mode::kExclusive, {0, false, site});
  if (TakeIfFree() || WaitFor(true, true, site)) return true;
  sim_.validator().Release(sim_.context(), map_, site);
  return false;
}

bool PageLock::LockOr(absl::FunctionRef<bool()> instead, lockdep::Site site) {
  Scheduler& scheduler = sim_.scheduler();
  const TaskId self = scheduler.current();
  scheduler.Point(OperationKind::kAcquire, id_, site);
  if (!TakeIfFree()) {
    if (instead()) return false;
    Enqueue(self, true);
    int spurious_left = kSpuriousWakesMax;
    do {
      scheduler.BlockRetesting({OperationKind::kAcquire, id_, this, site}, &spurious_left);
      if (scheduler.unwinding()) return true;
      if (Served(self, true)) break;
      if (instead()) {
        Leave(Find(self));
        return false;
      }
    } while (true);
  }
  sim_.validator().Acquire(sim_.context(), map_, Mode::kExclusive, {0, true, site});
  return true;
}

void PageLock::WakeWaiters() {
  for (const Waiter& waiter : waiters_) sim_.scheduler().Wake(waiter.task);
}

bool PageLock::TryLock(lockdep::Site site) {
  Scheduler& scheduler = sim_.scheduler();
  scheduler.Point(OperationKind::kTryAcquire, id_, site);
  if (locked() || scheduler.ChooseFault(ChoiceKind::kTrylock, 2, id_) == 1) return false;
  TakeIfFree();
  sim_.validator().Acquire(sim_.context(), map_, Mode::kExclusive, {0, true, site});
  return true;
}

void PageLock::LockNew(lockdep::Site site) {
  LD_CHECK(!locked(), "LockNew of a folio lock that is held");
  owner_ = Owner::kTask;
  owner_task_ = sim_.scheduler().current();
  sim_.validator().Acquire(sim_.context(), map_, Mode::kExclusive, {0, true, site});
}

void PageLock::Unlock(lockdep::Site site) {
  Scheduler& scheduler = sim_.scheduler();
  scheduler.Point(OperationKind::kRelease, id_, site);
  if (scheduler.unwinding()) return;
  sim_.validator().Release(sim_.context(), map_, site);
  if (!HeldByCurrent()) return;  // the validator has reported it
  Release();
}

void PageLock::WaitUnlocked(lockdep::Site site) {
  Scheduler& scheduler = sim_.scheduler();
  scheduler.Point(OperationKind::kWait, id_, site);
  sim_.validator().Wait(sim_.context(), map_, {0, false, site});
  if (locked()) WaitFor(false, false, site);
}

// --- waiting

PageLock::Waiters::iterator PageLock::Find(TaskId task) {
  return std::find_if(waiters_.begin(), waiters_.end(), [task](const Waiter& waiter) { return waiter.task == task; });
}

void PageLock::Enqueue(TaskId task, bool wants_lock) {
  if (waiters_.empty() && rules_.wait_table != nullptr) {
    std::vector<std::vector<PageLock*>>& buckets = rules_.wait_table->buckets_;
    buckets[Index(id_) % buckets.size()].push_back(this);
  }
  sim_.scheduler().BeginBypassCount();
  waiters_.push_back({task, wants_lock});
}

void PageLock::Leave(Waiters::iterator waiter) {
  waiters_.erase(waiter);
  if (!waiters_.empty() || rules_.wait_table == nullptr) return;
  std::vector<std::vector<PageLock*>>& buckets = rules_.wait_table->buckets_;
  std::vector<PageLock*>& bucket = buckets[Index(id_) % buckets.size()];
  bucket.erase(std::remove(bucket.begin(), bucket.end(), this), bucket.end());
}

// Has it got what it waited for? Who was handed the lock, or has seen it released, is no longer queued.
bool PageLock::Served(TaskId task, bool wants_lock) {
  const Waiters::iterator waiter = Find(task);
  if (waiter == waiters_.end()) return true;
  if (!locked() && wants_lock) return TakeIfFree();
  if (!locked()) {
    Leave(waiter);
    return true;
  }
  if (waiter->woken) ++waiter->steals;
  waiter->woken = false;
  return false;
}

// False: a signal came first.
bool PageLock::WaitFor(bool wants_lock, bool killable, lockdep::Site site) {
  Scheduler& scheduler = sim_.scheduler();
  const TaskId self = scheduler.current();
  const Wait wait{wants_lock ? OperationKind::kAcquire : OperationKind::kWait, id_, this, site};
  Enqueue(self, wants_lock);
  int spurious_left = kSpuriousWakesMax;
  do {
    if (!killable) {
      scheduler.BlockRetesting(wait, &spurious_left);
    } else if (!scheduler.BlockKillable(wait) && !Served(self, wants_lock)) {
      Leave(Find(self));
      return false;
    }
  } while (!scheduler.unwinding() && !Served(self, wants_lock));
  return true;
}

// --- I/O

void PageLock::HandOverToIo(const PluggedRequest* request) {
  if (sim_.scheduler().unwinding()) return;
  LD_CHECK(HeldByCurrent(), "only the owner hands a folio lock to an I/O request");
  sim_.validator().HandOver(sim_.context(), map_);
  owner_ = Owner::kIo;
  owner_task_ = kNoTask;
  completing_ = kNoTask;
  request_ = request;
}

void PageLock::TakeOverFromIo(lockdep::Site site) {
  if (sim_.scheduler().unwinding()) return;
  LD_CHECK(owner_ == Owner::kIo, "an I/O completion takes over a folio lock that no I/O request owns");
  sim_.validator().Owe(sim_.context(), map_, site);
  completing_ = sim_.scheduler().current();
  request_ = nullptr;
}

void PageLock::UnlockFromIo(lockdep::Site site) {
  Scheduler& scheduler = sim_.scheduler();
  scheduler.Point(OperationKind::kRelease, id_, site);
  if (scheduler.unwinding()) return;
  LD_CHECK(owner_ == Owner::kIo, "an I/O completion unlocks a folio that no I/O request owns");
  if (sim_.context().Holds(map_)) sim_.validator().Release(sim_.context(), map_, site);
  completing_ = kNoTask;
  request_ = nullptr;
  Release();
}

// --- release

void PageLock::Release() {
  owner_ = Owner::kNone;
  owner_task_ = kNoTask;
  const auto wants = [](const Waiter& waiter) { return waiter.wants_lock; };
  const Waiters::iterator first = std::find_if(waiters_.begin(), waiters_.end(), wants);
  WakeSharers(static_cast<size_t>(first - waiters_.begin()));  // all that is left before the first who wants it
  if (!waiters_.empty()) {
    if (rules_.steals_max == 0) {
      HandTo(waiters_.begin());
    } else {
      WakeOneOfUnfair();
    }
  }
  if (rules_.wait_table != nullptr) WakeCollisions();
}

void PageLock::WakeSharers(size_t first_waiters) {
  for (; first_waiters > 0; --first_waiters) {
    sim_.scheduler().Wake(waiters_.front().task);
    Leave(waiters_.begin());
  }
}

void PageLock::HandTo(Waiters::iterator waiter) {
  owner_ = Owner::kTask;
  owner_task_ = waiter->task;
  Leave(waiter);
  sim_.scheduler().Wake(owner_task_);
}

// Hands over to who found the lock stolen often enough; else wakes one that has not been woken, and lets it try.
void PageLock::WakeOneOfUnfair() {
  absl::InlinedVector<size_t, kTasksMax> asleep;
  for (size_t i = 0; i < waiters_.size(); ++i) {
    const Waiter& waiter = waiters_[i];
    if (!waiter.wants_lock) continue;
    if (rules_.steals_max > 0 && waiter.steals >= rules_.steals_max) {
      return HandTo(waiters_.begin() + static_cast<ptrdiff_t>(i));
    }
    if (!waiter.woken) asleep.push_back(i);
  }
  if (asleep.empty()) return;
  Scheduler& scheduler = sim_.scheduler();
  const int nth = scheduler.Choose(ChoiceKind::kWakeOrder, static_cast<int>(asleep.size()), id_);
  Waiter& chosen = waiters_[asleep[static_cast<size_t>(nth)]];
  chosen.woken = true;
  scheduler.Wake(chosen.task);
}

// The other pages of the bucket: their waiters wake for nothing.
void PageLock::WakeCollisions() {
  std::vector<std::vector<PageLock*>>& buckets = rules_.wait_table->buckets_;
  for (PageLock* other : buckets[Index(id_) % buckets.size()]) {
    if (other == this) continue;
    for (const Waiter& waiter : other->waiters_) sim_.scheduler().Wake(waiter.task);
  }
}

bool PageLock::HeldByCurrent() const {
  return owner_ == Owner::kTask && owner_task_ == sim_.scheduler().current();
}

// An I/O request is no task, but may need one: that submits it, or that completes it.
void PageLock::AppendBlockers(TaskId, Blockers* out) const {
  if (owner_ == Owner::kTask) out->Add(owner_task_);
  if (owner_ != Owner::kIo) return;
  out->Add(completing_);
  if (request_ != nullptr) out->Add(request_->plugged_by());
}

}  // namespace ordeal
