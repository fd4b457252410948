// What a waitable thing carries for the validator: waits and triggers as events (lockdep/runtime/event.h has the model), and
// the semaphore that is a lock.
//
// A lock that a waiter holds depends, by way of the event, on the locks that the triggering thread had to take before.
//
// Thread-safety: any thread.
// Cost:          a wait or trigger takes the validator's mutex. From the first event of the process on, each thread notes what
//                it acquires (about 2 ns an acquisition). With ORDEAL_LOCKDEP_OFF the classes are empty.
// Example:       lockdep/locks/completion.h
#ifndef ORDEAL_LOCKDEP_LOCKS_EVENT_TRACKER_H_
#define ORDEAL_LOCKDEP_LOCKS_EVENT_TRACKER_H_

#include <atomic>
#include <cstdint>

#include "lockdep/locks/lock_tracker.h"

namespace ordeal::lockdep {
inline namespace ORDEAL_LOCKS_NAMESPACE {

// How a semaphore is used, and so who must release it.
enum class SemaphoreUse : uint8_t {
  kLearn,   // one token: as a lock, once its acquirer has released it, until another thread releases it; else as a signal
  kLock,    // by the thread that acquired it: it is held in between
  kSignal,  // by whoever has something to signal
};

#if defined(ORDEAL_LOCKDEP_OFF)

class EventTracker {
 public:
  EventTracker(const char*, Site) {}
  EventTracker(LockClassKey&, Site) {}
  bool BeforeWait(Site) { return false; }
  void AfterWait(bool) {}
  void BeforeTimedWait(Site) {}
  void BeforeTrigger(Site) {}
  void Arm() {}
};

class SemaphoreTracker : public EventTracker {
 public:
  SemaphoreTracker(SemaphoreUse, unsigned, const char* name, Site site) : EventTracker(name, site) {}
  SemaphoreTracker(SemaphoreUse, unsigned, LockClassKey& key, Site site) : EventTracker(key, site) {}
  void AfterAcquire(Site) {}
  void BeforeRelease(Site) {}
  void BeforeDestruction(bool) {}
};

class ConditionTracker : public EventTracker {
 public:
  using EventTracker::EventTracker;
  struct Waiting {};
  Waiting BeforeConditionWait(LockTracker&, bool, Site) { return {}; }
  void AfterConditionWait(LockTracker&, Waiting) {}
};

#else

class EventTracker {
 public:
  EventTracker(const char* name, Site site);
  EventTracker(LockClassKey& key, Site site);
  ~EventTracker();

  // May block until the event is triggered; hand the answer to AfterWait, when it was.
  bool BeforeWait(Site site);
  void AfterWait(bool tracked);
  // Blocks for a time at most: no dependency, but sleeping must be allowed.
  void BeforeTimedWait(Site site);
  void BeforeTrigger(Site site);
  // Nobody could wait before now, and no earlier trigger counts.
  void Arm();

 protected:
  const LockMap& map() { return tracker_.map(); }
  // Calls body(thread, map) unless validation is off or must not see it.
  template <class Body>
  void Tell(Body body);

 private:
  LockTracker tracker_;
};

class SemaphoreTracker : public EventTracker {
 public:
  SemaphoreTracker(SemaphoreUse use, unsigned tokens, const char* name, Site site)
      : EventTracker(name, site), use_(UseOf(use, tokens)) {}
  SemaphoreTracker(SemaphoreUse use, unsigned tokens, LockClassKey& key, Site site)
      : EventTracker(key, site), use_(UseOf(use, tokens)) {}

  void AfterAcquire(Site site);
  void BeforeRelease(Site site);
  // `free`: a token is there, so that nobody has to release one.
  void BeforeDestruction(bool free);

 private:
  enum Use : uint8_t { kUnknown, kAsLock, kAsSignal, kDeclaredLock };
  static constexpr Use UseOf(SemaphoreUse use, unsigned tokens) {
    if (use == SemaphoreUse::kLock) return kDeclaredLock;
    return use == SemaphoreUse::kLearn && tokens == 1 ? kUnknown : kAsSignal;
  }
  bool ReleasedByAcquirer(ThreadState& thread, const LockMap& map, Site site);
  const LockMap& Owed(const LockMap& event);

  std::atomic<uint8_t> use_;
  // What acquirers hold. Not in this object: an acquirer whose token another thread brought back holds it for longer than
  // the semaphore may live.
  std::atomic<LockMap*> owed_{nullptr};
};

class ConditionTracker : public EventTracker {
 public:
  using EventTracker::EventTracker;
  struct Waiting {
    bool tracked = false;  // the mutex was, before the wait
    bool judged = false;   // the wait
    int subclass = 0;
    Site site;
  };
  // `timed`: the wait ends by itself.
  Waiting BeforeConditionWait(LockTracker& mutex, bool timed, Site site);
  void AfterConditionWait(LockTracker& mutex, Waiting waiting);
};

#endif

}  // namespace ORDEAL_LOCKS_NAMESPACE
}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_LOCKS_EVENT_TRACKER_H_
