// The locks themselves, and their guards. Each is Tracked<M> of a native lock; tracked.h has the members.
//
// Thread-safety: any thread.
// Cost:          see docs/using-lockdep.md; with ORDEAL_LOCKDEP_OFF that of the native lock, to the instruction.
// Example:
//   struct Account {
//     Mutex mutex{"Account::mutex"};
//     int balance ORDEAL_GUARDED_BY(mutex) = 0;
//   };
//   void Deposit(Account& account, int amount) {
//     const MutexLock lock(account.mutex);
//     account.balance += amount;
//   }
#ifndef ORDEAL_LOCKDEP_LOCKS_MUTEX_H_
#define ORDEAL_LOCKDEP_LOCKS_MUTEX_H_

#include <pthread.h>

#include <mutex>
#include <shared_mutex>

#include "lockdep/locks/tracked.h"

namespace ordeal::lockdep {
inline namespace ORDEAL_LOCKS_NAMESPACE {

using Mutex = Tracked<std::mutex>;
using TimedMutex = Tracked<std::timed_mutex>;
using RecursiveMutex = Tracked<std::recursive_mutex>;
using SharedMutex = Tracked<std::shared_mutex>;
using SharedTimedMutex = Tracked<std::shared_timed_mutex>;

// A pthread mutex as a Lockable: Tracked<PthreadMutex>. For another kind than the default, initialise native() anew.
class PthreadMutex {
 public:
  constexpr PthreadMutex() = default;
  ~PthreadMutex() { pthread_mutex_destroy(&mutex_); }
  PthreadMutex(const PthreadMutex&) = delete;
  PthreadMutex& operator=(const PthreadMutex&) = delete;
  void lock() { pthread_mutex_lock(&mutex_); }
  void unlock() { pthread_mutex_unlock(&mutex_); }
  bool try_lock() { return pthread_mutex_trylock(&mutex_) == 0; }
  pthread_mutex_t& native() { return mutex_; }

 private:
  pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
};

// Holds a lock exclusively for a scope: MutexLock lock(mutex); MutexLock child(mutex, 1).
template <class Lock>
class ORDEAL_SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Lock& lock, LockHow how = {}, Site site = Site::Here()) ORDEAL_ACQUIRE(lock)
      ORDEAL_NO_THREAD_SAFETY_ANALYSIS : lock_(lock) {
    lock_.Lock(how, site);
  }
  ~MutexLock() ORDEAL_RELEASE() ORDEAL_NO_THREAD_SAFETY_ANALYSIS { lock_.Unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Lock& lock_;
};

// The same, under the name that goes with ReaderLock.
template <class Lock>
class ORDEAL_SCOPED_CAPABILITY WriterLock {
 public:
  explicit WriterLock(Lock& lock, LockHow how = {}, Site site = Site::Here()) ORDEAL_ACQUIRE(lock)
      ORDEAL_NO_THREAD_SAFETY_ANALYSIS : lock_(lock) {
    lock_.Lock(how, site);
  }
  ~WriterLock() ORDEAL_RELEASE() ORDEAL_NO_THREAD_SAFETY_ANALYSIS { lock_.Unlock(); }
  WriterLock(const WriterLock&) = delete;
  WriterLock& operator=(const WriterLock&) = delete;

 private:
  Lock& lock_;
};

// Holds a lock shared for a scope.
template <class Lock>
class ORDEAL_SCOPED_CAPABILITY ReaderLock {
 public:
  explicit ReaderLock(Lock& lock, LockHow how = {}, Site site = Site::Here()) ORDEAL_ACQUIRE_SHARED(lock)
      ORDEAL_NO_THREAD_SAFETY_ANALYSIS : lock_(lock) {
    lock_.ReaderLock(how, site);
  }
  ~ReaderLock() ORDEAL_RELEASE_GENERIC() ORDEAL_NO_THREAD_SAFETY_ANALYSIS { lock_.ReaderUnlock(); }
  ReaderLock(const ReaderLock&) = delete;
  ReaderLock& operator=(const ReaderLock&) = delete;

 private:
  Lock& lock_;
};

}  // namespace ORDEAL_LOCKS_NAMESPACE
}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_LOCKS_MUTEX_H_
