// Waiting for work. Two ways to get it wrong:
//   flush-under-lock   a task waits for an item under a lock that the item takes;
//   B96                an item waits for another item of its own pool, which has one worker and no rescuer.
#include <memory>
#include <optional>

#include "harness/catalogue/reclaim/reclaim_scenarios.h"
#include "harness/sync/mutex.h"
#include "harness/sync/work_queue.h"

namespace ordeal {
namespace {

class WorkqueueFlush : public Scenario {
 public:
  void Setup(ScenarioRun& run) override {
    Simulation& sim = run.sim();
    if (!prepared_) Prepare(run);
    mutex_.emplace(sim, mutex_class_, "inode list");
    conversions_ = std::make_unique<WorkQueue>(sim, conversion_slot_, WorkQueueOptions{}, "conversions");
    if (!one_pool_) reclaims_ = std::make_unique<WorkQueue>(sim, reclaim_slot_, WorkQueueOptions{}, "reclaims");
    reclaim_.emplace(sim, reclaim_class_, [this] { Reclaim(); }, "reclaim");
    conversion_.emplace(sim, conversion_class_, [this] { reclaim_->Flush(); }, "conversion");
    Scheduler& scheduler = sim.scheduler();
    scheduler.Spawn("reclaimer", [this] { (one_pool_ ? conversions_ : reclaims_)->Queue(*reclaim_); });
    scheduler.Spawn("writer", [this] {
      conversions_->Queue(*conversion_);
      conversion_->Flush();
    });
    scheduler.Spawn("unmount", [this] { Unmount(); });
  }

  void Teardown() override {
    conversion_.reset();
    reclaim_.reset();
    reclaims_.reset();
    conversions_.reset();
    mutex_.reset();
  }

 private:
  void Prepare(ScenarioRun& run) {
    Simulation& sim = run.sim();
    mutex_class_ = sim.Class("inode list");
    conversion_slot_ = sim.Class("conversion slot");
    reclaim_slot_ = sim.Class("reclaim slot");
    conversion_class_ = sim.Class("conversion work", {.is_event = true});
    reclaim_class_ = sim.Class("reclaim work", {.is_event = true});
    under_lock_ = run.HasBug("flush-under-lock");
    one_pool_ = run.HasBug("B96");
    prepared_ = true;
  }

  void Reclaim() {
    mutex_->Lock();
    mutex_->Unlock();
  }

  void Unmount() {
    if (under_lock_) mutex_->Lock();
    reclaim_->Flush();
    if (!under_lock_) mutex_->Lock();
    mutex_->Unlock();
  }

  bool prepared_ = false;
  bool under_lock_ = false;
  bool one_pool_ = false;
  lockdep::LockClassId mutex_class_{}, conversion_slot_{}, reclaim_slot_{}, conversion_class_{}, reclaim_class_{};
  std::optional<Mutex> mutex_;
  std::unique_ptr<WorkQueue> conversions_;
  std::unique_ptr<WorkQueue> reclaims_;
  std::optional<WorkItem> conversion_;
  std::optional<WorkItem> reclaim_;
};

}  // namespace

ScenarioEntry WorkqueueFlushScenario() {
  ScenarioEntry entry;
  entry.name = "workqueue-flush";
  entry.summary = "work that waits for work, and a task that waits for it, in pools of one worker";
  entry.bugs = {"B96", "flush-under-lock"};
  entry.make = [] { return std::make_unique<WorkqueueFlush>(); };
  return entry;
}

}  // namespace ordeal
