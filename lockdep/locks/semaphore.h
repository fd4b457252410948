// A counting semaphore. Used as a lock (released by the thread that acquired it) its order is judged like a lock's; used as
// a signal (released by another thread) a wait for it is judged against the locks that its releasers need.
//
// A semaphore with one token is taken for a lock from the first time its acquirer releases it until another thread does;
// one with no token or several, for a signal. SemaphoreUse::kLock declares a pool whose users bring back what they take.
//
// Thread-safety: any thread.
// Cost:          see docs/using-lockdep.md.
// Example:       Semaphore slots(8, "slots");   slots.Acquire();   slots.Release();
#ifndef ORDEAL_LOCKDEP_LOCKS_SEMAPHORE_H_
#define ORDEAL_LOCKDEP_LOCKS_SEMAPHORE_H_

#include <semaphore.h>

#include <cerrno>
#include <chrono>

#include "lockdep/locks/event_tracker.h"
#include "lockdep/support/check.h"

namespace ordeal::lockdep {
inline namespace ORDEAL_LOCKS_NAMESPACE {

class NativeSemaphore {
 public:
  explicit NativeSemaphore(unsigned tokens) { LD_CHECK(sem_init(&semaphore_, 0, tokens) == 0, "too many tokens"); }
  ~NativeSemaphore() { sem_destroy(&semaphore_); }
  NativeSemaphore(const NativeSemaphore&) = delete;
  NativeSemaphore& operator=(const NativeSemaphore&) = delete;
  void acquire() {
    while (sem_wait(&semaphore_) != 0) {  // interrupted by a signal
    }
  }
  bool try_acquire() { return sem_trywait(&semaphore_) == 0; }
  bool try_acquire_until(std::chrono::system_clock::time_point time) {
    const auto since_epoch = time.time_since_epoch();
    const auto seconds = std::chrono::floor<std::chrono::seconds>(since_epoch);
    const timespec deadline{static_cast<time_t>(seconds.count()),
                            static_cast<long>(std::chrono::nanoseconds(since_epoch - seconds).count())};
    while (sem_timedwait(&semaphore_, &deadline) != 0) {
      if (errno != EINTR) return false;
    }
    return true;
  }
  void release() { LD_CHECK(sem_post(&semaphore_) == 0, "a semaphore overflows"); }

 private:
  sem_t semaphore_;
};

class Semaphore {
 public:
  explicit Semaphore(unsigned tokens, const char* name = nullptr, SemaphoreUse use = SemaphoreUse::kLearn,
                     Site site = Site::Here())
      : native_(tokens), tracker_(use, tokens, name, site) {}
  Semaphore(unsigned tokens, LockClassKey& key, SemaphoreUse use = SemaphoreUse::kLearn, Site site = Site::Here())
      : native_(tokens), tracker_(use, tokens, key, site) {}
  ~Semaphore() {
#if !defined(ORDEAL_LOCKDEP_OFF)
    tracker_.BeforeDestruction(native_.try_acquire());
#endif
  }
  Semaphore(const Semaphore&) = delete;
  Semaphore& operator=(const Semaphore&) = delete;

  void Acquire(Site site = Site::Here()) {
    const bool tracked = tracker_.BeforeWait(site);
    native_.acquire();
    tracker_.AfterWait(tracked);
    tracker_.AfterAcquire(site);
  }
  bool TryAcquire(Site site = Site::Here()) { return Tried(native_.try_acquire(), site); }
  bool TryAcquireUntil(std::chrono::system_clock::time_point time, Site site = Site::Here()) {
    tracker_.BeforeTimedWait(site);
    return Tried(native_.try_acquire_until(time), site);
  }
  template <class Duration>
  bool TryAcquireFor(const Duration& duration, Site site = Site::Here()) {
    return TryAcquireUntil(std::chrono::system_clock::now() + duration, site);
  }
  void Release(Site site = Site::Here()) {
    tracker_.BeforeRelease(site);
    native_.release();
  }

  // The standard's spelling.
  void acquire(Site site = Site::Here()) { Acquire(site); }
  bool try_acquire(Site site = Site::Here()) { return TryAcquire(site); }
  void release(Site site = Site::Here()) { Release(site); }

 private:
  bool Tried(bool acquired, Site site) {
    if (acquired) tracker_.AfterAcquire(site);
    return acquired;
  }

  NativeSemaphore native_;
  [[no_unique_address]] SemaphoreTracker tracker_;
};

}  // namespace ORDEAL_LOCKS_NAMESPACE
}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_LOCKS_SEMAPHORE_H_
