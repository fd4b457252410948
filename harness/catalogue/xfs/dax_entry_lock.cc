// The locks of a DAX mapping's entries, and four ways to get them wrong:
//   B77   an entry is taken away and only one of its waiters is woken, who finds nothing and wakes nobody;
//   B77b  a fault that must replace its entry by a larger one looks the entry up again with the old one still locked;
//   B77c  a fault on a small page keeps its entry and wants the one that covers it, a fault on the huge page the other way round;
//   B77d  a write maps its extent first and then locks the entry, a fault the other way round.
#include <optional>

#include "harness/catalogue/xfs/xfs_scenarios.h"
#include "harness/filesystems/dax/dax_entries.h"
#include "harness/sync/rw_semaphore.h"

namespace ordeal {
namespace {

class DaxEntryLock : public Scenario {
 public:
  void Setup(ScenarioRun& run) override {
    Simulation& sim = run.sim();
    wakes_one_ = run.HasBug("B77");
    waits_for_itself_ = run.HasBug("B77b");
    small_first_ = run.HasBug("B77c");
    extent_first_ = run.HasBug("B77d");
    entries_.emplace(sim.scheduler());
    extent_.emplace(sim, sim.Class("xfs_ilock"), "extent lock");
    Scheduler& scheduler = sim.scheduler();
    scheduler.Spawn("huge fault", [this] { FaultHuge(); });
    scheduler.Spawn("small fault", [this] { FaultSmall(); });
    scheduler.Spawn("write", [this] { Write(); });
    for (const char* name : {"invalidate", "another invalidate"}) {
      scheduler.Spawn(name, [this] {
        if (entries_->Lock(0)) entries_->Delete(0, wakes_one_);
      });
    }
  }

  void Teardown() override {
    extent_.reset();
    entries_.reset();
  }

 private:
  // Covers both indices: locks upwards.
  void FaultHuge() {
    const bool first = entries_->Lock(0);
    const bool second = entries_->Lock(1);
    if (second) entries_->Unlock(1);
    if (first) entries_->Unlock(0);
  }

  // On index 1; the entry at 0 may cover it.
  void FaultSmall() {
    const bool covering = !small_first_ && entries_->Lock(0);
    if (covering) entries_->Unlock(0);
    if (!entries_->Lock(1)) return;
    if (small_first_ && entries_->Lock(0)) entries_->Unlock(0);
    if (!waits_for_itself_) {
      MapExtent();
      entries_->Unlock(1);
      return;
    }
    if (entries_->Lock(1)) entries_->Unlock(1);
  }

  void Write() {
    if (extent_first_) extent_->LockExclusive();
    const bool locked = entries_->Lock(1);
    if (!extent_first_) extent_->LockExclusive();
    if (locked) entries_->Unlock(1);
    extent_->UnlockExclusive();
  }

  void MapExtent() {
    extent_->LockShared();
    extent_->UnlockShared();
  }

  bool wakes_one_ = false;
  bool waits_for_itself_ = false;
  bool small_first_ = false;
  bool extent_first_ = false;
  std::optional<DaxEntries> entries_;
  std::optional<RwSemaphore> extent_;
};

}  // namespace

ScenarioEntry DaxEntryLockScenario() {
  ScenarioEntry entry;
  entry.name = "dax-entry-lock";
  entry.summary = "faults, a write and invalidations of one DAX mapping, and the locks of its entries";
  entry.bugs = {"B77", "B77b", "B77c", "B77d"};
  entry.make = [] { return std::make_unique<DaxEntryLock>(); };
  return entry;
}

}  // namespace ordeal
