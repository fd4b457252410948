/*
 * Functions that a cancelled or ending thread may be unwound through: condition variables, semaphores, once, join. They are C
 * without exceptions, so the clean-up handlers below are glibc's own (a jump buffer), and nothing of the C++ runtime that
 * is linked into this library meets the program's.
 *
 * A wait on a condition variable releases the mutex and takes it again. The second acquisition is judged before the wait, too:
 * it may never come.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stddef.h>

#include "lockdep/preload/interpose.h"
#include "lockdep/preload/real_functions.h"

struct wait_frame {
  void* condition;
  pthread_mutex_t* mutex;
  const void* place;
  int before;
  int result; /* of the wait; -1 if it did not return */
};

int ordeal_before_condition_wait(void* condition, pthread_mutex_t* mutex, int timed, const void* frame);
void ordeal_after_condition_wait(void* condition, pthread_mutex_t* mutex, int before, int woken, const void* frame);
void ordeal_before_semaphore_wait(sem_t* semaphore, const void* frame);
void ordeal_after_semaphore_wait(sem_t* semaphore, int waited, const void* frame);
void* ordeal_before_once(pthread_once_t* once, const void* frame);
void ordeal_after_once(void* lock, const void* frame);
void (*ordeal_once_routine(void* lock, void (*routine)(void)))(void);
unsigned ordeal_thread_number(pthread_t thread);
void ordeal_joined(pthread_t thread, unsigned number);

/* Whichever way the wait ends, the thread has the mutex again. */
static void wait_ended(void* argument) {
  const struct wait_frame* frame = argument;
  if (frame->before == 0) return;
  ordeal_after_condition_wait(frame->condition, frame->mutex, frame->before, frame->result == 0, frame->place);
}

#define WAIT_ON_CONDITION(condition, mutex_argument, timed, real_call)                                    \
  struct wait_frame frame = {(condition), (mutex_argument), ORDEAL_FRAME(), 0, -1};                      \
  frame.before = ordeal_before_condition_wait(frame.condition, frame.mutex, (timed), frame.place);       \
  pthread_cleanup_push(wait_ended, &frame);                                                               \
  frame.result = (real_call);                                                                             \
  pthread_cleanup_pop(1);                                                                                 \
  return frame.result

ORDEAL_INTERPOSE(int, pthread_cond_wait, (pthread_cond_t * condition, pthread_mutex_t* mutex)) {
  WAIT_ON_CONDITION(condition, mutex, 0, ordeal_real.pthread_cond_wait(condition, mutex));
}

ORDEAL_INTERPOSE(int, pthread_cond_timedwait,
                 (pthread_cond_t * condition, pthread_mutex_t* mutex, const struct timespec* deadline)) {
  WAIT_ON_CONDITION(condition, mutex, 1, ordeal_real.pthread_cond_timedwait(condition, mutex, deadline));
}

ORDEAL_INTERPOSE(int, pthread_cond_clockwait,
                 (pthread_cond_t * condition, pthread_mutex_t* mutex, clockid_t clock, const struct timespec* deadline)) {
  WAIT_ON_CONDITION(condition, mutex, 1, ordeal_real.pthread_cond_clockwait(condition, mutex, clock, deadline));
}

ORDEAL_INTERPOSE(int, cnd_wait, (cnd_t * condition, mtx_t* mutex)) {
  WAIT_ON_CONDITION(condition, (pthread_mutex_t*)mutex, 0, ordeal_real.cnd_wait(condition, mutex));
}

ORDEAL_INTERPOSE(int, cnd_timedwait, (cnd_t * condition, mtx_t* mutex, const struct timespec* deadline)) {
  WAIT_ON_CONDITION(condition, (pthread_mutex_t*)mutex, 1, ordeal_real.cnd_timedwait(condition, mutex, deadline));
}

ORDEAL_INTERPOSE(int, sem_wait, (sem_t * semaphore)) {
  ordeal_before_semaphore_wait(semaphore, ORDEAL_FRAME());
  const int result = ordeal_real.sem_wait(semaphore);
  if (result == 0) ordeal_after_semaphore_wait(semaphore, 1, ORDEAL_FRAME());
  return result;
}

ORDEAL_INTERPOSE(int, sem_timedwait, (sem_t * semaphore, const struct timespec* deadline)) {
  const int result = ordeal_real.sem_timedwait(semaphore, deadline);
  if (result == 0) ordeal_after_semaphore_wait(semaphore, 0, ORDEAL_FRAME());
  return result;
}

ORDEAL_INTERPOSE(int, sem_clockwait, (sem_t * semaphore, clockid_t clock, const struct timespec* deadline)) {
  const int result = ordeal_real.sem_clockwait(semaphore, clock, deadline);
  if (result == 0) ordeal_after_semaphore_wait(semaphore, 0, ORDEAL_FRAME());
  return result;
}

struct once_frame {
  void* lock;
  const void* place;
};

static void once_ended(void* argument) {
  const struct once_frame* frame = argument;
  ordeal_after_once(frame->lock, frame->place);
}

/* The routine may be cancelled or end the thread; a C++ exception that leaves it passes by, and the release is made up for
   when the routine is tried again. */
ORDEAL_INTERPOSE(int, pthread_once, (pthread_once_t * once, void (*routine)(void))) {
  struct once_frame frame = {ordeal_before_once(once, ORDEAL_FRAME()), ORDEAL_FRAME()};
  if (frame.lock == NULL) return ordeal_real.pthread_once(once, routine);
  int result;
  pthread_cleanup_push(once_ended, &frame);
  result = ordeal_real.pthread_once(once, ordeal_once_routine(frame.lock, routine));
  pthread_cleanup_pop(1);
  return result;
}

ORDEAL_INTERPOSE(int, pthread_join, (pthread_t thread, void** value)) {
  const unsigned number = ordeal_thread_number(thread);
  const int result = ordeal_real.pthread_join(thread, value);
  if (result == 0) ordeal_joined(thread, number);
  return result;
}

ORDEAL_INTERPOSE(int, pthread_tryjoin_np, (pthread_t thread, void** value)) {
  const unsigned number = ordeal_thread_number(thread);
  const int result = ordeal_real.pthread_tryjoin_np(thread, value);
  if (result == 0) ordeal_joined(thread, number);
  return result;
}

ORDEAL_INTERPOSE(int, pthread_timedjoin_np, (pthread_t thread, void** value, const struct timespec* deadline)) {
  const unsigned number = ordeal_thread_number(thread);
  const int result = ordeal_real.pthread_timedjoin_np(thread, value, deadline);
  if (result == 0) ordeal_joined(thread, number);
  return result;
}

ORDEAL_INTERPOSE(int, pthread_clockjoin_np,
                 (pthread_t thread, void** value, clockid_t clock, const struct timespec* deadline)) {
  const unsigned number = ordeal_thread_number(thread);
  const int result = ordeal_real.pthread_clockjoin_np(thread, value, clock, deadline);
  if (result == 0) ordeal_joined(thread, number);
  return result;
}

ORDEAL_INTERPOSE(int, thrd_join, (thrd_t thread, int* value)) {
  const unsigned number = ordeal_thread_number(thread);
  const int result = ordeal_real.thrd_join(thread, value);
  if (result == thrd_success) ordeal_joined(thread, number);
  return result;
}
