// A mutex made of one futex word. The interposer cannot use pthread's: those are what it checks.
//
// Thread-safety: any thread. Not fair, not recursive. Lock order inside the library: registry > validator > heap; the nesting
//                order's lock is taken alone, but for the heap's.
// Cost:          an atomic exchange when free.
// Example:       const RawLockGuard guard(lock);
#ifndef ORDEAL_LOCKDEP_PRELOAD_RAW_LOCK_H_
#define ORDEAL_LOCKDEP_PRELOAD_RAW_LOCK_H_

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>

namespace ordeal::lockdep {

class RawLock {
 public:
  void Lock() {
    uint32_t free = kFree;
    if (state_.compare_exchange_strong(free, kHeld, std::memory_order_acquire)) return;
    const int error = errno;  // the program's, which a lock function must not change
    while (state_.exchange(kContended, std::memory_order_acquire) != kFree) {
      syscall(SYS_futex, &state_, FUTEX_WAIT_PRIVATE, kContended, nullptr, nullptr, 0);
    }
    errno = error;
  }
  void Unlock() {
    if (state_.exchange(kFree, std::memory_order_release) != kContended) return;
    const int error = errno;
    syscall(SYS_futex, &state_, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
    errno = error;
  }

 private:
  static constexpr uint32_t kFree = 0;
  static constexpr uint32_t kHeld = 1;
  static constexpr uint32_t kContended = 2;
  std::atomic<uint32_t> state_{kFree};
};

class RawLockGuard {
 public:
  explicit RawLockGuard(RawLock& lock) : lock_(lock) { lock_.Lock(); }
  ~RawLockGuard() { lock_.Unlock(); }
  RawLockGuard(const RawLockGuard&) = delete;
  RawLockGuard& operator=(const RawLockGuard&) = delete;

 private:
  RawLock& lock_;
};

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_PRELOAD_RAW_LOCK_H_
