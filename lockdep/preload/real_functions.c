#define _GNU_SOURCE
#include "lockdep/preload/real_functions.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

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

/*
 * dlsym cannot be asked at any time: when it fails it allocates, and the first call of an interposed function may come from
 * inside malloc's locks. So the C library's own table of symbols is searched by hand. Of several versions of a name (the
 * condition variables have a form of 2002) the default one is meant, which is not marked as hidden.
 */
static uint32_t gnu_hash(const char* name) {
  uint32_t hash = 5381;
  for (; *name != 0; ++name) hash = hash * 33 + (unsigned char)*name;
  return hash;
}

struct symbol_table {
  uintptr_t base;
  const ElfW(Sym) * symbols;
  const char* names;
  const uint32_t* hash;
  const uint16_t* versions;
};

static int open_libc(struct symbol_table* table) {
  struct dl_find_object module;
  if (_dl_find_object((void*)early_mutex_lock, &module) != 0) return 0;
  table->base = module.dlfo_link_map->l_addr;
  for (const ElfW(Dyn)* entry = module.dlfo_link_map->l_ld; entry->d_tag != DT_NULL; ++entry) {
    switch (entry->d_tag) {
      case DT_SYMTAB: table->symbols = (const void*)entry->d_un.d_ptr; break;
      case DT_STRTAB: table->names = (const void*)entry->d_un.d_ptr; break;
      case DT_GNU_HASH: table->hash = (const void*)entry->d_un.d_ptr; break;
      case DT_VERSYM: table->versions = (const void*)entry->d_un.d_ptr; break;
      default: break;
    }
  }
  return table->symbols != NULL && table->names != NULL && table->hash != NULL && table->versions != NULL;
}

static void* find_in(const struct symbol_table* table, const char* name) {
  const uint16_t hidden = 0x8000;
  const uint32_t buckets = table->hash[0], first = table->hash[1], bloom_words = table->hash[2];
  const uint32_t* bucket = table->hash + 4 + bloom_words * (sizeof(ElfW(Addr)) / sizeof(uint32_t));
  const uint32_t* chain = bucket + buckets;
  const uint32_t hash = gnu_hash(name);
  for (uint32_t i = bucket[hash % buckets]; i >= first; ++i) {
    const uint32_t found = chain[i - first];
    const ElfW(Sym)* symbol = table->symbols + i;
    if ((found | 1) == (hash | 1) && symbol->st_shndx != SHN_UNDEF && (table->versions[i] & hidden) == 0 &&
        strcmp(table->names + symbol->st_name, name) == 0) {
      return (void*)(table->base + symbol->st_value);
    }
    if (found & 1) break;
  }
  return NULL;
}

void ordeal_resolve_real_functions(void) {
  static int resolved;
  if (resolved) return;
  resolved = 1;
  struct symbol_table table = {0};
  if (!open_libc(&table)) return;
  void* found;
#define ORDEAL_RESOLVE(name, result, parameters) \
  found = find_in(&table, #name);                \
  if (found != NULL) ordeal_real.name = (result(*) parameters)found;
  ORDEAL_REAL_FUNCTIONS(ORDEAL_RESOLVE)
#undef ORDEAL_RESOLVE
}

void ordeal_resolve_next_functions(void) {
  void* found;
#define ORDEAL_RESOLVE(name, result, parameters)                                       \
  found = ordeal_real.name == NULL ? NULL : dlsym(RTLD_NEXT, #name);                    \
  if (found != NULL) ordeal_real.name = (result(*) parameters)found;
  ORDEAL_REAL_FUNCTIONS(ORDEAL_RESOLVE)
#undef ORDEAL_RESOLVE
}
