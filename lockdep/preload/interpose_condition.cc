// Condition variables. A wait releases the mutex and takes it again, and is a wait for whoever signals: what the waiter holds
// besides, nobody may need on the way to the signal. A timed wait ends by itself and delays nothing, but it comes after the signal
// that woke it.
//
// The waits themselves are in interpose_wait.c: they can be cancelled.
#include <pthread.h>
#include <threads.h>

#include "lockdep/preload/checked_process.h"
#include "lockdep/preload/interpose.h"
#include "lockdep/preload/mutex_access.h"
#include "lockdep/preload/mutex_rules.h"
#include "lockdep/preload/real_functions.h"

using namespace ordeal::lockdep;  // NOLINT: this file defines C functions only

namespace {

// Bits of what ordeal_before_condition_wait answers.
constexpr int kReleased = 1;
constexpr int kJudged = 2;

LockEntry* FindMutex(pthread_mutex_t* mutex) {
  uint64_t* tag = TagOf(mutex);
  return tag != nullptr ? process->registry.FindTagged(tag, mutex) : process->registry.Find(mutex);
}

LockEntry* FindOrAdd(ThreadState& thread, void* condition) {
  LockEntry* known = process->registry.Find(condition);
  if (known != nullptr) return known;
  FollowEvents();
  FollowEvents(thread);
  return process->registry.AddUsed(condition, nullptr, PthreadKind::kCondition);
}

void Forget(void* condition, const void* frame) {
  ThreadState* thread = Enter();
  if (thread == nullptr) return;
  if (LockEntry* lock = process->registry.Find(condition); lock != nullptr) {
    Reinitialised(*thread, *lock, false, SiteAt(*thread, frame));
  }
  Leave(*thread);
}

void Add(void* condition) {
  ThreadState* thread = Enter();
  if (thread == nullptr) return;
  FollowEvents();
  FollowEvents(*thread);
  process->registry.AddCreated(condition, nullptr, PthreadKind::kCondition);
  Leave(*thread);
}

void Trigger(void* condition, const void* frame) {
  ThreadState* thread = Enter();
  if (thread == nullptr) return;
  if (LockEntry* lock = FindOrAdd(*thread, condition); lock != nullptr) {
    const Site site = SiteAt(*thread, frame);
    Record(*thread, *lock, EventOp::kEventTrigger, site);
    process->validator.Trigger(thread->task, lock->map(), site);
  }
  Leave(*thread);
}

}  // namespace

// A recursive mutex that is held more than once is not released by the wait.
extern "C" int ordeal_before_condition_wait(void* condition, pthread_mutex_t* mutex, int timed, const void* frame) {
  if (IsRecursive(mutex) && DepthOf(mutex) > 1) return 0;
  BeforeMutexUnlock(mutex, frame);
  LockEntry* lock = BeforeMutexLock(mutex, frame);
  MutexLockFailed(lock, frame);
  ThreadState* thread = Enter();
  if (thread == nullptr) return kReleased;
  const Site site = SiteAt(*thread, frame);
  if (lock != nullptr) Record(*thread, *lock, EventOp::kRelease, site);
  LockEntry* event = timed != 0 ? nullptr : FindOrAdd(*thread, condition);
  if (event != nullptr) process->validator.BeginWait(thread->task, event->map(), {.site = site});
  Leave(*thread);
  return kReleased | (event != nullptr ? kJudged : 0);
}

// Whichever way the wait ended, the thread has the mutex again.
extern "C" void ordeal_after_condition_wait(void* condition, pthread_mutex_t* mutex, int before, int woken, const void* frame) {
  ThreadState* thread = Enter();
  if (thread == nullptr) return;
  const Site site = SiteAt(*thread, frame);
  LockEntry* event = woken != 0 ? FindOrAdd(*thread, condition) : nullptr;
  if (event != nullptr) {
    const bool timed = (before & kJudged) == 0;
    if (timed) process->validator.BeginWait(thread->task, event->map(), {.site = site, .check = false});
    process->validator.EndWait(thread->task, event->map());
    Record(*thread, *event, EventOp::kEventWait, site, timed ? kFlagTimed : 0);
  }
  if (LockEntry* lock = FindMutex(mutex); lock != nullptr) {
    Acquire(*thread, *lock, Mode::kExclusive, false, site);
    RecordHeld(*thread, *lock, EventOp::kAcquire);
  }
  Leave(*thread);
}

ORDEAL_INTERPOSE(int, pthread_cond_init, (pthread_cond_t * condition, const pthread_condattr_t* attributes)) {
  Forget(condition, ORDEAL_FRAME());
  const int result = ordeal_real.pthread_cond_init(condition, attributes);
  if (result == 0) Add(condition);
  return result;
}

ORDEAL_INTERPOSE(int, pthread_cond_destroy, (pthread_cond_t * condition)) {
  Forget(condition, ORDEAL_FRAME());
  return ordeal_real.pthread_cond_destroy(condition);
}

ORDEAL_INTERPOSE(int, pthread_cond_signal, (pthread_cond_t * condition)) {
  Trigger(condition, ORDEAL_FRAME());
  return ordeal_real.pthread_cond_signal(condition);
}

ORDEAL_INTERPOSE(int, pthread_cond_broadcast, (pthread_cond_t * condition)) {
  Trigger(condition, ORDEAL_FRAME());
  return ordeal_real.pthread_cond_broadcast(condition);
}

ORDEAL_INTERPOSE(int, cnd_init, (cnd_t * condition)) {
  Forget(condition, ORDEAL_FRAME());
  const int result = ordeal_real.cnd_init(condition);
  if (result == thrd_success) Add(condition);
  return result;
}

ORDEAL_INTERPOSE(void, cnd_destroy, (cnd_t * condition)) {
  Forget(condition, ORDEAL_FRAME());
  ordeal_real.cnd_destroy(condition);
}

ORDEAL_INTERPOSE(int, cnd_signal, (cnd_t * condition)) {
  Trigger(condition, ORDEAL_FRAME());
  return ordeal_real.cnd_signal(condition);
}

ORDEAL_INTERPOSE(int, cnd_broadcast, (cnd_t * condition)) {
  Trigger(condition, ORDEAL_FRAME());
  return ordeal_real.cnd_broadcast(condition);
}
