// B97: a file system is frozen: writers are kept out at the first level (sb_writers), and those inside are waited for. A write is
// inside and faults on its source, for which it takes mmap_lock; mmap has that and updates the access time. With the bug it
// enters the write level for that under mmap_lock; without it, it only tries, and leaves the time as it is.
// Source: protocols 1.2 (FZw is never taken under MM), 1.4.20, 1.4.21.
#include <memory>
#include <optional>

#include "harness/catalogue/reclaim/reclaim_scenarios.h"
#include "harness/sync/rw_semaphore.h"

namespace ordeal {
namespace {

class FreezeFault : public Scenario {
 public:
  void Setup(ScenarioRun& run) override {
    Simulation& sim = run.sim();
    sleeps_ = run.HasBug("B97");
    writers_.emplace(sim, sim.Class("sb_writers"), "sb_writers");
    mmap_lock_.emplace(sim, sim.Class("mmap_lock"), "mmap_lock");
    sim.scheduler().Spawn("write", [this] {
      writers_->LockShared();
      mmap_lock_->LockShared();
      mmap_lock_->UnlockShared();
      writers_->UnlockShared();
    });
    sim.scheduler().Spawn("mmap", [this] { Map(); });
    sim.scheduler().Spawn("freeze", [this] {
      writers_->LockExclusive();
      writers_->UnlockExclusive();
    });
  }
  void Teardown() override {
    mmap_lock_.reset();
    writers_.reset();
  }

 private:
  void Map() {
    mmap_lock_->LockExclusive();
    bool inside = true;
    if (sleeps_) {
      writers_->LockShared();
    } else {
      inside = writers_->TryLockShared();
    }
    if (inside) writers_->UnlockShared();
    mmap_lock_->UnlockExclusive();
  }

  bool sleeps_ = false;
  std::optional<RwSemaphore> writers_;
  std::optional<RwSemaphore> mmap_lock_;
};

}  // namespace

ScenarioEntry FreezeFaultScenario() {
  ScenarioEntry entry;
  entry.name = "freeze-fault";
  entry.summary = "a freeze beside a write that faults and a mmap that updates the access time";
  entry.bugs = {"B97"};
  entry.make = [] { return std::make_unique<FreezeFault>(); };
  return entry;
}

}  // namespace ordeal
