#include "lockdep/preload/mutex_rules.h"

#include "lockdep/preload/checked_process.h"
#include "lockdep/preload/mutex_access.h"

namespace ordeal::lockdep {
namespace {

LockEntry* Find(pthread_mutex_t* mutex) {
  uint64_t* tag = TagOf(mutex);
  if (__builtin_expect(tag != nullptr, 1)) return process->registry.FindTagged(tag, mutex);
  return process->registry.Find(mutex);
}

LockEntry* FindOrAdd(pthread_mutex_t* mutex) {
  LockEntry* lock = Find(mutex);
  if (__builtin_expect(lock != nullptr, 1)) return lock;
  lock = process->registry.AddUsed(mutex, TagOf(mutex), PthreadKind::kMutex);
  if (lock != nullptr) lock->robust = (KindOf(mutex) & kMutexRobust) != 0;
  return lock;
}

// A recursive or error-checking mutex that the thread has: no dependency, whatever the real function then says.
bool HasAlready(const ThreadState& thread, const pthread_mutex_t* mutex) {
  return KnowsOwner(mutex) && OwnedBy(mutex, thread.tid);
}

}  // namespace

void BeforeMutexInit(pthread_mutex_t* mutex, const void* frame) {
  ThreadState* thread = Enter();
  if (thread == nullptr) return;
  if (LockEntry* lock = Find(mutex); lock != nullptr) {
    Reinitialised(*thread, *lock, IsLocked(mutex), SiteAt(*thread, frame));
  } else if (LockEntry* shared = process->registry.Find(mutex); shared != nullptr) {
    Reinitialised(*thread, *shared, false, SiteAt(*thread, frame));  // what lay there before was of another kind
  }
  Leave(*thread);
}

void MutexInitialised(pthread_mutex_t* mutex, const void*) {
  ThreadState* thread = Enter();
  if (thread == nullptr) return;
  LockEntry* lock = process->registry.AddCreated(mutex, TagOf(mutex), PthreadKind::kMutex);
  if (lock != nullptr) lock->robust = (KindOf(mutex) & kMutexRobust) != 0;
  Leave(*thread);
}

LockEntry* BeforeMutexLock(pthread_mutex_t* mutex, const void* frame) {
  ThreadState* thread = Enter();
  if (thread == nullptr) return nullptr;
  LockEntry* lock = FindOrAdd(mutex);
  if (lock != nullptr && HasAlready(*thread, mutex)) lock = nullptr;
  if (lock != nullptr) Acquire(*thread, *lock, Mode::kExclusive, false, SiteAt(*thread, frame));
  Leave(*thread);
  return lock;
}

void MutexLockFailed(LockEntry* lock, const void* frame) {
  if (lock == nullptr) return;
  ThreadState* thread = Enter();
  if (thread == nullptr) return;
  Release(*thread, *lock, SiteAt(*thread, frame));
  Leave(*thread);
}

void AfterMutexTrylock(pthread_mutex_t* mutex, const void* frame) {
  ThreadState* thread = Enter();
  if (thread == nullptr) return;
  LockEntry* lock = FindOrAdd(mutex);
  const bool again = IsRecursive(mutex) && DepthOf(mutex) > 1;
  if (lock != nullptr && !again) Acquire(*thread, *lock, Mode::kExclusive, true, SiteAt(*thread, frame));
  Leave(*thread);
}

void BeforeMutexUnlock(pthread_mutex_t* mutex, const void* frame) {
  ThreadState* thread = Enter();
  if (thread == nullptr) return;
  LockEntry* lock = Find(mutex);
  const bool still_held = IsRecursive(mutex) && OwnedBy(mutex, thread->tid) && DepthOf(mutex) > 1;
  if (lock != nullptr && !still_held) {
    if (__builtin_expect(Holds(*thread, *lock), 1)) {
      Release(*thread, *lock, SiteAt(*thread, frame));
    } else {
      ReleaseForOther(*thread, *lock, SiteAt(*thread, frame), true);
    }
  }
  Leave(*thread);
}

LockEntry* BeforeMutexDestroy(pthread_mutex_t* mutex, bool* locked) {
  ThreadState* thread = Enter();
  if (thread == nullptr) return nullptr;
  LockEntry* lock = Find(mutex);
  *locked = IsLocked(mutex);
  Leave(*thread);
  return lock;
}

void AfterMutexDestroy(LockEntry* lock, bool locked, bool destroyed, const void* frame) {
  if (lock == nullptr || (!locked && !destroyed)) return;
  ThreadState* thread = Enter();
  if (thread == nullptr) return;
  if (destroyed) {
    Reinitialised(*thread, *lock, locked, SiteAt(*thread, frame));
  } else {
    process->validator.MemoryFreed(thread->task, &lock->map(), sizeof(LockMap), SiteAt(*thread, frame));
    Record(*thread, *lock, EventOp::kDestroy, SiteAt(*thread, frame));  // tried
    thread_local_state.news = true;
  }
  Leave(*thread);
}

}  // namespace ordeal::lockdep
