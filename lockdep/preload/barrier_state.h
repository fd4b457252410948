// The events of one barrier: an arrival's, for as many arrivals as two phases have.
//
// Thread-safety: EventOf and Other: any thread; `users` counts the threads inside and the barrier itself.
// Invariants:    the events do not move.
// Example:       barrier.EventOf(barrier.arrivals.fetch_add(1))
#ifndef ORDEAL_LOCKDEP_PRELOAD_BARRIER_STATE_H_
#define ORDEAL_LOCKDEP_PRELOAD_BARRIER_STATE_H_

#include <atomic>
#include <cstdint>
#include <vector>

#include "lockdep/runtime/validator.h"

namespace ordeal::lockdep {

struct BarrierState {
  BarrierState(unsigned count, const LockMap& map) : threads(count), events(size_t{2} * count, map) {}

  const LockMap& EventOf(uint64_t arrival) const { return events[arrival % events.size()]; }
  // That of the i-th other arrival of the same phase.
  const LockMap& Other(uint64_t arrival, unsigned i) const {
    return EventOf(arrival / threads * threads + (arrival + i) % threads);
  }

  const unsigned threads;
  const std::vector<LockMap> events;
  std::atomic<uint64_t> arrivals{0};
  std::atomic<uint32_t> users{1};
};

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_PRELOAD_BARRIER_STATE_H_
