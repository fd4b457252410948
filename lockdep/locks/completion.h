// A completion: "this is done", said once for one waiter, or for all of them.
//
// Thread-safety: any thread.
// Invariants:    Complete lets exactly one Wait pass; after CompleteAll each passes, until Reset.
// Cost:          a mutex and a condition variable, and what event_tracker.h says.
// Example:       Completion written("written");   written.Complete();  ...  written.Wait();
#ifndef ORDEAL_LOCKDEP_LOCKS_COMPLETION_H_
#define ORDEAL_LOCKDEP_LOCKS_COMPLETION_H_

#include <condition_variable>
#include <cstdint>
#include <mutex>

#include "lockdep/locks/event_tracker.h"

namespace ordeal::lockdep {
inline namespace ORDEAL_LOCKS_NAMESPACE {

class Completion {
 public:
  explicit Completion(const char* name = nullptr, Site site = Site::Here()) : tracker_(name, site) {}
  explicit Completion(LockClassKey& key, Site site = Site::Here()) : tracker_(key, site) {}

  void Wait(Site site = Site::Here()) {
    const bool tracked = tracker_.BeforeWait(site);
    {
      std::unique_lock<std::mutex> lock(mutex_);
      done_.wait(lock, [this] { return available(); });
      Take();
    }
    tracker_.AfterWait(tracked);
  }
  bool TryWait() {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!available()) return false;
    Take();
    return true;
  }
  // False if the time is over.
  template <class Duration>
  bool WaitFor(const Duration& duration, Site site = Site::Here()) {
    tracker_.BeforeTimedWait(site);
    std::unique_lock<std::mutex> lock(mutex_);
    if (!done_.wait_for(lock, duration, [this] { return available(); })) return false;
    Take();
    return true;
  }
  void Complete(Site site = Site::Here()) {
    tracker_.BeforeTrigger(site);
    const std::lock_guard<std::mutex> lock(mutex_);  // held over the notification: the waiter may destroy us behind it
    ++available_;
    done_.notify_one();
  }
  void CompleteAll(Site site = Site::Here()) {
    tracker_.BeforeTrigger(site);
    const std::lock_guard<std::mutex> lock(mutex_);
    for_all_ = true;
    done_.notify_all();
  }
  // For the next use: what was done before now cannot delay it.
  void Reset() {
    tracker_.Arm();
    const std::lock_guard<std::mutex> lock(mutex_);
    available_ = 0;
    for_all_ = false;
  }

 private:
  bool available() const { return for_all_ || available_ != 0; }
  void Take() {
    if (!for_all_) --available_;
  }

  std::mutex mutex_;
  std::condition_variable done_;
  uint64_t available_ = 0;  // guarded by mutex_, as for_all_
  bool for_all_ = false;
  [[no_unique_address]] EventTracker tracker_;
};

}  // namespace ORDEAL_LOCKS_NAMESPACE
}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_LOCKS_COMPLETION_H_
