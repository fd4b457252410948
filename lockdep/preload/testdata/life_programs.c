/* Misuse, threads and processes that begin and end, signals, libraries that come and go. See lock_programs.h. */
#include "lock_programs.h"

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
/* As jemalloc does: what the forking thread holds is unlocked in the parent and made anew in the child. */
static void fork_makes_anew(void) {
  make_accounts();
  lock(&accounts[0]->mutex);
  const pid_t child = fork();
  if (child == 0) {
    pthread_mutex_init(&accounts[0]->mutex, NULL);
    accounts_up(NULL);
    exit(3);
  }
  unlock(&accounts[0]->mutex);
  int status;
  waitpid(child, &status, 0);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 3);
}
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
  static const struct test_case cases[] = {
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
      {"fork_makes_anew", fork_makes_anew},
      {"fork_while_busy", fork_while_busy},
      {"executes", executes},
      {"crashes", crashes},
      {"quits", quits},
      {"many_threads", many_threads},
      {"plugin_silent", plugin_silent},
      {"plugin_inverted", plugin_inverted},
      {"waits_for_signal", waits_for_signal},
      {"abba", abba},
      {NULL, NULL}};
  return run_case(argc, argv, cases);
}
