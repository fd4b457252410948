#include "lockdep/preload/record_hooks.h"

#include <pthread.h>
#include <threads.h>

#include <cerrno>

#include "lockdep/preload/checked_process.h"
#include "lockdep/preload/interpose.h"
#include "lockdep/preload/mutex_access.h"
#include "lockdep/preload/real_functions.h"

namespace ordeal::lockdep {
namespace {

struct ordeal_real_functions below;

pthread_mutex_t* MutexOf(mtx_t* mutex) { return reinterpret_cast<pthread_mutex_t*>(mutex); }

template <typename Lock>
LockEntry* Find(Lock* lock) {
  uint64_t* tag = TagOf(lock);
  return tag != nullptr ? process->registry.FindTagged(tag, lock) : process->registry.Find(lock);
}
LockEntry* Find(pthread_spinlock_t* lock) { return process->registry.Find(const_cast<int*>(lock)); }

// `frame` is that of the hook: the one behind it is the interposed function's.
Site SiteOf(ThreadState& thread, const void* frame) { return SiteAt(thread, *static_cast<const void* const*>(frame)); }

// The lock is held, or about to be waited for: as the validator was told.
template <typename Lock>
void RecordTaken(EventOp op, Lock* lock) {
  ThreadState* thread = Enter();
  if (thread == nullptr) return;
  if (LockEntry* entry = Find(lock); entry != nullptr) RecordHeld(*thread, *entry, op);
  Leave(*thread);
}

template <typename Lock>
void RecordRelease(Lock* lock, const void* frame) {
  ThreadState* thread = Enter();
  if (thread == nullptr) return;
  if (LockEntry* entry = Find(lock); entry != nullptr) {
    Record(*thread, *entry, EventOp::kRelease, SiteOf(*thread, frame));
  }
  Leave(*thread);
}

bool Holds(int result) { return result == 0 || result == EOWNERDEAD; }

// A lock that cannot be had at once is recorded as requested, so that a deadlock is in the trace. Whether the caller has it
// already is the C library's to say.
template <typename Lock, typename Try, typename Take>
int TakeRecorded(Lock* lock, bool has_already, Try try_it, Take take) {
  int result = has_already ? EBUSY : try_it();
  if (result == EBUSY) {
    if (!has_already) RecordTaken(EventOp::kRequest, lock);
    result = take();
  }
  if (Holds(result)) RecordTaken(EventOp::kAcquire, lock);
  return result;
}

bool HasAlready(const pthread_mutex_t* mutex) {
  return KnowsOwner(mutex) && thread_local_state.state != nullptr && OwnedBy(mutex, thread_local_state.state->tid);
}

bool StaysHeld(const pthread_mutex_t* mutex) { return IsRecursive(mutex) && HasAlready(mutex) && DepthOf(mutex) > 1; }

int MutexLock(pthread_mutex_t* mutex) {
  if (HasAlready(mutex)) return below.pthread_mutex_lock(mutex);
  return TakeRecorded(mutex, false, [&] { return below.pthread_mutex_trylock(mutex); },
                      [&] { return below.pthread_mutex_lock(mutex); });
}

int MutexUnlock(pthread_mutex_t* mutex) {
  if (!StaysHeld(mutex)) RecordRelease(mutex, ORDEAL_FRAME());
  return below.pthread_mutex_unlock(mutex);
}

int MtxLock(mtx_t* mutex) {
  const bool has_already = HasAlready(MutexOf(mutex));
  const int result = below.mtx_lock(mutex);
  if (result == thrd_success && !has_already) RecordTaken(EventOp::kAcquire, MutexOf(mutex));
  return result;
}

int MtxUnlock(mtx_t* mutex) {
  if (!StaysHeld(MutexOf(mutex))) RecordRelease(MutexOf(mutex), ORDEAL_FRAME());
  return below.mtx_unlock(mutex);
}

int RwlockRead(pthread_rwlock_t* rwlock) {
  return TakeRecorded(rwlock, false, [&] { return below.pthread_rwlock_tryrdlock(rwlock); },
                      [&] { return below.pthread_rwlock_rdlock(rwlock); });
}

// A thread that has it for writing may try, and is then told EDEADLK by the real function.
int RwlockWrite(pthread_rwlock_t* rwlock) {
  return TakeRecorded(rwlock, false, [&] { return below.pthread_rwlock_trywrlock(rwlock); },
                      [&] { return below.pthread_rwlock_wrlock(rwlock); });
}

int RwlockUnlock(pthread_rwlock_t* rwlock) {
  RecordRelease(rwlock, ORDEAL_FRAME());
  return below.pthread_rwlock_unlock(rwlock);
}

int SpinLock(pthread_spinlock_t* lock) {
  return TakeRecorded(lock, false, [&] { return below.pthread_spin_trylock(lock); },
                      [&] { return below.pthread_spin_lock(lock); });
}

int SpinUnlock(pthread_spinlock_t* lock) {
  RecordRelease(lock, ORDEAL_FRAME());
  return below.pthread_spin_unlock(lock);
}

}  // namespace

void InstallRecordHooks() {
#define ORDEAL_HOOK(name, hook)                     \
  if (ordeal_real.name != nullptr && ordeal_real.name != &hook) { \
    below.name = ordeal_real.name;                  \
    ordeal_real.name = &hook;                       \
  }
  below.pthread_mutex_trylock = ordeal_real.pthread_mutex_trylock;
  below.pthread_rwlock_tryrdlock = ordeal_real.pthread_rwlock_tryrdlock;
  below.pthread_rwlock_trywrlock = ordeal_real.pthread_rwlock_trywrlock;
  below.pthread_spin_trylock = ordeal_real.pthread_spin_trylock;
  ORDEAL_HOOK(pthread_mutex_lock, MutexLock)
  ORDEAL_HOOK(pthread_mutex_unlock, MutexUnlock)
  ORDEAL_HOOK(mtx_lock, MtxLock)
  ORDEAL_HOOK(mtx_unlock, MtxUnlock)
  ORDEAL_HOOK(pthread_rwlock_rdlock, RwlockRead)
  ORDEAL_HOOK(pthread_rwlock_wrlock, RwlockWrite)
  ORDEAL_HOOK(pthread_rwlock_unlock, RwlockUnlock)
  ORDEAL_HOOK(pthread_spin_lock, SpinLock)
  ORDEAL_HOOK(pthread_spin_unlock, SpinUnlock)
#undef ORDEAL_HOOK
}

}  // namespace ordeal::lockdep
