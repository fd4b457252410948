// pthread mutexes and C11's, which glibc implements with them but calls internally. A timed lock gives up, so it cannot be
// part of a deadlock: like a trylock it is a source of dependencies only.
#include <cerrno>

#include "lockdep/preload/interpose.h"
#include "lockdep/preload/mutex_rules.h"
#include "lockdep/preload/real_functions.h"

using namespace ordeal::lockdep;  // NOLINT: this file defines C functions only

namespace {

bool Holds(int result) { return result == 0 || result == EOWNERDEAD; }
pthread_mutex_t* MutexOf(mtx_t* mutex) { return reinterpret_cast<pthread_mutex_t*>(mutex); }

}  // namespace

ORDEAL_INTERPOSE(int, pthread_mutex_init, (pthread_mutex_t* mutex, const pthread_mutexattr_t* attributes)) {
  BeforeMutexInit(mutex, ORDEAL_FRAME());
  const int result = ordeal_real.pthread_mutex_init(mutex, attributes);
  if (result == 0) MutexInitialised(mutex, ORDEAL_FRAME());
  return result;
}

ORDEAL_INTERPOSE(int, pthread_mutex_destroy, (pthread_mutex_t* mutex)) {
  bool locked = false;
  LockEntry* lock = BeforeMutexDestroy(mutex, &locked);
  const int result = ordeal_real.pthread_mutex_destroy(mutex);
  AfterMutexDestroy(lock, locked, result == 0, ORDEAL_FRAME());
  return result;
}

ORDEAL_INTERPOSE(int, pthread_mutex_lock, (pthread_mutex_t* mutex)) {
  LockEntry* lock = BeforeMutexLock(mutex, ORDEAL_FRAME());
  const int result = ordeal_real.pthread_mutex_lock(mutex);
  if (__builtin_expect(!Holds(result), 0)) MutexLockFailed(lock, ORDEAL_FRAME());
  return result;
}

ORDEAL_INTERPOSE(int, pthread_mutex_trylock, (pthread_mutex_t* mutex)) {
  const int result = ordeal_real.pthread_mutex_trylock(mutex);
  if (Holds(result)) AfterMutexTrylock(mutex, ORDEAL_FRAME());
  return result;
}

ORDEAL_INTERPOSE(int, pthread_mutex_timedlock, (pthread_mutex_t* mutex, const struct timespec* deadline)) {
  const int result = ordeal_real.pthread_mutex_timedlock(mutex, deadline);
  if (Holds(result)) AfterMutexTrylock(mutex, ORDEAL_FRAME());
  return result;
}

ORDEAL_INTERPOSE(int, pthread_mutex_clocklock,
                 (pthread_mutex_t* mutex, clockid_t clock, const struct timespec* deadline)) {
  const int result = ordeal_real.pthread_mutex_clocklock(mutex, clock, deadline);
  if (Holds(result)) AfterMutexTrylock(mutex, ORDEAL_FRAME());
  return result;
}

ORDEAL_INTERPOSE(int, pthread_mutex_unlock, (pthread_mutex_t* mutex)) {
  BeforeMutexUnlock(mutex, ORDEAL_FRAME());
  return ordeal_real.pthread_mutex_unlock(mutex);
}

ORDEAL_INTERPOSE(int, mtx_init, (mtx_t* mutex, int type)) {
  BeforeMutexInit(MutexOf(mutex), ORDEAL_FRAME());
  const int result = ordeal_real.mtx_init(mutex, type);
  if (result == thrd_success) MutexInitialised(MutexOf(mutex), ORDEAL_FRAME());
  return result;
}

ORDEAL_INTERPOSE(void, mtx_destroy, (mtx_t* mutex)) {
  bool locked = false;
  LockEntry* lock = BeforeMutexDestroy(MutexOf(mutex), &locked);
  ordeal_real.mtx_destroy(mutex);
  AfterMutexDestroy(lock, locked, true, ORDEAL_FRAME());
}

ORDEAL_INTERPOSE(int, mtx_lock, (mtx_t* mutex)) {
  LockEntry* lock = BeforeMutexLock(MutexOf(mutex), ORDEAL_FRAME());
  const int result = ordeal_real.mtx_lock(mutex);
  if (result != thrd_success) MutexLockFailed(lock, ORDEAL_FRAME());
  return result;
}

ORDEAL_INTERPOSE(int, mtx_trylock, (mtx_t* mutex)) {
  const int result = ordeal_real.mtx_trylock(mutex);
  if (result == thrd_success) AfterMutexTrylock(MutexOf(mutex), ORDEAL_FRAME());
  return result;
}

ORDEAL_INTERPOSE(int, mtx_timedlock, (mtx_t* mutex, const struct timespec* deadline)) {
  const int result = ordeal_real.mtx_timedlock(mutex, deadline);
  if (result == thrd_success) AfterMutexTrylock(MutexOf(mutex), ORDEAL_FRAME());
  return result;
}

ORDEAL_INTERPOSE(int, mtx_unlock, (mtx_t* mutex)) {
  BeforeMutexUnlock(MutexOf(mutex), ORDEAL_FRAME());
  return ordeal_real.mtx_unlock(mutex);
}
