// A spinlock: held without sleeping, so the validator reports any sleeping acquisition or wait under it. A contended task
// blocks in the simulation as on a mutex (spinning would only burn steps). A trylock of a free one never fails.
//
// Thread-safety: tasks of one simulation. Invariants: as Mutex; the class is registered with .inner = WaitType::kConfig or kSpin.
// Example:
//   Spinlock lock(sim, sim.Class("i_pages", {.inner = lockdep::WaitType::kConfig}));
//   lock.Lock(); ... lock.Unlock();
#ifndef ORDEAL_HARNESS_SYNC_SPINLOCK_H_
#define ORDEAL_HARNESS_SYNC_SPINLOCK_H_

#include "harness/sync/mutex.h"

namespace ordeal {

class Spinlock : public Mutex {
 public:
  Spinlock(Simulation& sim, lockdep::LockClassId lock_class, const char* name = "spinlock", uint32_t number = 0);
};

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_SYNC_SPINLOCK_H_
