// The same functions over our locks and over the plain ones; compile_out_test.sh compares the machine code.
#include "lockdep/locks/locks.h"

#if defined(PLAIN)
#include <mutex>
#include <shared_mutex>
using Exclusive = std::mutex;
using Recursive = std::recursive_mutex;
using Shared = std::shared_mutex;
#define LOCK lock
#define UNLOCK unlock
#define TRY_LOCK try_lock
#define READER_LOCK lock_shared
#define READER_UNLOCK unlock_shared
#else
using Exclusive = ordeal::lockdep::Mutex;
using Recursive = ordeal::lockdep::RecursiveMutex;
using Shared = ordeal::lockdep::SharedMutex;
#define LOCK Lock
#define UNLOCK Unlock
#define TRY_LOCK TryLock
#define READER_LOCK ReaderLock
#define READER_UNLOCK ReaderUnlock
static_assert(sizeof(ordeal::lockdep::Mutex) == sizeof(std::mutex));
static_assert(sizeof(ordeal::lockdep::TimedMutex) == sizeof(std::timed_mutex));
static_assert(sizeof(ordeal::lockdep::RecursiveMutex) == sizeof(std::recursive_mutex));
static_assert(sizeof(ordeal::lockdep::SharedMutex) == sizeof(std::shared_mutex));
static_assert(sizeof(ordeal::lockdep::SpinLock) == sizeof(ordeal::lockdep::NativeSpinLock));
static_assert(sizeof(ordeal::lockdep::Semaphore) == sizeof(sem_t));
static_assert(sizeof(ordeal::lockdep::Barrier) == sizeof(pthread_barrier_t));
static_assert(sizeof(ordeal::lockdep::ConditionVariable) == sizeof(std::condition_variable));
static_assert(std::is_trivially_destructible_v<ordeal::lockdep::Mutex> == std::is_trivially_destructible_v<std::mutex>);
#endif

extern "C" {

Exclusive global_mutex;

void ExclusivePair(Exclusive& mutex, int* count) {
  mutex.LOCK();
  ++*count;
  mutex.UNLOCK();
}

void Guarded(Exclusive& mutex, int* count) {
#if defined(PLAIN)
  const std::lock_guard guard(mutex);
#else
  const ordeal::lockdep::MutexLock guard(mutex);
#endif
  ++*count;
}

bool TryPair(Exclusive& mutex, int* count) {
  if (!mutex.TRY_LOCK()) return false;
  ++*count;
  mutex.UNLOCK();
  return true;
}

void RecursivePair(Recursive& mutex, int* count) {
  mutex.LOCK();
  ++*count;
  mutex.UNLOCK();
}

int ReaderPair(Shared& mutex, const int* count) {
  mutex.READER_LOCK();
  const int value = *count;
  mutex.READER_UNLOCK();
  return value;
}

void WriterPair(Shared& mutex, int* count) {
  mutex.LOCK();
  ++*count;
  mutex.UNLOCK();
}

}  // extern "C"
