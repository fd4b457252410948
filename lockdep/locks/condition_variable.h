// A condition variable for Mutex. A wait under further locks is a wait for whoever notifies; taking the mutex again behind
// it is an acquisition under those locks.
//
// Thread-safety: any thread.
// Invariants:    a timed wait orders nothing before the notification: it ends by itself.
// Cost:          a wait that is judged, about two acquisitions.
// Example:
//   const MutexLock lock(mutex);
//   ready.Wait(mutex, [&] { return !queue.empty(); });
#ifndef ORDEAL_LOCKDEP_LOCKS_CONDITION_VARIABLE_H_
#define ORDEAL_LOCKDEP_LOCKS_CONDITION_VARIABLE_H_

#include <condition_variable>
#include <mutex>

#include "lockdep/locks/event_tracker.h"
#include "lockdep/locks/mutex.h"

namespace ordeal::lockdep {
inline namespace ORDEAL_LOCKS_NAMESPACE {

class ConditionVariable {
 public:
  explicit ConditionVariable(const char* name = nullptr, Site site = Site::Here()) : tracker_(name, site) {}
  explicit ConditionVariable(LockClassKey& key, Site site = Site::Here()) : tracker_(key, site) {}

  void Wait(Mutex& mutex, Site site = Site::Here()) ORDEAL_REQUIRES(mutex) {
    Native(mutex, false, site, [this](std::unique_lock<std::mutex>& lock) { native_.wait(lock); });
  }
  template <class Predicate>
  void Wait(Mutex& mutex, Predicate predicate, Site site = Site::Here()) ORDEAL_REQUIRES(mutex) {
    while (!predicate()) Wait(mutex, site);
  }
  // False if the time is over.
  template <class Time>
  bool WaitUntil(Mutex& mutex, const Time& time, Site site = Site::Here()) ORDEAL_REQUIRES(mutex) {
    std::cv_status status{};
    Native(mutex, true, site,
           [&](std::unique_lock<std::mutex>& lock) { status = native_.wait_until(lock, time); });
    return status == std::cv_status::no_timeout;
  }
  template <class Duration>
  bool WaitFor(Mutex& mutex, const Duration& duration, Site site = Site::Here()) ORDEAL_REQUIRES(mutex) {
    std::cv_status status{};
    Native(mutex, true, site,
           [&](std::unique_lock<std::mutex>& lock) { status = native_.wait_for(lock, duration); });
    return status == std::cv_status::no_timeout;
  }

  void NotifyOne(Site site = Site::Here()) {
    tracker_.BeforeTrigger(site);
    native_.notify_one();
  }
  void NotifyAll(Site site = Site::Here()) {
    tracker_.BeforeTrigger(site);
    native_.notify_all();
  }

 private:
  template <class Body>
  void Native(Mutex& mutex, bool timed, Site site, Body body) {
    const ConditionTracker::Waiting waiting = tracker_.BeforeConditionWait(mutex.tracker(), timed, site);
    std::unique_lock<std::mutex> lock(mutex.native(), std::adopt_lock);
    body(lock);
    lock.release();
    tracker_.AfterConditionWait(mutex.tracker(), waiting);
  }

  std::condition_variable native_;
  [[no_unique_address]] ConditionTracker tracker_;
};

}  // namespace ORDEAL_LOCKS_NAMESPACE
}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_LOCKS_CONDITION_VARIABLE_H_
