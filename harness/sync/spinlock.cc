#include "harness/sync/spinlock.h"

#include "lockdep/support/check.h"

namespace ordeal {

Spinlock::Spinlock(Simulation& sim, lockdep::LockClassId lock_class, const char* name, uint32_t number)
    : Mutex(sim, lock_class, name, number) {
  NeverFailFreeTrylock();
  LD_CHECK(sim.validator().classes().at(lock_class).options.spins(),
           std::string("the class of spinlock ") + name + " is not registered with .inner = WaitType::kConfig or kSpin");
}

}  // namespace ordeal
