/*
 * A lock-heavy program that every tool of overhead_table.py can run, and that can be compiled for ThreadSanitizer: THREADS threads
 * move amounts between ACCOUNTS accounts, two locks a transfer in ascending order, under a shared read lock.
 * usage: lock_heavy THREADS TRANSFERS
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { kAccounts = 64 };

struct account {
  pthread_mutex_t mutex;
  long balance;
};

static struct account* accounts[kAccounts];
static pthread_rwlock_t bank = PTHREAD_RWLOCK_INITIALIZER;
static long transfers;

static uint32_t next_random(uint32_t* state) {
  *state = *state * 1664525u + 1013904223u;
  return *state >> 16;
}

static void* work(void* argument) {
  uint32_t state = (uint32_t)(uintptr_t)argument;
  for (long i = 0; i < transfers; ++i) {
    uint32_t from = next_random(&state) % kAccounts, to = next_random(&state) % kAccounts;
    if (from == to) to = (to + 1) % kAccounts;
    const uint32_t low = from < to ? from : to, high = from < to ? to : from;
    pthread_rwlock_rdlock(&bank);
    pthread_mutex_lock(&accounts[low]->mutex);
    pthread_mutex_lock(&accounts[high]->mutex);
    accounts[from]->balance -= 1;
    accounts[to]->balance += 1;
    pthread_mutex_unlock(&accounts[high]->mutex);
    pthread_mutex_unlock(&accounts[low]->mutex);
    pthread_rwlock_unlock(&bank);
  }
  return NULL;
}

int main(int argc, char** argv) {
  const int threads = argc > 1 ? atoi(argv[1]) : 2;
  transfers = argc > 2 ? atol(argv[2]) : 100000;
  for (int i = 0; i < kAccounts; ++i) {
    accounts[i] = malloc(sizeof *accounts[i]);
    pthread_mutex_init(&accounts[i]->mutex, NULL);
    accounts[i]->balance = 100;
  }
  pthread_t handles[64];
  for (int i = 0; i < threads && i < 64; ++i) pthread_create(&handles[i], NULL, work, (void*)(uintptr_t)(i + 1));
  for (int i = 0; i < threads && i < 64; ++i) pthread_join(handles[i], NULL);
  long sum = 0;
  for (int i = 0; i < kAccounts; ++i) sum += accounts[i]->balance;
  printf("sum %ld\n", sum);
  return 0;
}
