// Spinlocks, semaphores, once and dlclose.
//
// A semaphore that starts at 1 is a lock as long as whoever waited for it posts it. The first post by somebody else, or a second
// wait by its holder, shows that it is a signal: from then on it is waited for, never held. What a signal's waiter holds is still
// recorded as a dependency.
#include <pthread.h>
#include <semaphore.h>

#include "lockdep/preload/checked_process.h"
#include "lockdep/preload/interpose.h"
#include "lockdep/preload/real_functions.h"

using namespace ordeal::lockdep;  // NOLINT: this file defines C functions only

namespace {

void* Address(volatile void* object) { return const_cast<void*>(object); }

LockEntry* FindOrAdd(volatile void* object, PthreadKind kind) {
  LockEntry* lock = process->registry.Find(Address(object));
  return lock != nullptr ? lock : process->registry.AddUsed(Address(object), nullptr, kind);
}

PthreadKind KindOfSemaphore(unsigned value) { return value == 0 ? PthreadKind::kSignal : PthreadKind::kSemaphore; }

void Forget(volatile void* object, bool held_now, const void* frame) {
  ThreadState* thread = Enter();
  if (thread == nullptr) return;
  LockEntry* lock = process->registry.Find(Address(object));
  if (lock != nullptr) Reinitialised(*thread, *lock, held_now, SiteAt(*thread, frame));
  Leave(*thread);
}

void AddCreated(volatile void* object, PthreadKind kind, bool signals, uint32_t count = 1) {
  ThreadState* thread = Enter();
  if (thread == nullptr) return;
  if (kind == PthreadKind::kSignal) {
    FollowEvents();
    FollowEvents(*thread);
  }
  LockEntry* lock = process->registry.AddCreated(Address(object), nullptr, kind, count);
  if (lock != nullptr) lock->signals.store(signals, std::memory_order_relaxed);
  Leave(*thread);
}

}  // namespace

// ---- semaphores, called from interpose_wait.c too: a wait can be cancelled, and C unwinds without our help

extern "C" void ordeal_before_semaphore_wait(sem_t* semaphore, const void* frame) {
  ThreadState* thread = Enter();
  if (thread == nullptr) return;
  LockEntry* lock = process->registry.Find(semaphore);
  if (lock != nullptr && lock->kind == PthreadKind::kSignal) {
    process->validator.BeginWait(thread->task, lock->map(), {.site = SiteAt(*thread, frame)});
    Leave(*thread);
    return;
  }
  if (lock != nullptr && Holds(*thread, *lock)) {
    // It waits again for what it waited for already: somebody else is to post it (so Python's conditions work).
    lock->signals.store(true, std::memory_order_relaxed);
    Release(*thread, *lock, SiteAt(*thread, frame));
  }
  if (lock != nullptr) {  // judged now, in case it never returns; held only when it has returned
    Acquire(*thread, *lock, Mode::kExclusive, false, SiteAt(*thread, frame));
    Release(*thread, *lock, SiteAt(*thread, frame));
  }
  Leave(*thread);
}

extern "C" void ordeal_after_semaphore_wait(sem_t* semaphore, int waited, const void* frame) {
  ThreadState* thread = Enter();
  if (thread == nullptr) return;
  LockEntry* lock = process->registry.Find(semaphore);
  if (lock != nullptr) {
    Record(*thread, *lock, EventOp::kDown, SiteAt(*thread, frame), waited == 0 ? kFlagTrylock : 0);
  }
  if (lock != nullptr && lock->kind == PthreadKind::kSignal) {
    // A wait that would have ended by itself delays nothing, but it comes after the post.
    if (waited == 0) process->validator.BeginWait(thread->task, lock->map(), {.site = SiteAt(*thread, frame), .check = false});
    process->validator.EndWait(thread->task, lock->map());
  } else if (lock != nullptr && !lock->signals.load(std::memory_order_relaxed)) {
    Acquire(*thread, *lock, Mode::kExclusive, waited == 0, SiteAt(*thread, frame));
  }
  Leave(*thread);
}

ORDEAL_INTERPOSE(int, sem_init, (sem_t* semaphore, int shared, unsigned value)) {
  Forget(semaphore, false, ORDEAL_FRAME());
  const int result = ordeal_real.sem_init(semaphore, shared, value);
  if (result == 0) AddCreated(semaphore, KindOfSemaphore(value), value != 1, value);
  return result;
}

ORDEAL_INTERPOSE(int, sem_destroy, (sem_t* semaphore)) {
  Forget(semaphore, false, ORDEAL_FRAME());
  return ordeal_real.sem_destroy(semaphore);
}

ORDEAL_INTERPOSE(int, sem_close, (sem_t* semaphore)) {
  Forget(semaphore, false, ORDEAL_FRAME());
  return ordeal_real.sem_close(semaphore);
}

// The real sem_open takes its mode and value only with O_CREAT; passing two words more is harmless in every calling convention
// that glibc has.
ORDEAL_INTERPOSE(sem_t*, sem_open, (const char* name, int flags, mode_t mode, unsigned value)) {
  sem_t* semaphore = ordeal_real.sem_open(name, flags, mode, value);
  if (semaphore == SEM_FAILED) return semaphore;
  ThreadState* thread = Enter();
  if (thread == nullptr) return semaphore;
  int now = 0;
  sem_getvalue(semaphore, &now);
  const bool known = process->registry.Find(semaphore) != nullptr;  // opened twice, it has one address
  Leave(*thread);
  const auto count = static_cast<unsigned>(now);
  if (!known) AddCreated(semaphore, KindOfSemaphore(count), count != 1, count);
  return semaphore;
}

ORDEAL_INTERPOSE(int, sem_trywait, (sem_t* semaphore)) {
  const int result = ordeal_real.sem_trywait(semaphore);
  if (result == 0) ordeal_after_semaphore_wait(semaphore, 0, ORDEAL_FRAME());
  return result;
}

ORDEAL_INTERPOSE(int, sem_post, (sem_t* semaphore)) {
  ThreadState* thread = Enter();
  if (thread != nullptr) {
    LockEntry* lock = process->registry.Find(semaphore);
    if (lock != nullptr) Record(*thread, *lock, EventOp::kUp, SiteAt(*thread, ORDEAL_FRAME()));
    if (lock != nullptr && lock->kind == PthreadKind::kSignal) {
      process->validator.Trigger(thread->task, lock->map(), SiteAt(*thread, ORDEAL_FRAME()));
    } else if (lock != nullptr && !lock->signals.load(std::memory_order_relaxed)) {
      const Site site = SiteAt(*thread, ORDEAL_FRAME());
      if (Holds(*thread, *lock)) {
        Release(*thread, *lock, site);
      } else {
        lock->signals.store(true, std::memory_order_relaxed);
        ReleaseForOther(*thread, *lock, site, false);
      }
    }
    Leave(*thread);
  }
  return ordeal_real.sem_post(semaphore);
}

// ---- spinlocks

ORDEAL_INTERPOSE(int, pthread_spin_init, (pthread_spinlock_t* lock, int shared)) {
  Forget(lock, false, ORDEAL_FRAME());
  const int result = ordeal_real.pthread_spin_init(lock, shared);
  if (result == 0) AddCreated(lock, PthreadKind::kSpinlock, false);
  return result;
}

ORDEAL_INTERPOSE(int, pthread_spin_destroy, (pthread_spinlock_t* lock)) {
#ifdef __x86_64__
  const bool held = *lock != 1;
#else
  const bool held = *lock != 0;
#endif
  Forget(lock, held, ORDEAL_FRAME());
  return ordeal_real.pthread_spin_destroy(lock);
}

ORDEAL_INTERPOSE(int, pthread_spin_lock, (pthread_spinlock_t* spinlock)) {
  if (ThreadState* thread = Enter()) {
    LockEntry* lock = FindOrAdd(spinlock, PthreadKind::kSpinlock);
    if (lock != nullptr) Acquire(*thread, *lock, Mode::kExclusive, false, SiteAt(*thread, ORDEAL_FRAME()));
    Leave(*thread);
  }
  return ordeal_real.pthread_spin_lock(spinlock);
}

ORDEAL_INTERPOSE(int, pthread_spin_trylock, (pthread_spinlock_t* spinlock)) {
  const int result = ordeal_real.pthread_spin_trylock(spinlock);
  if (result != 0) return result;
  if (ThreadState* thread = Enter()) {
    LockEntry* lock = FindOrAdd(spinlock, PthreadKind::kSpinlock);
    if (lock != nullptr) Acquire(*thread, *lock, Mode::kExclusive, true, SiteAt(*thread, ORDEAL_FRAME()));
    Leave(*thread);
  }
  return result;
}

ORDEAL_INTERPOSE(int, pthread_spin_unlock, (pthread_spinlock_t* spinlock)) {
  if (ThreadState* thread = Enter()) {
    LockEntry* lock = process->registry.Find(Address(spinlock));
    if (lock != nullptr) {
      const Site site = SiteAt(*thread, ORDEAL_FRAME());
      if (Holds(*thread, *lock)) {
        Release(*thread, *lock, site);
      } else {
        ReleaseForOther(*thread, *lock, site, true);
      }
    }
    Leave(*thread);
  }
  return ordeal_real.pthread_spin_unlock(spinlock);
}

// ---- once: whoever calls it while the routine runs waits for it, so the routine runs as if it held a lock

extern "C" __attribute__((visibility("hidden"))) const char __ehdr_start[];  // of this library
extern "C" __attribute__((visibility("hidden"))) const char _end[];

namespace {

// The C++ runtime inside this library initialises itself once, too: that is not the program's.
bool CalledFromHere(const void* frame) {
  const auto* caller = static_cast<const char*>(static_cast<const void* const*>(frame)[1]);
  return caller >= __ehdr_start && caller < _end;
}

// True if the routine ran; then its end is recorded.
bool ForgetOnce(ThreadState& thread, const LockEntry& lock) {
  bool ran = false;
  for (size_t i = thread.onces.size(); i-- > 0;) {
    if (thread.onces[i].lock != &lock) continue;
    if (thread.onces[i].runs) Record(thread, lock, EventOp::kRelease, {});
    ran = ran || thread.onces[i].runs;
    thread.onces.erase(thread.onces.begin() + static_cast<std::ptrdiff_t>(i));
  }
  return ran;
}

void RunOnce() {
  ThreadState* thread = thread_local_state.state;
  thread_local_state.inside = true;
  ThreadState::Once& once = thread->onces.back();  // pushed just now: ordeal_once_routine
  once.runs = true;
  RecordHeld(*thread, *once.lock, EventOp::kAcquire);
  void (*const routine)() = once.routine;
  thread_local_state.inside = false;
  routine();
}

}  // namespace

extern "C" LockEntry* ordeal_before_once(pthread_once_t* once, const void* frame) {
  constexpr int kDone = 2;
  if (__atomic_load_n(once, __ATOMIC_ACQUIRE) == kDone || CalledFromHere(frame)) return nullptr;
  ThreadState* thread = Enter();
  if (thread == nullptr) return nullptr;
  LockEntry* lock = FindOrAdd(once, PthreadKind::kOnce);
  if (lock != nullptr) {
    if (Holds(*thread, *lock)) Release(*thread, *lock, SiteAt(*thread, frame));  // an exception left the routine
    ForgetOnce(*thread, *lock);
    Acquire(*thread, *lock, Mode::kExclusive, false, SiteAt(*thread, frame));
  }
  Leave(*thread);
  return lock;
}

// What pthread_once is to call: when recording, the routine by way of a note that it runs.
extern "C" void (*ordeal_once_routine(LockEntry* lock, void (*routine)()))() {
  ThreadState* thread = process->record.is_open() ? Enter() : nullptr;
  if (thread == nullptr) return routine;
  thread->onces.push_back({lock, routine, false});
  Leave(*thread);
  return &RunOnce;
}

extern "C" void ordeal_after_once(LockEntry* lock, const void* frame) {
  if (lock == nullptr) return;
  ThreadState* thread = Enter();
  if (thread == nullptr) return;
  // Who did not run the routine has waited for it.
  const bool ran = ForgetOnce(*thread, *lock);
  if (!ran) RecordHeld(*thread, *lock, EventOp::kAcquire);
  Release(*thread, *lock, SiteAt(*thread, frame));
  if (!ran) Record(*thread, *lock, EventOp::kRelease, SiteAt(*thread, frame));
  Leave(*thread);
}

// ---- unloading

ORDEAL_INTERPOSE(int, dlclose, (void* handle)) {
  const int result = ordeal_real.dlclose(handle);
  if (ThreadState* thread = Enter()) {
    process->registry.RetireUnloaded();
    Leave(*thread);
  }
  return result;
}
