#define _GNU_SOURCE
#include "lockdep/preload/real_functions.h"

#include <dlfcn.h>
#include <stddef.h>

/* glibc keeps its mutexes and rwlocks under second names, which nobody interposes, for old programs: what runs before Resolve
   uses these. They can be bound by version only. */
#if defined(__x86_64__)
#define OLD_VERSION "GLIBC_2.2.5"
#else
#define OLD_VERSION "GLIBC_2.17"
#endif
#define ALIAS(name, parameters)          \
  extern int early_##name parameters;    \
  __asm__(".symver early_" #name ",__pthread_" #name "@" OLD_VERSION)
ALIAS(mutex_init, (pthread_mutex_t*, const pthread_mutexattr_t*));
ALIAS(mutex_destroy, (pthread_mutex_t*));
ALIAS(mutex_lock, (pthread_mutex_t*));
ALIAS(mutex_trylock, (pthread_mutex_t*));
ALIAS(mutex_unlock, (pthread_mutex_t*));
ALIAS(rwlock_init, (pthread_rwlock_t*, const pthread_rwlockattr_t*));
ALIAS(rwlock_destroy, (pthread_rwlock_t*));
ALIAS(rwlock_rdlock, (pthread_rwlock_t*));
ALIAS(rwlock_wrlock, (pthread_rwlock_t*));
ALIAS(rwlock_unlock, (pthread_rwlock_t*));

struct ordeal_real_functions ordeal_real = {
    .pthread_mutex_init = early_mutex_init,
    .pthread_mutex_destroy = early_mutex_destroy,
    .pthread_mutex_lock = early_mutex_lock,
    .pthread_mutex_trylock = early_mutex_trylock,
    .pthread_mutex_unlock = early_mutex_unlock,
    .pthread_rwlock_init = early_rwlock_init,
    .pthread_rwlock_destroy = early_rwlock_destroy,
    .pthread_rwlock_rdlock = early_rwlock_rdlock,
    .pthread_rwlock_wrlock = early_rwlock_wrlock,
    .pthread_rwlock_unlock = early_rwlock_unlock,
};

/* The condition functions exist twice: a form of 2002 with another layout, and the one that everybody links against. */
static void* find(const char* name) {
  void* versioned = NULL;
#ifdef __x86_64__
  if (__builtin_strncmp(name, "pthread_cond_", 13) == 0) versioned = dlvsym(RTLD_NEXT, name, "GLIBC_2.3.2");
#endif
  return versioned != NULL ? versioned : dlsym(RTLD_NEXT, name);
}

void ordeal_resolve_real_functions(void) {
  static int resolved;
  if (resolved) return;
  resolved = 1;
  void* found;
#define ORDEAL_RESOLVE(name, result, parameters) \
  found = find(#name);                           \
  if (found != NULL) ordeal_real.name = (result(*) parameters)found;
  ORDEAL_REAL_FUNCTIONS(ORDEAL_RESOLVE)
#undef ORDEAL_RESOLVE
}
