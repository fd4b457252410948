// An eviction beside write-back of the same inode.
//   B93  the eviction takes the inode's capabilities, which it gives back when it is done, before it waits for write-back
//        (I_SYNC); the flusher needs them while it has I_SYNC. Without the bug it takes them after it has waited;
//   B91  the eviction waits for the page's write-back bit only. That is cleared before a worker has converted the extent, which
//        is then done to an inode that is gone (S17). Without the bug it waits for the conversions, too.
// Source: protocols 1.4.11 step 3, 1.4.13.
#include <memory>
#include <optional>

#include "harness/catalogue/reclaim/reclaim_scenarios.h"
#include "harness/catalogue/reclaim/reclaim_world.h"
#include "harness/sync/mutex.h"
#include "harness/sync/work_queue.h"

namespace ordeal {
namespace {

class EvictWriteback : public Scenario {
 public:
  void Setup(ScenarioRun& run) override {
    run_ = &run;
    sim_ = &run.sim();
    caps_first_ = run.HasBug("B93");
    skips_conversions_ = run.HasBug("B91");
    freeing_ = syncing_ = gone_ = false;
    device_.emplace(*sim_);
    conversions_ = std::make_unique<WorkQueue>(*sim_, sim_->Class("conversion slot"), WorkQueueOptions{}, "conversions");
    conversion_.emplace(*sim_, sim_->Class("conversion work", {.is_event = true}), [this] { Convert(); }, "conversion");
    pending_.emplace(*sim_, sim_->Class("ioend", {.is_event = true}), "conversions of inode");
    sync_.emplace(*sim_, sim_->Class("inode_sync", {.is_event = true}), "I_SYNC of inode");
    caps_.emplace(*sim_, sim_->Class("capabilities"), "capabilities");
    page_.emplace(*sim_, 0);
    page_->dirty = true;
    sim_->scheduler().Spawn("flusher", [this] { Flush(); });
    sim_->scheduler().Spawn("evict", [this] { Evict(); });
  }
  // Unmount waits for what is left.
  void Check(ScenarioRun& run) override {
    sim_->scheduler().Spawn("unmount", [this] { pending_->WaitZero(); });
    run.RunTasks();
  }
  void Teardown() override {
    conversion_.reset();
    conversions_.reset();
    bio_.reset();
    page_.reset();
    caps_.reset();
    sync_.reset();
    pending_.reset();
    device_.reset();
  }

 private:
  void Flush() {
    Scheduler& scheduler = sim_->scheduler();
    scheduler.Point(OperationKind::kWrite, sync_->id());
    if (freeing_) return;
    syncing_ = true;
    sync_->set_trigger(scheduler.current());
    sync_->Arm();
    caps_->Lock();
    bio_.emplace(*device_, scheduler.current());
    page_->lock.Lock();
    bio_->Add(*page_);
    pending_->Begin();
    page_->lock.Unlock();
    bio_->Submit();
    device_->Submit([this] { conversions_->Queue(*conversion_); });
    caps_->Unlock();
    syncing_ = false;
    sync_->set_trigger(kNoTask);
    sync_->WakeAll();
  }

  void Evict() {
    sim_->scheduler().Point(OperationKind::kWrite, sync_->id());
    freeing_ = true;
    if (caps_first_) caps_->Lock();
    sync_->WaitUntil([this] { return !syncing_; });
    if (!caps_first_) caps_->Lock();
    page_->lock.Lock();
    page_->writeback.WaitClear();
    page_->lock.Unlock();
    if (!skips_conversions_) pending_->WaitZero();
    caps_->Unlock();
    gone_ = true;
  }

  void Convert() {
    if (gone_) {
      return run_->ReportAndStop({.kind = FindingKind::kInvariant,
                                  .signature = "invariant: S17",
                                  .summary = "an unwritten extent is converted after its inode has been evicted"});
    }
    pending_->End();
  }

  ScenarioRun* run_ = nullptr;
  Simulation* sim_ = nullptr;
  bool caps_first_ = false;
  bool skips_conversions_ = false;
  bool freeing_ = false;
  bool syncing_ = false;
  bool gone_ = false;
  std::optional<BlockDevice> device_;
  std::unique_ptr<WorkQueue> conversions_;
  std::optional<WorkItem> conversion_;
  std::optional<CounterDrain> pending_;
  std::optional<WaitQueue> sync_;
  std::optional<Mutex> caps_;
  std::optional<CachePage> page_;
  std::optional<WriteBio> bio_;
};

}  // namespace

ScenarioEntry EvictWritebackScenario() {
  ScenarioEntry entry;
  entry.name = "evict-writeback";
  entry.summary = "an inode is evicted while it is written back and its extent is still to be converted";
  entry.bugs = {"B91", "B93"};
  entry.make = [] { return std::make_unique<EvictWriteback>(); };
  return entry;
}

}  // namespace ordeal
