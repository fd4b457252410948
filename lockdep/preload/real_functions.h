// The functions that the interposer stands in front of, as the next library in the search order defines them.
//
// Thread-safety: resolved before the program's first thread; afterwards the table is constant.
// Invariants:    the mutex and rwlock entries are usable even before that. A function that this C library lacks stays null,
//                and no program that runs on it calls it.
// Example:       return real.pthread_mutex_lock(mutex);
#ifndef ORDEAL_LOCKDEP_PRELOAD_REAL_FUNCTIONS_H_
#define ORDEAL_LOCKDEP_PRELOAD_REAL_FUNCTIONS_H_

// name, result, parameters
#define ORDEAL_REAL_FUNCTIONS(X)                                                                                        \
  X(pthread_mutex_init, int, (pthread_mutex_t*, const pthread_mutexattr_t*))                                            \
  X(pthread_mutex_destroy, int, (pthread_mutex_t*))                                                                     \
  X(pthread_mutex_lock, int, (pthread_mutex_t*))                                                                        \
  X(pthread_mutex_trylock, int, (pthread_mutex_t*))                                                                     \
  X(pthread_mutex_timedlock, int, (pthread_mutex_t*, const struct timespec*))                                           \
  X(pthread_mutex_clocklock, int, (pthread_mutex_t*, clockid_t, const struct timespec*))                                \
  X(pthread_mutex_unlock, int, (pthread_mutex_t*))                                                                      \
  X(pthread_rwlock_init, int, (pthread_rwlock_t*, const pthread_rwlockattr_t*))                                         \
  X(pthread_rwlock_destroy, int, (pthread_rwlock_t*))                                                                   \
  X(pthread_rwlock_rdlock, int, (pthread_rwlock_t*))                                                                    \
  X(pthread_rwlock_tryrdlock, int, (pthread_rwlock_t*))                                                                 \
  X(pthread_rwlock_timedrdlock, int, (pthread_rwlock_t*, const struct timespec*))                                       \
  X(pthread_rwlock_clockrdlock, int, (pthread_rwlock_t*, clockid_t, const struct timespec*))                            \
  X(pthread_rwlock_wrlock, int, (pthread_rwlock_t*))                                                                    \
  X(pthread_rwlock_trywrlock, int, (pthread_rwlock_t*))                                                                 \
  X(pthread_rwlock_timedwrlock, int, (pthread_rwlock_t*, const struct timespec*))                                       \
  X(pthread_rwlock_clockwrlock, int, (pthread_rwlock_t*, clockid_t, const struct timespec*))                            \
  X(pthread_rwlock_unlock, int, (pthread_rwlock_t*))                                                                    \
  X(pthread_spin_init, int, (pthread_spinlock_t*, int))                                                                 \
  X(pthread_spin_destroy, int, (pthread_spinlock_t*))                                                                   \
  X(pthread_spin_lock, int, (pthread_spinlock_t*))                                                                      \
  X(pthread_spin_trylock, int, (pthread_spinlock_t*))                                                                   \
  X(pthread_spin_unlock, int, (pthread_spinlock_t*))                                                                    \
  X(pthread_cond_wait, int, (pthread_cond_t*, pthread_mutex_t*))                                                        \
  X(pthread_cond_timedwait, int, (pthread_cond_t*, pthread_mutex_t*, const struct timespec*))                           \
  X(pthread_cond_clockwait, int, (pthread_cond_t*, pthread_mutex_t*, clockid_t, const struct timespec*))                \
  X(pthread_cond_init, int, (pthread_cond_t*, const pthread_condattr_t*))                                               \
  X(pthread_cond_destroy, int, (pthread_cond_t*))                                                                       \
  X(pthread_cond_signal, int, (pthread_cond_t*))                                                                        \
  X(pthread_cond_broadcast, int, (pthread_cond_t*))                                                                     \
  X(cnd_init, int, (cnd_t*))                                                                                            \
  X(cnd_destroy, void, (cnd_t*))                                                                                        \
  X(cnd_signal, int, (cnd_t*))                                                                                          \
  X(cnd_broadcast, int, (cnd_t*))                                                                                       \
  X(pthread_create, int, (pthread_t*, const pthread_attr_t*, void* (*)(void*), void*))                                  \
  X(pthread_join, int, (pthread_t, void**))                                                                             \
  X(pthread_tryjoin_np, int, (pthread_t, void**))                                                                       \
  X(pthread_timedjoin_np, int, (pthread_t, void**, const struct timespec*))                                             \
  X(pthread_clockjoin_np, int, (pthread_t, void**, clockid_t, const struct timespec*))                                  \
  X(pthread_once, int, (pthread_once_t*, void (*)()))                                                                   \
  X(sem_init, int, (sem_t*, int, unsigned))                                                                             \
  X(sem_destroy, int, (sem_t*))                                                                                         \
  X(sem_open, sem_t*, (const char*, int, mode_t, unsigned))                                                             \
  X(sem_close, int, (sem_t*))                                                                                           \
  X(sem_wait, int, (sem_t*))                                                                                            \
  X(sem_trywait, int, (sem_t*))                                                                                         \
  X(sem_timedwait, int, (sem_t*, const struct timespec*))                                                               \
  X(sem_clockwait, int, (sem_t*, clockid_t, const struct timespec*))                                                    \
  X(sem_post, int, (sem_t*))                                                                                            \
  X(mtx_init, int, (mtx_t*, int))                                                                                       \
  X(mtx_destroy, void, (mtx_t*))                                                                                        \
  X(mtx_lock, int, (mtx_t*))                                                                                            \
  X(mtx_trylock, int, (mtx_t*))                                                                                         \
  X(mtx_timedlock, int, (mtx_t*, const struct timespec*))                                                               \
  X(mtx_unlock, int, (mtx_t*))                                                                                          \
  X(cnd_wait, int, (cnd_t*, mtx_t*))                                                                                    \
  X(cnd_timedwait, int, (cnd_t*, mtx_t*, const struct timespec*))                                                       \
  X(thrd_create, int, (thrd_t*, int (*)(void*), void*))                                                                 \
  X(thrd_join, int, (thrd_t, int*))                                                                                     \
  X(pthread_barrier_init, int, (pthread_barrier_t*, const pthread_barrierattr_t*, unsigned))                            \
  X(pthread_barrier_destroy, int, (pthread_barrier_t*))                                                                 \
  X(pthread_barrier_wait, int, (pthread_barrier_t*))                                                                    \
  X(dlclose, int, (void*))

#include <pthread.h>
#include <semaphore.h>
#include <sys/types.h>
#include <threads.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ordeal_real_functions {
#define ORDEAL_REAL_MEMBER(name, result, parameters) result(*name) parameters;
  ORDEAL_REAL_FUNCTIONS(ORDEAL_REAL_MEMBER)
#undef ORDEAL_REAL_MEMBER
};
extern struct ordeal_real_functions ordeal_real;

// The C library's own, without allocating or locking. Idempotent.
void ordeal_resolve_real_functions(void);
// Those of another interposer, if one is loaded behind this one. From a constructor only: the linker's locks are taken.
void ordeal_resolve_next_functions(void);

#ifdef __cplusplus
}
#endif

#endif  // ORDEAL_LOCKDEP_PRELOAD_REAL_FUNCTIONS_H_
