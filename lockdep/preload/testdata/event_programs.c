/* Threads that wait for each other by barriers, conditions and semaphores. See lock_programs.h. */
#include "lock_programs.h"

static pthread_mutex_t lock_c = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static sem_t semaphore_a;
static int ready;

/* ---- barriers */
static pthread_barrier_t barrier;
static int earlier_done;
static void* earlier_at_barrier(void* unused) {
  lock(&lock_a);
  unlock(&lock_a);
  __atomic_store_n(&earlier_done, 1, __ATOMIC_SEQ_CST); /* no order that anybody promised */
  CHECK(pthread_barrier_wait(&barrier) <= 0);
  return unused;
}
static void* later_at_barrier_with_lock(void* unused) {
  while (!__atomic_load_n(&earlier_done, __ATOMIC_SEQ_CST)) usleep(1000);
  lock(&lock_a);
  CHECK(pthread_barrier_wait(&barrier) <= 0);
  unlock(&lock_a);
  return unused;
}
static void* later_at_barrier_without(void* unused) {
  while (!__atomic_load_n(&earlier_done, __ATOMIC_SEQ_CST)) usleep(1000);
  lock(&lock_a);
  unlock(&lock_a);
  CHECK(pthread_barrier_wait(&barrier) <= 0);
  return unused;
}
static void two_threads(void* (*one)(void*), void* (*two)(void*)) {
  pthread_t threads[2];
  CHECK(pthread_create(&threads[0], NULL, one, NULL) == 0);
  CHECK(pthread_create(&threads[1], NULL, two, NULL) == 0);
  for (int i = 0; i < 2; ++i) CHECK(pthread_join(threads[i], NULL) == 0);
}
static void barrier_under_lock(void) {
  CHECK(pthread_barrier_init(&barrier, NULL, 2) == 0);
  two_threads(earlier_at_barrier, later_at_barrier_with_lock);
  CHECK(pthread_barrier_destroy(&barrier) == 0);
}
static void barrier_without_lock(void) {
  CHECK(pthread_barrier_init(&barrier, NULL, 2) == 0);
  two_threads(earlier_at_barrier, later_at_barrier_without);
  CHECK(pthread_barrier_destroy(&barrier) == 0);
}
/* Each thread holds a lock of its own, all made at one place. */
static void* barrier_under_own_account(void* account) {
  lock(account);
  unlock(account);
  lock(account);
  CHECK(pthread_barrier_wait(&barrier) <= 0);
  unlock(account);
  return NULL;
}
static void barrier_under_own_locks(void) {
  pthread_t threads[3];
  make_accounts();
  CHECK(pthread_barrier_init(&barrier, NULL, 3) == 0);
  for (int i = 0; i < 3; ++i) {
    CHECK(pthread_create(&threads[i], NULL, barrier_under_own_account, &accounts[i]->mutex) == 0);
  }
  for (int i = 0; i < 3; ++i) CHECK(pthread_join(threads[i], NULL) == 0);
  CHECK(pthread_barrier_destroy(&barrier) == 0);
}
/* One order before the barrier, the other behind it; many phases, so that a fast thread laps a slow one. */
static void* phases_a_then_b_first(void* unused) {
  a_then_b(unused);
  for (int i = 0; i < 100; ++i) CHECK(pthread_barrier_wait(&barrier) <= 0);
  return unused;
}
static void* phases_b_then_a_behind(void* unused) {
  for (int i = 0; i < 100; ++i) CHECK(pthread_barrier_wait(&barrier) <= 0);
  return b_then_a(unused);
}
static void barrier_orders(void) {
  CHECK(pthread_barrier_init(&barrier, NULL, 2) == 0);
  two_threads(phases_a_then_b_first, phases_b_then_a_behind);
  CHECK(pthread_barrier_destroy(&barrier) == 0);
}

/* ---- waits for a signal, under a lock that the signaller takes on its way there */
static int waiting;
static pthread_mutex_t* outer; /* NULL: none */
static int with_deadline;
static void* wait_under_outer(void* unused) {
  const struct timespec deadline = {4102444800, 0}; /* the year 2100 */
  while (!__atomic_load_n(&earlier_done, __ATOMIC_SEQ_CST)) usleep(1000);
  if (outer != NULL) lock(outer);
  lock(&lock_c);
  __atomic_store_n(&waiting, 1, __ATOMIC_SEQ_CST);
  while (!ready) {
    CHECK((with_deadline ? pthread_cond_timedwait(&changed, &lock_c, &deadline) : pthread_cond_wait(&changed, &lock_c)) == 0);
  }
  unlock(&lock_c);
  if (outer != NULL) unlock(outer);
  return unused;
}
static void* signal_after_b(void* unused) {
  lock(&lock_b);
  unlock(&lock_b);
  __atomic_store_n(&earlier_done, 1, __ATOMIC_SEQ_CST);
  while (!__atomic_load_n(&waiting, __ATOMIC_SEQ_CST)) usleep(1000);
  lock(&lock_c);
  ready = 1;
  pthread_cond_signal(&changed);
  unlock(&lock_c);
  return unused;
}
static void condition_under_lock(void) {
  pthread_cond_init(&changed, NULL);
  outer = &lock_b;
  two_threads(wait_under_outer, signal_after_b);
}
static void condition_under_no_lock(void) {
  pthread_cond_init(&changed, NULL);
  two_threads(wait_under_outer, signal_after_b);
}
static void condition_under_lock_timed(void) {
  with_deadline = 1;
  condition_under_lock();
}
static void* a_then_b_signal(void* unused) {
  a_then_b(unused);
  return signal_after_b(unused);
}
static void* wait_b_then_a(void* unused) {
  wait_under_outer(unused);
  return b_then_a(unused);
}
static void condition_orders(void) {
  pthread_cond_init(&changed, NULL);
  two_threads(a_then_b_signal, wait_b_then_a);
}
static void* post_after_b(void* unused) {
  lock(&lock_b);
  unlock(&lock_b);
  __atomic_store_n(&earlier_done, 1, __ATOMIC_SEQ_CST);
  CHECK(sem_post(&semaphore_a) == 0);
  return unused;
}
static void* semaphore_under_outer(void* unused) {
  while (!__atomic_load_n(&earlier_done, __ATOMIC_SEQ_CST)) usleep(1000);
  if (outer != NULL) lock(outer);
  CHECK(sem_wait(&semaphore_a) == 0);
  if (outer != NULL) unlock(outer);
  return unused;
}
static void semaphore_under_lock(void) {
  sem_init(&semaphore_a, 0, 0);
  outer = &lock_b;
  two_threads(semaphore_under_outer, post_after_b);
}
static void semaphore_under_no_lock(void) {
  sem_init(&semaphore_a, 0, 0);
  two_threads(semaphore_under_outer, post_after_b);
}
static void* a_then_b_post(void* unused) {
  a_then_b(unused);
  CHECK(sem_post(&semaphore_a) == 0);
  return unused;
}
static void* await_b_then_a(void* unused) {
  CHECK(sem_wait(&semaphore_a) == 0);
  return b_then_a(unused);
}
static void semaphore_orders(void) {
  sem_init(&semaphore_a, 0, 0);
  two_threads(a_then_b_post, await_b_then_a);
}

int main(int argc, char** argv) {
  static const struct test_case cases[] = {
      {"barrier_under_lock", barrier_under_lock},
      {"barrier_without_lock", barrier_without_lock},
      {"barrier_under_own_locks", barrier_under_own_locks},
      {"barrier_orders", barrier_orders},
      {"condition_under_lock", condition_under_lock},
      {"condition_under_no_lock", condition_under_no_lock},
      {"condition_under_lock_timed", condition_under_lock_timed},
      {"condition_orders", condition_orders},
      {"semaphore_under_lock", semaphore_under_lock},
      {"semaphore_under_no_lock", semaphore_under_no_lock},
      {"semaphore_orders", semaphore_orders},
      {NULL, NULL}};
  return run_case(argc, argv, cases);
}
