/* Orders of every kind of lock. See lock_programs.h. */
#include "lock_programs.h"

static pthread_rwlock_t table = PTHREAD_RWLOCK_INITIALIZER;
static pthread_mutex_t recursive = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static pthread_mutex_t checking = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static sem_t semaphore_a, semaphore_b;
static pthread_mutex_t lock_c = PTHREAD_MUTEX_INITIALIZER;

static void* gated_ab(void* unused) {
  lock(&lock_c);
  a_then_b(unused);
  unlock(&lock_c);
  return unused;
}
static void* gated_ba(void* unused) {
  lock(&lock_c);
  b_then_a(unused);
  unlock(&lock_c);
  return unused;
}
static void abba_gated(void) { both(gated_ab, gated_ba); }

static void nested_instances(void) {
  make_accounts();
  both(accounts_up, accounts_up);
}
static void nested_instances_inverted(void) {
  make_accounts();
  both(accounts_up, accounts_down);
}

/* ---- read-write locks */
static void* read_table_then_a(void* unused) {
  pthread_rwlock_rdlock(&table);
  lock(&lock_a);
  unlock(&lock_a);
  pthread_rwlock_unlock(&table);
  return unused;
}
static void* a_then_write_table(void* unused) {
  lock(&lock_a);
  pthread_rwlock_wrlock(&table);
  pthread_rwlock_unlock(&table);
  unlock(&lock_a);
  return unused;
}
static void* a_then_read_table(void* unused) {
  lock(&lock_a);
  pthread_rwlock_rdlock(&table);
  pthread_rwlock_unlock(&table);
  unlock(&lock_a);
  return unused;
}
static void rwlock_inverted(void) { both(read_table_then_a, a_then_write_table); }
static void rwlock_readers(void) { both(read_table_then_a, a_then_read_table); }

/* ---- recursive, error-checking */
static void recursive_silent(void) {
  lock(&recursive);
  lock(&recursive);
  CHECK(pthread_mutex_trylock(&recursive) == 0);
  lock(&lock_a);
  unlock(&lock_a);
  unlock(&recursive);
  unlock(&recursive);
  unlock(&recursive);
  lock(&checking);
  CHECK(pthread_mutex_lock(&checking) == EDEADLK);
  unlock(&checking);
}
/* Really deadlocks on itself; an alarm ends it. */
static void self_deadlock(void) {
  alarm(1);
  lock(&lock_a);
  lock(&lock_a);
}

/* ---- try and timed */
static void* b_then_try_a(void* unused) {
  lock(&lock_b);
  if (pthread_mutex_trylock(&lock_a) == 0) unlock(&lock_a);
  unlock(&lock_b);
  return unused;
}
static void* try_b_then_a(void* unused) {
  CHECK(pthread_mutex_trylock(&lock_b) == 0);
  lock(&lock_a);
  unlock(&lock_a);
  unlock(&lock_b);
  return unused;
}
static void* b_then_timed_a(void* unused) {
  const struct timespec deadline = {4102444800, 0}; /* the year 2100 */
  lock(&lock_b);
  CHECK(pthread_mutex_timedlock(&lock_a, &deadline) == 0);
  unlock(&lock_a);
  CHECK(pthread_mutex_clocklock(&lock_a, CLOCK_REALTIME, &deadline) == 0);
  unlock(&lock_a);
  unlock(&lock_b);
  return unused;
}
static void* timed_out(void* unused) {
  struct timespec deadline = {1, 0};
  CHECK(pthread_mutex_timedlock(&lock_a, &deadline) == ETIMEDOUT);
  return unused;
}
static void trylock_backs_off(void) { both(a_then_b, b_then_try_a); }
static void trylock_holds(void) { both(a_then_b, try_b_then_a); }
static void timed_backs_off(void) { both(a_then_b, b_then_timed_a); }
static void timed_fails(void) {
  lock(&lock_a);
  both(timed_out, timed_out);
  unlock(&lock_a);
}

/* ---- robust */
static pthread_mutex_t robust;
static void* die_with_robust(void* unused) {
  lock(&robust);
  return unused;
}
static void robust_owner_dies(void) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  pthread_mutex_init(&robust, &attributes);
  pthread_t thread;
  pthread_create(&thread, NULL, die_with_robust, NULL);
  pthread_join(thread, NULL);
  CHECK(pthread_mutex_lock(&robust) == EOWNERDEAD);
  CHECK(pthread_mutex_consistent(&robust) == 0);
  unlock(&robust);
  lock(&robust);
  unlock(&robust);
  CHECK(pthread_mutex_destroy(&robust) == 0);
}

/* ---- condition variables */
static int ready;
static void* wait_for_change(void* outer) {
  if (outer != NULL) lock(outer);
  lock(&lock_a);
  while (!ready) pthread_cond_wait(&changed, &lock_a);
  unlock(&lock_a);
  if (outer != NULL) unlock(outer);
  return NULL;
}
static void* change(void* unused) {
  lock(&lock_a);
  ready = 1;
  pthread_cond_broadcast(&changed);
  unlock(&lock_a);
  return unused;
}
static void condition(void) {
  pthread_t waiter, changer;
  pthread_create(&waiter, NULL, wait_for_change, NULL);
  pthread_create(&changer, NULL, change, NULL);
  pthread_join(waiter, NULL);
  pthread_join(changer, NULL);
  struct timespec past = {1, 0};
  lock(&lock_a);
  CHECK(pthread_cond_timedwait(&changed, &lock_a, &past) == ETIMEDOUT);
  CHECK(pthread_cond_clockwait(&changed, &lock_a, CLOCK_MONOTONIC, &past) == ETIMEDOUT);
  unlock(&lock_a);
}
/* Takes lock_a again with lock_b held, because lock_b was taken first; elsewhere it is the other way round. */
static void* wait_with_inner(void* unused) {
  struct timespec past = {1, 0};
  lock(&lock_a);
  lock(&lock_b);
  pthread_cond_timedwait(&changed, &lock_a, &past);
  unlock(&lock_b);
  unlock(&lock_a);
  return unused;
}
static void condition_inverted(void) { both(wait_with_inner, wait_with_inner); }
static void unlock_given(void* mutex) { unlock(mutex); }
static void* wait_for_ever(void* unused) {
  lock(&lock_a);
  pthread_cleanup_push(unlock_given, &lock_a);
  for (;;) pthread_cond_wait(&changed, &lock_a);
  pthread_cleanup_pop(1);
  return unused;
}
static void condition_cancelled(void) {
  pthread_t waiter;
  pthread_create(&waiter, NULL, wait_for_ever, NULL);
  usleep(20000);
  pthread_cancel(waiter);
  void* result;
  pthread_join(waiter, &result);
  CHECK(result == PTHREAD_CANCELED);
  lock(&lock_a);
  unlock(&lock_a);
}

/* ---- semaphores */
static void* semaphore_ab(void* unused) {
  sem_wait(&semaphore_a);
  sem_wait(&semaphore_b);
  sem_post(&semaphore_b);
  sem_post(&semaphore_a);
  return unused;
}
static void* semaphore_ba(void* unused) {
  sem_wait(&semaphore_b);
  sem_wait(&semaphore_a);
  sem_post(&semaphore_a);
  sem_post(&semaphore_b);
  return unused;
}
static void semaphores_inverted(void) {
  sem_init(&semaphore_a, 0, 1);
  sem_init(&semaphore_b, 0, 1);
  both(semaphore_ab, semaphore_ba);
}
static void semaphores_in_order(void) {
  sem_init(&semaphore_a, 0, 1);
  sem_init(&semaphore_b, 0, 1);
  both(semaphore_ab, semaphore_ab);
}
static void* post_both(void* unused) {
  sem_post(&semaphore_a);
  sem_post(&semaphore_b);
  return unused;
}
static void* wait_both(void* unused) {
  sem_wait(&semaphore_a);
  a_then_b(NULL);
  sem_wait(&semaphore_b);
  return unused;
}
static void* post_a(void* unused) {
  sem_post(&semaphore_a);
  return unused;
}
/* The holder waits again; another thread posts. */
static void semaphore_waited_twice(void) {
  pthread_t thread;
  sem_init(&semaphore_a, 0, 1);
  sem_wait(&semaphore_a);
  pthread_create(&thread, NULL, post_a, NULL);
  sem_wait(&semaphore_a);
  pthread_join(thread, NULL);
}
static void semaphores_signal(void) {
  sem_init(&semaphore_a, 0, 1);
  sem_init(&semaphore_b, 0, 1);
  wait_both(NULL);
  both(post_both, wait_both);
  both(post_both, wait_both);
}

/* ---- spinlocks, once, C11 */
static pthread_spinlock_t spin_a, spin_b;
static void* spin_ab(void* unused) {
  pthread_spin_lock(&spin_a);
  pthread_spin_lock(&spin_b);
  pthread_spin_unlock(&spin_b);
  pthread_spin_unlock(&spin_a);
  return unused;
}
static void* spin_ba(void* unused) {
  pthread_spin_lock(&spin_b);
  pthread_spin_lock(&spin_a);
  pthread_spin_unlock(&spin_a);
  pthread_spin_unlock(&spin_b);
  return unused;
}
static void spin_init(void) {
  pthread_spin_init(&spin_a, 0);
  pthread_spin_init(&spin_b, 0);
}
static void spinlocks_inverted(void) {
  spin_init();
  both(spin_ab, spin_ba);
}
static void spinlocks_in_order(void) {
  spin_init();
  both(spin_ab, spin_ab);
}
static pthread_once_t once = PTHREAD_ONCE_INIT;
static void once_takes_a(void) {
  lock(&lock_a);
  unlock(&lock_a);
}
static void* call_once_free(void* unused) {
  pthread_once(&once, once_takes_a);
  return unused;
}
static pthread_once_t other_once = PTHREAD_ONCE_INIT;
static void once_idle(void) {}
static void* call_once_under_a(void* unused) {
  lock(&lock_a);
  pthread_once(&once, once_takes_a);
  pthread_once(&other_once, once_idle);
  unlock(&lock_a);
  return unused;
}
static void once_done_before(void) { both(call_once_free, call_once_under_a); }
static mtx_t c11_a, c11_b;
static void* c11_ab(void* unused) {
  mtx_lock(&c11_a);
  mtx_lock(&c11_b);
  mtx_unlock(&c11_b);
  mtx_unlock(&c11_a);
  return unused;
}
static void* c11_ba(void* unused) {
  mtx_lock(&c11_b);
  mtx_lock(&c11_a);
  mtx_unlock(&c11_a);
  mtx_unlock(&c11_b);
  return unused;
}
static int c11_thread(void* unused) {
  c11_ab(unused);
  return 3;
}
static void c11_inverted(void) {
  mtx_init(&c11_a, mtx_plain);
  mtx_init(&c11_b, mtx_plain);
  both(c11_ab, c11_ba);
}
static void c11_in_order(void) {
  mtx_init(&c11_a, mtx_plain);
  mtx_init(&c11_b, mtx_recursive);
  thrd_t thread;
  int value;
  CHECK(thrd_create(&thread, c11_thread, NULL) == thrd_success);
  CHECK(thrd_join(thread, &value) == thrd_success && value == 3);
  both(c11_ab, c11_ab);
  mtx_destroy(&c11_a);
  mtx_destroy(&c11_b);
}

/* ---- for recordings */
static void* take_pairs(void* unused) {
  for (int i = 0; i < 10000; ++i) {
    lock(&lock_a);
    unlock(&lock_a);
  }
  return unused;
}
static void many_pairs(void) {
  pthread_t threads[4];
  for (int i = 0; i < 4; ++i) CHECK(pthread_create(&threads[i], NULL, take_pairs, NULL) == 0);
  for (int i = 0; i < 4; ++i) CHECK(pthread_join(threads[i], NULL) == 0);
}
static void* hold_a_and_wait_for_b(void* unused) {
  lock(&lock_a);
  usleep(100000);
  lock(&lock_b);
  return unused;
}
static void* hold_b_and_wait_for_a(void* unused) {
  lock(&lock_b);
  usleep(100000);
  lock(&lock_a);
  return unused;
}
/* Really deadlocks; an alarm ends it. */
static void deadlock(void) {
  pthread_t threads[2];
  alarm(1);
  CHECK(pthread_create(&threads[0], NULL, hold_a_and_wait_for_b, NULL) == 0);
  CHECK(pthread_create(&threads[1], NULL, hold_b_and_wait_for_a, NULL) == 0);
  for (int i = 0; i < 2; ++i) CHECK(pthread_join(threads[i], NULL) == 0);
}
static void abba_in_fork(void) {
  lock(&lock_a);
  const pid_t child = fork();
  unlock(&lock_a);
  if (child == 0) {
    b_then_a(NULL);
    a_then_b(NULL);
    _exit(0);
  }
  CHECK(waitpid(child, NULL, 0) == child);
}

int main(int argc, char** argv) {
  static const struct test_case cases[] = {
      {"abba", abba},
      {"abab", abab},
      {"abba_joined", abba_joined},
      {"abba_gated", abba_gated},
      {"nested_instances", nested_instances},
      {"nested_instances_inverted", nested_instances_inverted},
      {"rwlock_inverted", rwlock_inverted},
      {"rwlock_readers", rwlock_readers},
      {"recursive_silent", recursive_silent},
      {"self_deadlock", self_deadlock},
      {"trylock_backs_off", trylock_backs_off},
      {"trylock_holds", trylock_holds},
      {"timed_backs_off", timed_backs_off},
      {"timed_fails", timed_fails},
      {"robust_owner_dies", robust_owner_dies},
      {"condition", condition},
      {"condition_inverted", condition_inverted},
      {"condition_cancelled", condition_cancelled},
      {"semaphores_inverted", semaphores_inverted},
      {"semaphores_in_order", semaphores_in_order},
      {"semaphores_signal", semaphores_signal},
      {"semaphore_waited_twice", semaphore_waited_twice},
      {"spinlocks_inverted", spinlocks_inverted},
      {"spinlocks_in_order", spinlocks_in_order},
      {"once_done_before", once_done_before},
      {"c11_inverted", c11_inverted},
      {"c11_in_order", c11_in_order},
      {"many_pairs", many_pairs},
      {"deadlock", deadlock},
      {"abba_in_fork", abba_in_fork},
      {NULL, NULL}};
  return run_case(argc, argv, cases);
}
