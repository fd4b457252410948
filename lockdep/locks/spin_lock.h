// A lock whose waiters spin. What sleeps (a Mutex, a wait for an event) must not be taken under it: the validator says so.
//
// Thread-safety: any thread.
// Cost:          uncontended, one exchange; waiters read until it is free and yield the CPU after a while.
// Example:       SpinLock lock{"free list"};   const MutexLock guard(lock);
#ifndef ORDEAL_LOCKDEP_LOCKS_SPIN_LOCK_H_
#define ORDEAL_LOCKDEP_LOCKS_SPIN_LOCK_H_

#include <sched.h>

#include <atomic>

#include "lockdep/locks/tracked.h"

namespace ordeal::lockdep {
inline namespace ORDEAL_LOCKS_NAMESPACE {

class NativeSpinLock {
 public:
  void lock() {
    while (locked_.exchange(true, std::memory_order_acquire)) {
      for (int spins = 0; locked_.load(std::memory_order_relaxed); ++spins) {
        if (spins < kSpinsBeforeYield) {
          Pause();
        } else {
          sched_yield();
        }
      }
    }
  }
  bool try_lock() {
    return !locked_.load(std::memory_order_relaxed) && !locked_.exchange(true, std::memory_order_acquire);
  }
  void unlock() { locked_.store(false, std::memory_order_release); }

 private:
  static constexpr int kSpinsBeforeYield = 128;
  static void Pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
  }

  std::atomic<bool> locked_{false};
};

template <>
struct LockTraits<NativeSpinLock> {
  static constexpr bool kRecursive = false;
  static constexpr LockFlavour kFlavour = LockFlavour::kSpins;
  static constexpr Mode kReaderMode = Mode::kShared;
};

using SpinLock = Tracked<NativeSpinLock>;

}  // namespace ORDEAL_LOCKS_NAMESPACE
}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_LOCKS_SPIN_LOCK_H_
