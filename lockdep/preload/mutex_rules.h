// The steps around an operation on a pthread mutex, shared by the interposed functions of pthreads and C11.
//
// Thread-safety: any thread.
// Invariants:    the real operation runs between the steps, outside the validator; its result and errno are the program's.
// Example:
//   LockEntry* lock = BeforeMutexLock(mutex, frame);
//   if (real(mutex) != 0) MutexLockFailed(lock, frame);
#ifndef ORDEAL_LOCKDEP_PRELOAD_MUTEX_RULES_H_
#define ORDEAL_LOCKDEP_PRELOAD_MUTEX_RULES_H_

#include <pthread.h>

#include "lockdep/preload/lock_registry.h"

namespace ordeal::lockdep {

void MutexInitialised(pthread_mutex_t* mutex, const void* frame);  // after the call, if it succeeded
// Before the object is initialised again: its tag is about to be wiped.
void BeforeMutexInit(pthread_mutex_t* mutex, const void* frame);

// A lock call that may block for ever: judged before it does. Null: nothing to undo if it fails.
LockEntry* BeforeMutexLock(pthread_mutex_t* mutex, const void* frame);
void MutexLockFailed(LockEntry* lock, const void* frame);
// A try or timed call has succeeded: it holds, but did not have to wait for ever.
void AfterMutexTrylock(pthread_mutex_t* mutex, const void* frame);
void BeforeMutexUnlock(pthread_mutex_t* mutex, const void* frame);

// Around destruction. `destroyed`: it succeeded.
LockEntry* BeforeMutexDestroy(pthread_mutex_t* mutex, bool* locked);
void AfterMutexDestroy(LockEntry* lock, bool locked, bool destroyed, const void* frame);

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_PRELOAD_MUTEX_RULES_H_
