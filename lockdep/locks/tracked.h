// Tracked<M>: any mutex, checked by the validator. M is Lockable (lock, try_lock, unlock; also the timed and the shared
// forms) or spelt as Abseil spells it (Lock, TryLock, Unlock, ReaderLock, ReaderTryLock, ReaderUnlock): std::mutex,
// std::timed_mutex, std::recursive_mutex, std::shared_mutex, absl::Mutex, boost::mutex, PthreadMutex ...
//
// A Tracked<M> is itself Lockable, so std::lock_guard, std::unique_lock, std::scoped_lock and std::shared_lock take it. They
// know no sites: reports then show the code address of the call. The guards of lockdep/locks/mutex.h show file and line.
//
// Thread-safety: that of M.
// Invariants:    the order is judged before the native lock blocks, so a report comes even from a deadlock. Acquisitions that
//                may fail (try, timed) order nothing before the lock, only behind it.
// Cost:          see docs/using-lockdep.md. With ORDEAL_LOCKDEP_OFF a Tracked<M> is an M in size and in code.
// Example:
//   Tracked<std::mutex> mutex{"journal"};
//   mutex.Lock();  mutex.Unlock();   std::lock_guard guard(mutex);
#ifndef ORDEAL_LOCKDEP_LOCKS_TRACKED_H_
#define ORDEAL_LOCKDEP_LOCKS_TRACKED_H_

#include <mutex>
#include <type_traits>

#include "lockdep/locks/lock_tracker.h"
#include "lockdep/locks/thread_annotations.h"

namespace ordeal::lockdep {
inline namespace ORDEAL_LOCKS_NAMESPACE {

// What the validator must know of M. Specialise it for other recursive or spinning locks.
template <class M>
struct LockTraits {
  static constexpr bool kRecursive =
      std::is_same_v<M, std::recursive_mutex> || std::is_same_v<M, std::recursive_timed_mutex>;
  static constexpr LockFlavour kFlavour = LockFlavour::kSleeps;
  // kShared: a reader waits behind a queued writer, so that reading twice in one thread can deadlock (the standard forbids
  // it for std::shared_mutex). kSharedRecursive: readers only ever wait for writers that hold the lock.
  static constexpr Mode kReaderMode = Mode::kShared;
};

// The native lock's own spelling.
template <class M>
struct NativeLock {
  static void Lock(M& m) ORDEAL_NO_THREAD_SAFETY_ANALYSIS {
    if constexpr (requires { m.lock(); }) m.lock(); else m.Lock();
  }
  static void Unlock(M& m) ORDEAL_NO_THREAD_SAFETY_ANALYSIS {
    if constexpr (requires { m.unlock(); }) m.unlock(); else m.Unlock();
  }
  static bool TryLock(M& m) ORDEAL_NO_THREAD_SAFETY_ANALYSIS {
    if constexpr (requires { m.try_lock(); }) return m.try_lock(); else return m.TryLock();
  }
  static void ReaderLock(M& m) ORDEAL_NO_THREAD_SAFETY_ANALYSIS {
    if constexpr (requires { m.lock_shared(); }) m.lock_shared(); else m.ReaderLock();
  }
  static void ReaderUnlock(M& m) ORDEAL_NO_THREAD_SAFETY_ANALYSIS {
    if constexpr (requires { m.unlock_shared(); }) m.unlock_shared(); else m.ReaderUnlock();
  }
  static bool ReaderTryLock(M& m) ORDEAL_NO_THREAD_SAFETY_ANALYSIS {
    if constexpr (requires { m.try_lock_shared(); }) return m.try_lock_shared(); else return m.ReaderTryLock();
  }
};

#if defined(ORDEAL_LOCKDEP_OFF)
#define ORDEAL_LOCKS_CALL inline
#else
#define ORDEAL_LOCKS_CALL __attribute__((noinline))  // its return address is the site
#endif

template <class M>
class ORDEAL_CAPABILITY("mutex") Tracked {
 public:
  using native_type = M;
  using native_handle_type = M*;

  constexpr Tracked(const char* name = nullptr, Site site = Site::Here())  // NOLINT: aggregates construct it from {}
      : tracker_(name, LockTraits<M>::kFlavour, site) {}
  constexpr explicit Tracked(LockClassKey& key, uint64_t order_key = 0, Site site = Site::Here())
      : tracker_(key, order_key, LockTraits<M>::kFlavour, site) {}
  Tracked(const Tracked&) = delete;
  Tracked& operator=(const Tracked&) = delete;
#if !defined(ORDEAL_LOCKDEP_OFF)  // else as trivial as M's
  ~Tracked() {
    if (tracker_.ever_tracked()) CheckNotHeld();
  }
#endif

  // ---- exclusive
  void Lock(LockHow how = {}, Site site = Site::Here()) ORDEAL_ACQUIRE() ORDEAL_NO_THREAD_SAFETY_ANALYSIS {
    const bool tracked = tracker_.BeforeLock(how, site);
    Native::Lock(native_);
    tracker_.AfterLock(tracked);
  }
  void Unlock(Site site = Site::Here()) ORDEAL_RELEASE() ORDEAL_NO_THREAD_SAFETY_ANALYSIS {
    tracker_.BeforeUnlock(site);
    Native::Unlock(native_);
  }
  bool TryLock(LockHow how = {}, Site site = Site::Here()) ORDEAL_TRY_ACQUIRE(true) ORDEAL_NO_THREAD_SAFETY_ANALYSIS {
    return Tried(Native::TryLock(native_), how, site);
  }
  template <class Duration>
  bool TryLockFor(const Duration& duration, LockHow how = {}, Site site = Site::Here())
      ORDEAL_TRY_ACQUIRE(true) ORDEAL_NO_THREAD_SAFETY_ANALYSIS {
    return Tried(native_.try_lock_for(duration), how, site);
  }
  template <class Time>
  bool TryLockUntil(const Time& time, LockHow how = {}, Site site = Site::Here())
      ORDEAL_TRY_ACQUIRE(true) ORDEAL_NO_THREAD_SAFETY_ANALYSIS {
    return Tried(native_.try_lock_until(time), how, site);
  }

  // ---- shared
  void ReaderLock(LockHow how = {}, Site site = Site::Here())
      ORDEAL_ACQUIRE_SHARED() ORDEAL_NO_THREAD_SAFETY_ANALYSIS {
    const bool tracked = tracker_.BeforeSharedLock(LockTraits<M>::kReaderMode, how, site);
    Native::ReaderLock(native_);
    tracker_.AfterSharedLock(tracked);
  }
  void ReaderUnlock(Site site = Site::Here()) ORDEAL_RELEASE_SHARED() ORDEAL_NO_THREAD_SAFETY_ANALYSIS {
    tracker_.BeforeSharedUnlock(site);
    Native::ReaderUnlock(native_);
  }
  bool ReaderTryLock(LockHow how = {}, Site site = Site::Here())
      ORDEAL_TRY_ACQUIRE_SHARED(true) ORDEAL_NO_THREAD_SAFETY_ANALYSIS {
    return TriedShared(Native::ReaderTryLock(native_), how, site);
  }
  template <class Duration>
  bool ReaderTryLockFor(const Duration& duration, LockHow how = {}, Site site = Site::Here())
      ORDEAL_TRY_ACQUIRE_SHARED(true) ORDEAL_NO_THREAD_SAFETY_ANALYSIS {
    return TriedShared(native_.try_lock_shared_for(duration), how, site);
  }
  template <class Time>
  bool ReaderTryLockUntil(const Time& time, LockHow how = {}, Site site = Site::Here())
      ORDEAL_TRY_ACQUIRE_SHARED(true) ORDEAL_NO_THREAD_SAFETY_ANALYSIS {
    return TriedShared(native_.try_lock_shared_until(time), how, site);
  }

  // ---- assertions: a violation if the caller does not hold it
  void AssertHeld(Site site = Site::Here()) ORDEAL_ASSERT_HELD(this) { tracker_.AssertHeld(site); }
  void AssertReaderHeld(Site site = Site::Here()) ORDEAL_ASSERT_HELD_SHARED(this) { tracker_.AssertHeldShared(site); }

  // ---- the standard's spelling
  ORDEAL_LOCKS_CALL void lock() ORDEAL_ACQUIRE() ORDEAL_NO_THREAD_SAFETY_ANALYSIS { Lock({}, CallSite()); }
  ORDEAL_LOCKS_CALL void unlock() ORDEAL_RELEASE() ORDEAL_NO_THREAD_SAFETY_ANALYSIS { Unlock(CallSite()); }
  ORDEAL_LOCKS_CALL bool try_lock() ORDEAL_TRY_ACQUIRE(true) ORDEAL_NO_THREAD_SAFETY_ANALYSIS {
    return TryLock({}, CallSite());
  }
  template <class Duration>
  ORDEAL_LOCKS_CALL bool try_lock_for(const Duration& duration)
      ORDEAL_TRY_ACQUIRE(true) ORDEAL_NO_THREAD_SAFETY_ANALYSIS {
    return TryLockFor(duration, {}, CallSite());
  }
  template <class Time>
  ORDEAL_LOCKS_CALL bool try_lock_until(const Time& time) ORDEAL_TRY_ACQUIRE(true) ORDEAL_NO_THREAD_SAFETY_ANALYSIS {
    return TryLockUntil(time, {}, CallSite());
  }
  ORDEAL_LOCKS_CALL void lock_shared() ORDEAL_ACQUIRE_SHARED() ORDEAL_NO_THREAD_SAFETY_ANALYSIS {
    ReaderLock({}, CallSite());
  }
  ORDEAL_LOCKS_CALL void unlock_shared() ORDEAL_RELEASE_SHARED() ORDEAL_NO_THREAD_SAFETY_ANALYSIS {
    ReaderUnlock(CallSite());
  }
  ORDEAL_LOCKS_CALL bool try_lock_shared() ORDEAL_TRY_ACQUIRE_SHARED(true) ORDEAL_NO_THREAD_SAFETY_ANALYSIS {
    return ReaderTryLock({}, CallSite());
  }
  template <class Duration>
  ORDEAL_LOCKS_CALL bool try_lock_shared_for(const Duration& duration)
      ORDEAL_TRY_ACQUIRE_SHARED(true) ORDEAL_NO_THREAD_SAFETY_ANALYSIS {
    return ReaderTryLockFor(duration, {}, CallSite());
  }
  template <class Time>
  ORDEAL_LOCKS_CALL bool try_lock_shared_until(const Time& time)
      ORDEAL_TRY_ACQUIRE_SHARED(true) ORDEAL_NO_THREAD_SAFETY_ANALYSIS {
    return ReaderTryLockUntil(time, {}, CallSite());
  }

  // The plain lock. What is done to it behind our back is not tracked.
  M& native() { return native_; }
  LockTracker& tracker() { return tracker_; }
  const LockTracker& tracker() const { return tracker_; }

 private:
  using Native = NativeLock<M>;
  using Tracker = std::conditional_t<LockTraits<M>::kRecursive, RecursiveTracker, LockTracker>;

  __attribute__((always_inline)) static Site CallSite() { return Site::FromAddress(__builtin_return_address(0)); }
  bool Tried(bool locked, LockHow how, Site site) {
    if (locked) tracker_.AfterTryLock(how, site);
    return locked;
  }
  bool TriedShared(bool locked, LockHow how, Site site) {
    if (locked) tracker_.AfterSharedTryLock(LockTraits<M>::kReaderMode, how, site);
    return locked;
  }
  // A lock that can be taken is held by nobody; asking the lock itself spares a search of all threads.
  void CheckNotHeld() ORDEAL_NO_THREAD_SAFETY_ANALYSIS {
    if (tracker_.HeldByCaller() || !Native::TryLock(native_)) {
      tracker_.ReportDestroyedHeld({});
    } else {
      Native::Unlock(native_);
    }
  }

  M native_{};
  [[no_unique_address]] Tracker tracker_;
};

}  // namespace ORDEAL_LOCKS_NAMESPACE
}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_LOCKS_TRACKED_H_
