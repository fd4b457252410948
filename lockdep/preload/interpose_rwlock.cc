// pthread rwlocks. glibc's default lets a reader pass a queued writer, so reading is recursive; a lock made to prefer writers
// (and, on request, every rwlock: POSIX allows that) makes readers wait.
#include <pthread.h>

#include "lockdep/preload/checked_process.h"
#include "lockdep/preload/interpose.h"
#include "lockdep/preload/mutex_access.h"
#include "lockdep/preload/real_functions.h"

using namespace ordeal::lockdep;  // NOLINT: this file defines C functions only

namespace {

LockEntry* Find(pthread_rwlock_t* rwlock) {
  uint64_t* tag = TagOf(rwlock);
  return tag != nullptr ? process->registry.FindTagged(tag, rwlock) : process->registry.Find(rwlock);
}

LockEntry* FindOrAdd(pthread_rwlock_t* rwlock) {
  LockEntry* lock = Find(rwlock);
  return lock != nullptr ? lock : process->registry.AddUsed(rwlock, TagOf(rwlock), PthreadKind::kRwlock);
}

Mode ReaderMode(const pthread_rwlock_t* rwlock) {
  return process->posix_rwlocks || PrefersWriters(rwlock) ? Mode::kShared : Mode::kSharedRecursive;
}

LockEntry* BeforeLock(pthread_rwlock_t* rwlock, bool reads, const void* frame) {
  ThreadState* thread = Enter();
  if (thread == nullptr) return nullptr;
  LockEntry* lock = FindOrAdd(rwlock);
  if (lock != nullptr) {
    Acquire(*thread, *lock, reads ? ReaderMode(rwlock) : Mode::kExclusive, false, SiteAt(*thread, frame));
  }
  Leave(*thread);
  return lock;
}

int AfterLock(int result, LockEntry* lock, const void* frame) {
  if (__builtin_expect(result == 0 || lock == nullptr, 1)) return result;
  if (ThreadState* thread = Enter()) {
    Release(*thread, *lock, SiteAt(*thread, frame));
    Leave(*thread);
  }
  return result;
}

int AfterTry(int result, pthread_rwlock_t* rwlock, bool reads, const void* frame) {
  if (result != 0) return result;
  if (ThreadState* thread = Enter()) {
    LockEntry* lock = FindOrAdd(rwlock);
    if (lock != nullptr) {
      Acquire(*thread, *lock, reads ? ReaderMode(rwlock) : Mode::kExclusive, true, SiteAt(*thread, frame));
    }
    Leave(*thread);
  }
  return result;
}

}  // namespace

ORDEAL_INTERPOSE(int, pthread_rwlock_init, (pthread_rwlock_t* rwlock, const pthread_rwlockattr_t* attributes)) {
  if (ThreadState* thread = Enter()) {
    LockEntry* lock = Find(rwlock);
    if (lock == nullptr) lock = process->registry.Find(rwlock);
    if (lock != nullptr) {
      const bool locked = lock->kind == PthreadKind::kRwlock && IsLocked(rwlock);
      Reinitialised(*thread, *lock, locked, SiteAt(*thread, ORDEAL_FRAME()));
    }
    Leave(*thread);
  }
  const int result = ordeal_real.pthread_rwlock_init(rwlock, attributes);
  if (result != 0) return result;
  if (ThreadState* thread = Enter()) {
    process->registry.AddCreated(rwlock, TagOf(rwlock), PthreadKind::kRwlock);
    Leave(*thread);
  }
  return result;
}

ORDEAL_INTERPOSE(int, pthread_rwlock_destroy, (pthread_rwlock_t* rwlock)) {
  if (ThreadState* thread = Enter()) {
    LockEntry* lock = Find(rwlock);
    if (lock != nullptr) Reinitialised(*thread, *lock, IsLocked(rwlock), SiteAt(*thread, ORDEAL_FRAME()));
    Leave(*thread);
  }
  return ordeal_real.pthread_rwlock_destroy(rwlock);
}

ORDEAL_INTERPOSE(int, pthread_rwlock_rdlock, (pthread_rwlock_t* rwlock)) {
  LockEntry* lock = BeforeLock(rwlock, true, ORDEAL_FRAME());
  return AfterLock(ordeal_real.pthread_rwlock_rdlock(rwlock), lock, ORDEAL_FRAME());
}

ORDEAL_INTERPOSE(int, pthread_rwlock_wrlock, (pthread_rwlock_t* rwlock)) {
  LockEntry* lock = BeforeLock(rwlock, false, ORDEAL_FRAME());
  return AfterLock(ordeal_real.pthread_rwlock_wrlock(rwlock), lock, ORDEAL_FRAME());
}

ORDEAL_INTERPOSE(int, pthread_rwlock_tryrdlock, (pthread_rwlock_t* rwlock)) {
  return AfterTry(ordeal_real.pthread_rwlock_tryrdlock(rwlock), rwlock, true, ORDEAL_FRAME());
}

ORDEAL_INTERPOSE(int, pthread_rwlock_trywrlock, (pthread_rwlock_t* rwlock)) {
  return AfterTry(ordeal_real.pthread_rwlock_trywrlock(rwlock), rwlock, false, ORDEAL_FRAME());
}

ORDEAL_INTERPOSE(int, pthread_rwlock_timedrdlock, (pthread_rwlock_t* rwlock, const struct timespec* deadline)) {
  return AfterTry(ordeal_real.pthread_rwlock_timedrdlock(rwlock, deadline), rwlock, true, ORDEAL_FRAME());
}

ORDEAL_INTERPOSE(int, pthread_rwlock_timedwrlock, (pthread_rwlock_t* rwlock, const struct timespec* deadline)) {
  return AfterTry(ordeal_real.pthread_rwlock_timedwrlock(rwlock, deadline), rwlock, false, ORDEAL_FRAME());
}

ORDEAL_INTERPOSE(int, pthread_rwlock_clockrdlock,
                 (pthread_rwlock_t* rwlock, clockid_t clock, const struct timespec* deadline)) {
  return AfterTry(ordeal_real.pthread_rwlock_clockrdlock(rwlock, clock, deadline), rwlock, true, ORDEAL_FRAME());
}

ORDEAL_INTERPOSE(int, pthread_rwlock_clockwrlock,
                 (pthread_rwlock_t* rwlock, clockid_t clock, const struct timespec* deadline)) {
  return AfterTry(ordeal_real.pthread_rwlock_clockwrlock(rwlock, clock, deadline), rwlock, false, ORDEAL_FRAME());
}

ORDEAL_INTERPOSE(int, pthread_rwlock_unlock, (pthread_rwlock_t* rwlock)) {
  if (ThreadState* thread = Enter()) {
    LockEntry* lock = Find(rwlock);
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
  return ordeal_real.pthread_rwlock_unlock(rwlock);
}
