// A barrier's arrivals, each an event of its own. Two phases have different events: a thread may arrive for the next phase
// before another has returned from this one, but not for the one behind it.
//
// Thread-safety: any thread.
// Cost:          two waits and triggers a thread and phase for each other thread. Empty with ORDEAL_LOCKDEP_OFF.
// Example:       lockdep/locks/barrier.h
#ifndef ORDEAL_LOCKDEP_LOCKS_BARRIER_TRACKER_H_
#define ORDEAL_LOCKDEP_LOCKS_BARRIER_TRACKER_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "lockdep/locks/event_tracker.h"

namespace ordeal::lockdep {
inline namespace ORDEAL_LOCKS_NAMESPACE {

struct BarrierArrival {
  uint64_t number = 0;  // of all arrivals
  bool tracked = false;
};

#if defined(ORDEAL_LOCKDEP_OFF)

class BarrierTracker {
 public:
  BarrierTracker(unsigned, const char*, Site) {}
  BarrierArrival BeforeArrival(Site) { return {}; }
  void AfterPhase(BarrierArrival, Site) {}
};

#else

class BarrierTracker {
 public:
  BarrierTracker(unsigned threads, const char* name, Site site) : threads_(threads) {
    for (unsigned i = 0; i < 2 * threads; ++i) events_.push_back(std::make_unique<EventTracker>(name, site));
  }

  BarrierArrival BeforeArrival(Site site) {
    BarrierArrival arrival{arrivals_.fetch_add(1, std::memory_order_relaxed)};
    EventOf(arrival.number).BeforeTrigger(site);
    if (threads_ > 1) arrival.tracked = EventOf(Other(arrival.number, 1)).BeforeWait(site);
    return arrival;
  }
  void AfterPhase(BarrierArrival arrival, Site site) {
    if (!arrival.tracked) return;
    EventOf(Other(arrival.number, 1)).AfterWait(true);
    for (unsigned i = 2; i < threads_; ++i) {
      EventTracker& event = EventOf(Other(arrival.number, i));
      event.AfterWait(event.BeforeWait(site));
    }
  }

 private:
  EventTracker& EventOf(uint64_t arrival) { return *events_[arrival % events_.size()]; }
  // The i-th other arrival of the same phase.
  uint64_t Other(uint64_t arrival, unsigned i) const {
    const uint64_t phase = arrival / threads_;
    return phase * threads_ + (arrival + i) % threads_;
  }

  const unsigned threads_;
  std::vector<std::unique_ptr<EventTracker>> events_;
  std::atomic<uint64_t> arrivals_{0};
};

#endif

}  // namespace ORDEAL_LOCKS_NAMESPACE
}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_LOCKS_BARRIER_TRACKER_H_
