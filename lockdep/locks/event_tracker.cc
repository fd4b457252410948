#include "lockdep/locks/event_tracker.h"

#include <mutex>
#include <vector>

#include "lockdep/locks/thread_state.h"

namespace ordeal::lockdep {
inline namespace ORDEAL_LOCKS_NAMESPACE {
namespace {

// Maps that are never freed, for semaphores that serve as locks.
struct MapPool {
  std::mutex mutex;
  std::vector<LockMap*> free;  // guarded by mutex
};
MapPool& TheMapPool() {
  static MapPool* const pool = new MapPool;
  return *pool;
}

}  // namespace

EventTracker::EventTracker(const char* name, Site site) : tracker_(name, LockFlavour::kEvent, site) {
  internal::NoteThatEventsExist();
  Arm();
}

EventTracker::EventTracker(LockClassKey& key, Site site) : tracker_(key, 0, LockFlavour::kEvent, site) {
  internal::NoteThatEventsExist();
  Arm();
}

EventTracker::~EventTracker() {
  if (tracker_.ever_tracked()) ProcessValidator().ForgetEvent(map());
}

template <class Body>
void EventTracker::Tell(Body body) {
  if (!ValidationEnabled()) return;
  ThreadState* thread = ThreadState::Enter();
  if (thread == nullptr) return;
  thread->FollowEvents();
  body(*thread, map());
  thread->Leave();
}

bool EventTracker::BeforeWait(Site site) {
  bool tracked = false;
  Tell([&](ThreadState& thread, const LockMap& event) {
    thread.validator->BeginWait(thread.task, event, {.site = site});
    tracked = true;
  });
  return tracked;
}

void EventTracker::AfterWait(bool tracked) {
  if (!tracked) return;
  Tell([](ThreadState& thread, const LockMap& event) { thread.validator->EndWait(thread.task, event); });
}

void EventTracker::BeforeTimedWait(Site site) {
  Tell([site](ThreadState& thread, const LockMap& event) {
    thread.validator->WaitTimed(thread.task, event, {.site = site});
  });
}

void EventTracker::BeforeTrigger(Site site) {
  Tell([site](ThreadState& thread, const LockMap& event) { thread.validator->Trigger(thread.task, event, site); });
}

void EventTracker::Arm() {
  Tell([](ThreadState& thread, const LockMap& event) { thread.validator->Arm(thread.task, event); });
}

// ---- semaphores

void SemaphoreTracker::AfterAcquire(Site site) {
  Tell([this, site](ThreadState& thread, const LockMap& event) {
    const uint8_t use = use_.load(std::memory_order_relaxed);
    if (use == kUnknown) {
      thread.semaphores.Acquired(this, event, site);
      thread.attention = true;
    } else if (use != kAsSignal) {
      thread.validator->Owe(thread.task, Owed(event), site);
    }
  });
}

const LockMap& SemaphoreTracker::Owed(const LockMap& event) {
  if (const LockMap* owed = owed_.load(std::memory_order_acquire)) return *owed;  // pairs with the store below
  MapPool& pool = TheMapPool();
  const std::lock_guard<std::mutex> lock(pool.mutex);
  LockMap* owed = owed_.load(std::memory_order_relaxed);
  if (owed != nullptr) return *owed;
  if (pool.free.empty()) pool.free.push_back(new LockMap);
  owed = pool.free.back();
  pool.free.pop_back();
  *owed = event;
  owed_.store(owed, std::memory_order_release);
  return *owed;
}

void SemaphoreTracker::BeforeDestruction(bool free) {
  LockMap* const owed = owed_.load(std::memory_order_acquire);
  if (owed == nullptr || !free || use_.load(std::memory_order_relaxed) == kAsSignal) return;
  MapPool& pool = TheMapPool();
  const std::lock_guard<std::mutex> lock(pool.mutex);
  pool.free.push_back(owed);
}

// The semaphore was this thread's to release. If that was not known when it was acquired, what was acquired since depends
// on it only now.
bool SemaphoreTracker::ReleasedByAcquirer(ThreadState& thread, const LockMap& event, Site site) {
  const LockMap* const owed = owed_.load(std::memory_order_acquire);
  if (owed != nullptr && thread.task.Holds(*owed)) {
    thread.validator->Release(thread.task, *owed, site);
    return true;
  }
  return thread.semaphores.Released(this, [&](const SemaphoreHold& hold, const LockTaken& taken) {
    thread.Depend(event, hold.site, taken);
  });
}

void SemaphoreTracker::BeforeRelease(Site site) {
  Tell([this, site](ThreadState& thread, const LockMap& event) {
    if (ReleasedByAcquirer(thread, event, site)) {
      uint8_t unknown = kUnknown;
      use_.compare_exchange_strong(unknown, kAsLock, std::memory_order_relaxed);
      return;
    }
    if (use_.load(std::memory_order_relaxed) != kDeclaredLock) use_.store(kAsSignal, std::memory_order_relaxed);
    thread.validator->Trigger(thread.task, event, site);
  });
}

// ---- condition variables

ConditionTracker::Waiting ConditionTracker::BeforeConditionWait(LockTracker& mutex, bool timed, Site site) {
  Waiting waiting{false, false, 0, site};
  if (mutex.untracked()) return waiting;
  ThreadState* thread = ThreadState::Enter();
  if (thread == nullptr) return waiting;
  const LockMap& mutex_map = mutex.map();
  Validator& validator = *thread->validator;
  const bool on = ValidationEnabled();
  for (const HeldLock& held : thread->task.held()) {
    if (held.map != &mutex_map) continue;
    waiting.tracked = true;
    waiting.subclass = SubclassOf(held.node());
  }
  if (waiting.tracked || on) validator.Release(thread->task, mutex_map, site);
  if (on && waiting.tracked) {  // the order of the acquisition behind the wait, in case it never returns
    validator.Acquire(thread->task, mutex_map, Mode::kExclusive, {.subclass = waiting.subclass, .site = site});
    validator.Release(thread->task, mutex_map, site);
  }
  if (on) {
    thread->FollowEvents();
    waiting.judged = !timed;
    if (timed) {
      validator.WaitTimed(thread->task, map(), {.site = site});
    } else {
      validator.BeginWait(thread->task, map(), {.site = site});
    }
  }
  thread->Leave();
  return waiting;
}

void ConditionTracker::AfterConditionWait(LockTracker& mutex, Waiting waiting) {
  AfterWait(waiting.judged);
  if (waiting.tracked) mutex.AfterLock(ValidationEnabled() && mutex.Acquire(0, waiting.subclass, waiting.site));
}

}  // namespace ORDEAL_LOCKS_NAMESPACE
}  // namespace ordeal::lockdep
