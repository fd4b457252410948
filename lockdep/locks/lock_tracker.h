// What a lock carries for the validator: its class, made at the first acquisition, and the calls around the native lock.
//
// A lock's class is the first of these that is given: a LockClassKey; a name (all locks of one name are one class); the
// place of its construction. Two members of one struct without a constructor are constructed at one place: name them.
//
// Thread-safety: any thread. Reset and destruction: as of the lock itself.
// Invariants:    a lock acquired while validation was off is released without a word to the validator, and vice versa.
// Cost:          construction writes the object alone, and can be constexpr. The first acquisition looks the class up
//                (lock-free when its site is known). With ORDEAL_LOCKDEP_OFF the class is empty.
// Example:       lockdep/locks/tracked.h
#ifndef ORDEAL_LOCKDEP_LOCKS_LOCK_TRACKER_H_
#define ORDEAL_LOCKDEP_LOCKS_LOCK_TRACKER_H_

#include <atomic>
#include <cstdint>

#include "lockdep/graph/lock_class.h"
#include "lockdep/graph/site.h"
#include "lockdep/locks/validation.h"
#if !defined(ORDEAL_LOCKDEP_OFF)
#include "lockdep/runtime/task_context.h"
#endif

namespace ordeal::lockdep {
inline namespace ORDEAL_LOCKS_NAMESPACE {

// What the rules of a lock's class are unless a LockClassKey says otherwise.
enum class LockFlavour : uint8_t {
  kSleeps,  // a waiter sleeps
  kSpins,   // a waiter spins: locks that sleep must not be taken under it
  kEvent,   // waited for, never held
};

class LockTracker;

// A lock class as an object, for rules that a name cannot carry and locks that are constructed in many places. Static.
//   constinit LockClassKey kInode{"inode", {.ordered_by_key = true}};
//   Mutex mutex{kInode, /*order_key=*/inode_number};
class LockClassKey {
 public:
#if defined(ORDEAL_LOCKDEP_OFF)
  explicit constexpr LockClassKey(const char*, LockClassOptions = {}) {}
#else
  explicit constexpr LockClassKey(const char* name, LockClassOptions options = {}) : name_(name), options_(options) {}
#endif
  LockClassKey(const LockClassKey&) = delete;
  LockClassKey& operator=(const LockClassKey&) = delete;

 private:
  friend class LockTracker;
#if !defined(ORDEAL_LOCKDEP_OFF)
  const char* name_;
  LockClassOptions options_;
#endif
};

// How one acquisition differs from a plain one: mutex.Lock(1); mutex.Lock(NestedUnder(parent)).
class LockHow {
 public:
  constexpr LockHow() = default;
  constexpr LockHow(int subclass) : subclass_(subclass) {}  // NOLINT: Lock(1) reads well
  constexpr LockHow(int subclass, const LockTracker* nest) : subclass_(subclass), nest_(nest) {}
  constexpr int subclass() const { return subclass_; }
  constexpr const LockTracker* nest() const { return nest_; }
  constexpr bool plain() const { return subclass_ == 0 && nest_ == nullptr; }

 private:
  int subclass_ = 0;
  const LockTracker* nest_ = nullptr;
};

// `outer` is held and serialises the nesting of the class of the lock that is taken.
template <class Lock>
LockHow NestedUnder(const Lock& outer, int subclass = 0) {
  return {subclass, &outer.tracker()};
}

#if defined(ORDEAL_LOCKDEP_OFF)

class LockTracker {
 public:
  constexpr LockTracker(const char*, LockFlavour, Site) {}
  constexpr LockTracker(LockClassKey&, uint64_t, LockFlavour, Site) {}
  void SetOrderKey(uint64_t) {}
  bool BeforeLock(LockHow, Site) { return true; }
  void AfterLock(bool) {}
  void AfterTryLock(LockHow, Site) {}
  void BeforeUnlock(Site) {}
  bool BeforeSharedLock(Mode, LockHow, Site) { return true; }
  void AfterSharedLock(bool) {}
  void AfterSharedTryLock(Mode, LockHow, Site) {}
  void BeforeSharedUnlock(Site) {}
  void AssertHeld(Site) {}
  void AssertHeldShared(Site) {}
  bool HeldByCaller() const { return false; }
  void ReportDestroyedHeld(Site) {}
};

using RecursiveTracker = LockTracker;

#else

struct ThreadState;

class LockTracker {
 public:
  constexpr LockTracker(const char* name, LockFlavour flavour, Site site)
      : flavour_(flavour), origin_(name != nullptr ? kName : kSite), name_(name), site_(site) {}
  constexpr LockTracker(LockClassKey& key, uint64_t order_key, LockFlavour flavour, Site site)
      : flavour_(flavour), origin_(kKey), class_key_(&key), site_(site) {
    map_.order_key = order_key;
  }
  LockTracker(const LockTracker&) = delete;
  LockTracker& operator=(const LockTracker&) = delete;

  // Compared when the class is ordered by key. Only before the first acquisition.
  void SetOrderKey(uint64_t order_key) { map_.order_key = order_key; }

  // ---- around an exclusive acquisition. BeforeLock: true if tracked; hand the answer to AfterLock.
  bool BeforeLock(LockHow how, Site site) {
    return ValidationEnabled() && (how.plain() ? AcquireExclusive(site) : Acquire(kExclusive, how, site));
  }
  void AfterLock(bool tracked) {
    if (__builtin_expect(!tracked, 0)) CountUntracked(1);
  }
  void AfterTryLock(LockHow how, Site site) { AfterLock(ValidationEnabled() && Acquire(kExclusive | kTry, how, site)); }
  // Before the native unlock, behind which the lock may be gone.
  void BeforeUnlock(Site site) {
    if (__builtin_expect(untracked_.load(std::memory_order_relaxed) != 0, 0)) return CountUntracked(-1);
    Release(site);
  }

  // ---- the same for a shared acquisition
  bool BeforeSharedLock(Mode mode, LockHow how, Site site) {
    if (!ValidationEnabled()) return false;
    return how.plain() && mode == Mode::kShared ? AcquireShared(site) : Acquire(static_cast<unsigned>(mode), how, site);
  }
  void AfterSharedLock(bool tracked) {
    if (__builtin_expect(!tracked, 0)) CountUntrackedShared();
  }
  void AfterSharedTryLock(Mode mode, LockHow how, Site site) {
    AfterSharedLock(ValidationEnabled() && Acquire(static_cast<unsigned>(mode) | kTry, how, site));
  }
  void BeforeSharedUnlock(Site site);

  // ---- rules
  void AssertHeld(Site site);
  void AssertHeldShared(Site site);  // in any mode
  // Before the memory goes.
  bool ever_tracked() const { return state_.load(std::memory_order_relaxed) == kReady; }
  bool HeldByCaller() const;
  void ReportDestroyedHeld(Site site);

 protected:
  static constexpr unsigned kExclusive = 0;  // Mode
  static constexpr unsigned kTry = 4;

  // False if validation must not see it (it comes from a handler, or from within the validator).
  bool Acquire(unsigned mode, LockHow how, Site site);
  // The same without a LockHow, for speed.
  bool AcquireExclusive(Site site);
  bool AcquireShared(Site site);
  void Release(Site site);
  void CountUntracked(int by) {
    untracked_.store(untracked_.load(std::memory_order_relaxed) + static_cast<uint32_t>(by), std::memory_order_relaxed);
  }
  bool untracked() const { return untracked_.load(std::memory_order_relaxed) != 0; }

 private:
  friend class EventTracker;
  friend class ConditionTracker;
  enum State : uint32_t { kNew, kBusy, kReady };
  enum Origin : uint8_t { kSite, kName, kKey };

  template <Mode mode>
  bool AcquirePlain(Site site);
  void ReleaseSlow(Site site);
  void CountUntrackedShared();
  void Resolve();
  // The map, with its class.
  const LockMap& map() {
    if (__builtin_expect(state_.load(std::memory_order_acquire) != kReady, 0)) Resolve();  // pairs with Resolve
    return map_;
  }

  std::atomic<uint32_t> state_{kNew};
  std::atomic<uint32_t> untracked_{0};  // acquisitions the validator does not know of; written by the holder alone
  LockMap map_;
  const LockFlavour flavour_;
  const Origin origin_;
  union {
    const char* name_;
    LockClassKey* class_key_;
  };
  const Site site_;
};

// Of a lock that its owner may take again: only the first acquisition and the last release are the validator's.
class RecursiveTracker : public LockTracker {
 public:
  using LockTracker::LockTracker;
  bool BeforeLock(LockHow how, Site site) { return ValidationEnabled() && AcquireAgain(kExclusive, how, site); }
  void AfterLock(bool tracked);
  void AfterTryLock(LockHow how, Site site) {
    AfterLock(ValidationEnabled() && AcquireAgain(kExclusive | kTry, how, site));
  }
  void BeforeUnlock(Site site);

 private:
  bool AcquireAgain(unsigned mode, LockHow how, Site site);

  std::atomic<const ThreadState*> owner_{nullptr};  // who holds it, tracked
  uint32_t again_ = 0;                              // acquisitions by the owner beyond the first
};

#endif

}  // namespace ORDEAL_LOCKS_NAMESPACE
}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_LOCKS_LOCK_TRACKER_H_
