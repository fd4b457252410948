/*
 * The programs that preload_test.cc runs under the interposer: one file, many mains, chosen by the first argument. Each prints
 * "done" and exits with 7, so that the test sees that output and status are kept. None of them ever really deadlocks: threads
 * run one after the other unless the case says otherwise.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t lock_a = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t lock_b = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t lock_c = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t table = PTHREAD_RWLOCK_INITIALIZER;
static pthread_mutex_t recursive = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static pthread_mutex_t checking = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static sem_t semaphore_a, semaphore_b;

#define CHECK(condition)                                                      \
  do {                                                                        \
    if (!(condition)) {                                                       \
      fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);         \
      _exit(99);                                                              \
    }                                                                         \
  } while (0)

static void lock(pthread_mutex_t* mutex) { CHECK(pthread_mutex_lock(mutex) == 0); }
static void unlock(pthread_mutex_t* mutex) { CHECK(pthread_mutex_unlock(mutex) == 0); }

/* `lock` and `unlock` would make one call site of all; the cases that assert on sites use the functions themselves. */
static void* a_then_b(void* unused) {
  pthread_mutex_lock(&lock_a);
  pthread_mutex_lock(&lock_b);
  pthread_mutex_unlock(&lock_b);
  pthread_mutex_unlock(&lock_a);
  return unused;
}
static void* b_then_a(void* unused) {
  pthread_mutex_lock(&lock_b);
  pthread_mutex_lock(&lock_a);
  pthread_mutex_unlock(&lock_a);
  pthread_mutex_unlock(&lock_b);
  return unused;
}

/* Starts both before it joins either, so that they are concurrent by fork and join; the second waits for the first. */
static sem_t first_is_done;
static void* (*second_body)(void*);
static void* second_after_first(void* unused) {
  while (sem_wait(&first_is_done) != 0) {
  }
  return second_body(unused);
}
static void* (*first_body)(void*);
static void* first(void* unused) {
  void* result = first_body(unused);
  sem_post(&first_is_done);
  return result;
}
static void both(void* (*one)(void*), void* (*two)(void*)) {
  pthread_t threads[2];
  first_body = one;
  second_body = two;
  sem_init(&first_is_done, 0, 0);
  CHECK(pthread_create(&threads[1], NULL, second_after_first, NULL) == 0);
  CHECK(pthread_create(&threads[0], NULL, first, NULL) == 0);
  pthread_join(threads[0], NULL);
  pthread_join(threads[1], NULL);
}
static void one_after_the_other(void* (*one)(void*), void* (*two)(void*)) {
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, one, NULL) == 0);
  pthread_join(thread, NULL);
  CHECK(pthread_create(&thread, NULL, two, NULL) == 0);
  pthread_join(thread, NULL);
}

static void abba(void) { both(a_then_b, b_then_a); }
static void abab(void) { both(a_then_b, a_then_b); }
static void abba_joined(void) { one_after_the_other(a_then_b, b_then_a); }

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

/* ---- the same mutexes made on the heap by one constructor */
struct account {
  pthread_mutex_t mutex;
};
static __attribute__((noinline)) struct account* new_account(void) {
  struct account* account = malloc(sizeof *account);
  pthread_mutex_init(&account->mutex, NULL);
  return account;
}
static struct account* accounts[3];
static void* accounts_up(void* unused) {
  lock(&accounts[0]->mutex);
  lock(&accounts[1]->mutex);
  unlock(&accounts[1]->mutex);
  unlock(&accounts[0]->mutex);
  return unused;
}
static void* accounts_down(void* unused) {
  lock(&accounts[1]->mutex);
  lock(&accounts[0]->mutex);
  unlock(&accounts[0]->mutex);
  unlock(&accounts[1]->mutex);
  return unused;
}
static void make_accounts(void) {
  static volatile int count = 3; /* unrolled, the loop would be three creation sites */
  for (int i = 0; i < count; ++i) accounts[i] = new_account();
}
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
  struct timespec deadline;
  clock_gettime(CLOCK_REALTIME, &deadline);
  deadline.tv_sec += 5;
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

/* ---- misuse */
static void unlock_twice(void) {
  lock(&lock_a);
  unlock(&lock_a);
  pthread_mutex_unlock(&lock_a);
}
static void* unlock_a(void* unused) {
  unlock(&lock_a);
  return unused;
}
static void* exit_without_a(void* unused) {
  lock(&lock_a);
  unlock(&lock_a);
  pthread_exit(unused);
}
static void unlock_by_other(void) {
  lock(&lock_a);
  one_after_the_other(unlock_a, exit_without_a);
  lock(&lock_b); /* the order a, b, if lock_a still counted as held by this thread */
  unlock(&lock_b);
  both(b_then_a, b_then_a);
}
static void destroy_held(void) {
  struct account* account = new_account();
  lock(&account->mutex);
  CHECK(pthread_mutex_destroy(&account->mutex) == EBUSY);
  unlock(&account->mutex);
  CHECK(pthread_mutex_destroy(&account->mutex) == 0);
}
static void init_held(void) {
  struct account* account = new_account();
  lock(&account->mutex);
  pthread_mutex_init(&account->mutex, NULL);
}
static void destroy_free(void) {
  for (int i = 0; i < 100; ++i) {
    struct account* account = new_account();
    lock(&account->mutex);
    unlock(&account->mutex);
    CHECK(pthread_mutex_destroy(&account->mutex) == 0);
    free(account);
  }
}
static void* exit_with_a(void* unused) {
  lock(&lock_a);
  return unused;
}
static void exit_holding(void) {
  pthread_t thread;
  pthread_create(&thread, NULL, exit_with_a, NULL);
  pthread_join(thread, NULL);
}
static void exit_clean(void) { one_after_the_other(exit_without_a, exit_without_a); }
static pthread_key_t late_key;
static void late_unlock(void* mutex) { unlock(mutex); }
static void* exit_through_key(void* unused) {
  lock(&lock_a);
  pthread_setspecific(late_key, &lock_a);
  return unused;
}
static void exit_unlocks_late(void) {
  pthread_key_create(&late_key, late_unlock);
  both(exit_through_key, exit_through_key);
}

/* ---- processes */
static void forks(int inverted) {
  a_then_b(NULL);
  const pid_t child = fork();
  if (child == 0) {
    if (inverted) {
      both(b_then_a, b_then_a);
    } else {
      both(a_then_b, a_then_b);
    }
    exit(3);
  }
  int status;
  waitpid(child, &status, 0);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 3);
}
static void fork_silent(void) { forks(0); }
static void fork_inverted(void) { forks(1); }
static volatile int stop_churning;
static void* churn(void* unused) {
  while (!stop_churning) {
    struct account* account = new_account();
    lock(&account->mutex);
    a_then_b(NULL);
    unlock(&account->mutex);
    pthread_mutex_destroy(&account->mutex);
    free(account);
  }
  return unused;
}
/* Forks while other threads are busy inside the validator. */
static void fork_while_busy(void) {
  pthread_t threads[3];
  for (int i = 0; i < 3; ++i) pthread_create(&threads[i], NULL, churn, NULL);
  for (int i = 0; i < 40; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      struct account* account = new_account();
      lock(&account->mutex);
      unlock(&account->mutex);
      pthread_mutex_destroy(&account->mutex);
      free(account);
      _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }
  stop_churning = 1;
  for (int i = 0; i < 3; ++i) pthread_join(threads[i], NULL);
}
static const char* program_name;
static void executes(void) {
  a_then_b(NULL);
  fflush(stdout);
  execl(program_name, program_name, "abba", (char*)NULL);
  _exit(98);
}
static void crashes(void) {
  abba();
  fflush(stdout);
  raise(SIGSEGV);
}
static void quits(void) {
  abba();
  fflush(stdout);
  _exit(5);
}

/* ---- many threads */
static void* many_body(void* unused) {
  for (int i = 0; i < 200; ++i) a_then_b(unused);
  return unused;
}
static void many(void* (*body)(void*)) {
  pthread_t threads[100];
  for (int i = 0; i < 100; ++i) CHECK(pthread_create(&threads[i], NULL, body, NULL) == 0);
  for (int i = 0; i < 100; ++i) pthread_join(threads[i], NULL);
}
static void many_threads(void) { many(many_body); }

/* ---- dlopen */
static void loads(const char* function) {
  char path[4096];
  snprintf(path, sizeof path, "%s", program_name);
  char* slash = strrchr(path, '/');
  CHECK(slash != NULL);
  strcpy(slash + 1, "libpreload_test_plugin.so");
  void* plugin = dlopen(path, RTLD_NOW);
  if (plugin == NULL) fprintf(stderr, "%s\n", dlerror());
  CHECK(plugin != NULL);
  void* (*in_order)(void*) = (void* (*)(void*))dlsym(plugin, "plugin_in_order");
  void* (*body)(void*) = (void* (*)(void*))dlsym(plugin, function);
  CHECK(in_order != NULL && body != NULL);
  both(in_order, body);
  dlclose(plugin);
  abab();
}
static void plugin_silent(void) { loads("plugin_in_order"); }
static void plugin_inverted(void) { loads("plugin_inverted"); }

static void interrupted(int signal) {
  (void)signal;
  _exit(42);
}
static void waits_for_signal(void) {
  signal(SIGTERM, interrupted);
  printf("ready\n");
  fflush(stdout);
  for (;;) pause();
}

int main(int argc, char** argv) {
  static const struct {
    const char* name;
    void (*run)(void);
  } cases[] = {{"abba", abba},
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
               {"spinlocks_inverted", spinlocks_inverted},
               {"spinlocks_in_order", spinlocks_in_order},
               {"once_done_before", once_done_before},
               {"c11_inverted", c11_inverted},
               {"c11_in_order", c11_in_order},
               {"unlock_twice", unlock_twice},
               {"unlock_by_other", unlock_by_other},
               {"destroy_held", destroy_held},
               {"init_held", init_held},
               {"destroy_free", destroy_free},
               {"exit_holding", exit_holding},
               {"exit_clean", exit_clean},
               {"exit_unlocks_late", exit_unlocks_late},
               {"fork_silent", fork_silent},
               {"fork_inverted", fork_inverted},
               {"fork_while_busy", fork_while_busy},
               {"executes", executes},
               {"crashes", crashes},
               {"quits", quits},
               {"many_threads", many_threads},
               {"plugin_silent", plugin_silent},
               {"plugin_inverted", plugin_inverted},
               {"waits_for_signal", waits_for_signal}};
  program_name = argv[0];
  const char* name = argc > 1 ? argv[1] : "";
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; ++i) {
    if (strcmp(name, cases[i].name) != 0) continue;
    cases[i].run();
    printf("done %s\n", name);
    fprintf(stderr, "to stderr\n");
    return 7;
  }
  fprintf(stderr, "no case '%s'\n", name);
  return 2;
}
