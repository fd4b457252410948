// A barrier: a fixed number of threads wait for each other, again and again. A lock that one of them holds there and another
// had to take to get there is a deadlock.
//
// To the validator each arrival of a phase is an event of its own, for which the other threads wait.
//
// Thread-safety: any thread.
// Cost:          a wait for each other thread. With ORDEAL_LOCKDEP_OFF, a pthread barrier.
// Example:       Barrier phase(threads, "phase");   phase.ArriveAndWait();
#ifndef ORDEAL_LOCKDEP_LOCKS_BARRIER_H_
#define ORDEAL_LOCKDEP_LOCKS_BARRIER_H_

#include <pthread.h>

#include "lockdep/locks/barrier_tracker.h"
#include "lockdep/support/check.h"

namespace ordeal::lockdep {
inline namespace ORDEAL_LOCKS_NAMESPACE {

class Barrier {
 public:
  explicit Barrier(unsigned threads, const char* name = nullptr, Site site = Site::Here())
      : tracker_(threads, name, site) {
    LD_CHECK(threads > 0 && pthread_barrier_init(&native_, nullptr, threads) == 0, "a barrier needs at least one thread");
  }
  ~Barrier() { pthread_barrier_destroy(&native_); }
  Barrier(const Barrier&) = delete;
  Barrier& operator=(const Barrier&) = delete;

  // True in one of the threads of each phase.
  bool ArriveAndWait(Site site = Site::Here()) {
    const BarrierArrival arrival = tracker_.BeforeArrival(site);
    const bool last = pthread_barrier_wait(&native_) == PTHREAD_BARRIER_SERIAL_THREAD;
    tracker_.AfterPhase(arrival, site);
    return last;
  }

 private:
  pthread_barrier_t native_;
  [[no_unique_address]] BarrierTracker tracker_;
};

}  // namespace ORDEAL_LOCKS_NAMESPACE
}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_LOCKS_BARRIER_H_
