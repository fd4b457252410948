// pthread barriers. Each arrival of a phase is an event of its own, for which the other threads wait: what a thread had to take to
// get there, nobody may hold who waits for it. Arrivals of two phases have different events: a thread may arrive for the next phase
// before another has returned from this one, but not for the one behind it.
//
// A barrier that processes share is passed through: the arrivals of the others are not seen.
#include <pthread.h>

#include "lockdep/preload/barrier_state.h"
#include "lockdep/preload/checked_process.h"
#include "lockdep/preload/interpose.h"
#include "lockdep/preload/real_functions.h"

using namespace ordeal::lockdep;  // NOLINT: this file defines C functions only

namespace {

bool IsShared(const pthread_barrierattr_t* attributes) {
  int shared = PTHREAD_PROCESS_PRIVATE;
  return attributes != nullptr && pthread_barrierattr_getpshared(attributes, &shared) == 0 &&
         shared == PTHREAD_PROCESS_SHARED;
}

void Unref(BarrierState* barrier) {
  if (barrier->users.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  for (const LockMap& event : barrier->events) process->validator.ForgetEvent(event);
  delete barrier;
}

void Forget(pthread_barrier_t* object, const void* frame) {
  ThreadState* thread = Enter();
  if (thread == nullptr) return;
  if (LockEntry* lock = process->registry.Find(object); lock != nullptr) {
    BarrierState* barrier = std::exchange(lock->barrier, nullptr);
    Reinitialised(*thread, *lock, false, SiteAt(*thread, frame));
    if (barrier != nullptr) Unref(barrier);
  }
  Leave(*thread);
}

void Add(pthread_barrier_t* object, unsigned count) {
  ThreadState* thread = Enter();
  if (thread == nullptr) return;
  FollowEvents();
  FollowEvents(*thread);
  LockEntry* lock = process->registry.AddCreated(object, nullptr, PthreadKind::kBarrier);
  if (lock != nullptr) {
    lock->barrier = new BarrierState(count, lock->map());
    for (const LockMap& event : lock->barrier->events) process->validator.Arm(thread->task, event);
  }
  Leave(*thread);
}

// What a thread remembers from its arrival to its departure. Null: nothing is to be done.
struct Arrival {
  LockEntry* lock = nullptr;
  BarrierState* barrier = nullptr;
  uint64_t number = 0;
};

Arrival BeforeWait(pthread_barrier_t* object, const void* frame) {
  ThreadState* thread = Enter();
  if (thread == nullptr) return {};
  Arrival arrival;
  arrival.lock = process->registry.Find(object);
  arrival.barrier = arrival.lock == nullptr ? nullptr : arrival.lock->barrier;
  if (arrival.barrier != nullptr) {
    BarrierState& barrier = *arrival.barrier;
    barrier.users.fetch_add(1, std::memory_order_relaxed);
    arrival.number = barrier.arrivals.fetch_add(1, std::memory_order_relaxed);
    const Site site = SiteAt(*thread, frame);
    Record(*thread, *arrival.lock, EventOp::kArrive, site);
    process->validator.Trigger(thread->task, barrier.EventOf(arrival.number), site);
    if (barrier.threads > 1) {
      process->validator.BeginWait(thread->task, barrier.Other(arrival.number, 1), {.site = site});
    }
  }
  Leave(*thread);
  return arrival;
}

void AfterWait(const Arrival& arrival, const void* frame) {
  if (arrival.barrier == nullptr) return;
  ThreadState* thread = Enter();
  if (thread == nullptr) return;
  BarrierState& barrier = *arrival.barrier;
  const Site site = SiteAt(*thread, frame);
  if (barrier.threads > 1) process->validator.EndWait(thread->task, barrier.Other(arrival.number, 1));
  for (unsigned i = 2; i < barrier.threads; ++i) {
    process->validator.BeginWait(thread->task, barrier.Other(arrival.number, i), {.site = site});
    process->validator.EndWait(thread->task, barrier.Other(arrival.number, i));
  }
  Record(*thread, *arrival.lock, EventOp::kDepart, site);
  Unref(arrival.barrier);
  Leave(*thread);
}

}  // namespace

ORDEAL_INTERPOSE(int, pthread_barrier_init,
                 (pthread_barrier_t * barrier, const pthread_barrierattr_t* attributes, unsigned count)) {
  Forget(barrier, ORDEAL_FRAME());
  const int result = ordeal_real.pthread_barrier_init(barrier, attributes, count);
  if (result == 0 && !IsShared(attributes)) Add(barrier, count);
  return result;
}

ORDEAL_INTERPOSE(int, pthread_barrier_destroy, (pthread_barrier_t * barrier)) {
  const int result = ordeal_real.pthread_barrier_destroy(barrier);
  if (result == 0) Forget(barrier, ORDEAL_FRAME());
  return result;
}

ORDEAL_INTERPOSE(int, pthread_barrier_wait, (pthread_barrier_t * barrier)) {
  const Arrival arrival = BeforeWait(barrier, ORDEAL_FRAME());
  const int result = ordeal_real.pthread_barrier_wait(barrier);
  AfterWait(arrival, ORDEAL_FRAME());
  return result;
}
