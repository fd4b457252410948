// What the interposer reads of glibc's lock objects. Their layout is part of glibc's ABI (static initialisers depend on it).
//
// Thread-safety: racy reads of words that only their owner changes in the way that is asked for.
// Example:       if (OwnedBy(mutex, tid)) ...
#ifndef ORDEAL_LOCKDEP_PRELOAD_MUTEX_ACCESS_H_
#define ORDEAL_LOCKDEP_PRELOAD_MUTEX_ACCESS_H_

#include <pthread.h>
#include <sys/types.h>

#include <cstdint>

#if !defined(__GLIBC__) || !(defined(__x86_64__) || defined(__aarch64__))
#error "the interposer knows glibc's lock objects on x86-64 and arm64"
#endif

namespace ordeal::lockdep {

inline constexpr int kMutexTypeMask = 3;
inline constexpr int kMutexRobust = 16;
inline constexpr int kMutexSpecialMask = 0xf0;  // robust, priority inheritance, priority ceiling, process-shared

inline int KindOf(const pthread_mutex_t* mutex) { return __atomic_load_n(&mutex->__data.__kind, __ATOMIC_RELAXED); }

// A plain mutex does not use its list of robust mutexes, so there is room for a tag. A shared one is another process's too.
inline uint64_t* TagOf(pthread_mutex_t* mutex) {
  if ((KindOf(mutex) & kMutexSpecialMask) != 0) return nullptr;
  return reinterpret_cast<uint64_t*>(&mutex->__data.__list.__prev);
}

// True if locking it again is legal or an error code, not a deadlock: recursive and error-checking mutexes.
inline bool KnowsOwner(const pthread_mutex_t* mutex) {
  const int type = KindOf(mutex) & kMutexTypeMask;
  return type == PTHREAD_MUTEX_RECURSIVE_NP || type == PTHREAD_MUTEX_ERRORCHECK_NP;
}
inline bool OwnedBy(const pthread_mutex_t* mutex, pid_t tid) {
  return __atomic_load_n(&mutex->__data.__owner, __ATOMIC_RELAXED) == tid;
}
// How often its owner must still unlock it; of a recursive mutex only.
inline unsigned DepthOf(const pthread_mutex_t* mutex) { return mutex->__data.__count; }
inline bool IsRecursive(const pthread_mutex_t* mutex) {
  return (KindOf(mutex) & kMutexTypeMask) == PTHREAD_MUTEX_RECURSIVE_NP;
}
inline bool IsLocked(const pthread_mutex_t* mutex) {
  return __atomic_load_n(&mutex->__data.__lock, __ATOMIC_RELAXED) != 0;
}

inline uint64_t* TagOf(pthread_rwlock_t* rwlock) {
#ifdef __x86_64__
  if (rwlock->__data.__shared != 0) return nullptr;
  return reinterpret_cast<uint64_t*>(&rwlock->__data.__pad2);
#else
  return nullptr;
#endif
}
// Set aside by its initialiser: readers wait behind a queued writer.
inline bool PrefersWriters(const pthread_rwlock_t* rwlock) {
  return rwlock->__data.__flags == PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP;
}
inline bool IsLocked(const pthread_rwlock_t* rwlock) {
  constexpr unsigned kReaderShift = 3;
  return (__atomic_load_n(&rwlock->__data.__readers, __ATOMIC_RELAXED) >> kReaderShift) != 0 ||
         __atomic_load_n(&rwlock->__data.__cur_writer, __ATOMIC_RELAXED) != 0;
}

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_PRELOAD_MUTEX_ACCESS_H_
