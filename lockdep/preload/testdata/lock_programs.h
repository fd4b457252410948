/*
 * What lock_programs.c and life_programs.c share: programs that preload_test.cc runs under the interposer, many mains in a file,
 * chosen by the first argument. Each prints "done" and exits with 7, so that the test sees that output and status are kept. None of
 * them ever really deadlocks unless it says so: the threads run one after the other.
 */
#ifndef ORDEAL_LOCKDEP_PRELOAD_TESTDATA_LOCK_PROGRAMS_H_
#define ORDEAL_LOCKDEP_PRELOAD_TESTDATA_LOCK_PROGRAMS_H_

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

#define CHECK(condition)                                                      \
  do {                                                                        \
    if (!(condition)) {                                                       \
      fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);         \
      _exit(99);                                                              \
    }                                                                         \
  } while (0)

static __attribute__((unused)) void lock(pthread_mutex_t* mutex) { CHECK(pthread_mutex_lock(mutex) == 0); }
static __attribute__((unused)) void unlock(pthread_mutex_t* mutex) { CHECK(pthread_mutex_unlock(mutex) == 0); }

/* `lock` and `unlock` would make one call site of all; the cases that assert on sites use the functions themselves. */
static __attribute__((unused)) void* a_then_b(void* unused) {
  pthread_mutex_lock(&lock_a);
  pthread_mutex_lock(&lock_b);
  pthread_mutex_unlock(&lock_b);
  pthread_mutex_unlock(&lock_a);
  return unused;
}
static __attribute__((unused)) void* b_then_a(void* unused) {
  pthread_mutex_lock(&lock_b);
  pthread_mutex_lock(&lock_a);
  pthread_mutex_unlock(&lock_a);
  pthread_mutex_unlock(&lock_b);
  return unused;
}

/* Starts both before it joins either, so that they are concurrent by fork and join; the second waits for the first, which
   nobody sees. */
static int first_is_done;
static void* (*second_body)(void*);
static __attribute__((unused)) void* second_after_first(void* unused) {
  while (!__atomic_load_n(&first_is_done, __ATOMIC_SEQ_CST)) usleep(500);
  return second_body(unused);
}
static void* (*first_body)(void*);
static __attribute__((unused)) void* first(void* unused) {
  void* result = first_body(unused);
  __atomic_store_n(&first_is_done, 1, __ATOMIC_SEQ_CST);
  return result;
}
static __attribute__((unused)) void both(void* (*one)(void*), void* (*two)(void*)) {
  pthread_t threads[2];
  first_body = one;
  second_body = two;
  __atomic_store_n(&first_is_done, 0, __ATOMIC_SEQ_CST);
  CHECK(pthread_create(&threads[1], NULL, second_after_first, NULL) == 0);
  CHECK(pthread_create(&threads[0], NULL, first, NULL) == 0);
  pthread_join(threads[0], NULL);
  pthread_join(threads[1], NULL);
}
static __attribute__((unused)) void one_after_the_other(void* (*one)(void*), void* (*two)(void*)) {
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, one, NULL) == 0);
  pthread_join(thread, NULL);
  CHECK(pthread_create(&thread, NULL, two, NULL) == 0);
  pthread_join(thread, NULL);
}

static __attribute__((unused)) void abba(void) { both(a_then_b, b_then_a); }
static __attribute__((unused)) void abab(void) { both(a_then_b, a_then_b); }
static __attribute__((unused)) void abba_joined(void) { one_after_the_other(a_then_b, b_then_a); }

/* ---- the same mutexes made on the heap by one constructor */
struct account {
  pthread_mutex_t mutex;
};
static __attribute__((unused)) __attribute__((noinline)) struct account* new_account(void) {
  struct account* account = malloc(sizeof *account);
  pthread_mutex_init(&account->mutex, NULL);
  return account;
}
static struct account* accounts[3];
static __attribute__((unused)) void* accounts_up(void* unused) {
  lock(&accounts[0]->mutex);
  lock(&accounts[1]->mutex);
  unlock(&accounts[1]->mutex);
  unlock(&accounts[0]->mutex);
  return unused;
}
static __attribute__((unused)) void* accounts_down(void* unused) {
  lock(&accounts[1]->mutex);
  lock(&accounts[0]->mutex);
  unlock(&accounts[0]->mutex);
  unlock(&accounts[1]->mutex);
  return unused;
}
static __attribute__((unused)) void make_accounts(void) {
  static volatile int count = 3; /* unrolled, the loop would be three creation sites */
  for (int i = 0; i < count; ++i) accounts[i] = new_account();
}

static const char* program_name;
struct test_case {
  const char* name;
  void (*run)(void);
};
static int run_case(int argc, char** argv, const struct test_case* cases) {
  program_name = argv[0];
  const char* name = argc > 1 ? argv[1] : "";
  for (; cases->name != NULL; ++cases) {
    if (strcmp(name, cases->name) != 0) continue;
    cases->run();
    printf("done %s\n", name);
    fprintf(stderr, "to stderr\n");
    return 7;
  }
  fprintf(stderr, "no case '%s'\n", name);
  return 2;
}

#endif
