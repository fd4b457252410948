// B89: the worker of a loop device allocates memory for what it writes to the file below. With the bug reclaim may start I/O on
// its behalf: it writes a page of the file system on the loop device, and the worker waits for itself. Without it the worker
// allocates without I/O (NOIO) and waits until any reclaimer gets there.
// Source: protocols 1.1 (memory), 1.4.12, 4.7.
#include <deque>
#include <memory>
#include <optional>
#include <utility>

#include "harness/catalogue/reclaim/reclaim_scenarios.h"
#include "harness/catalogue/reclaim/reclaim_world.h"

namespace ordeal {
namespace {

constexpr int kCleanPages = 8;
constexpr uint32_t kPages = 3;

class LoopDevice : public Scenario {
 public:
  void Setup(ScenarioRun& run) override {
    sim_ = &run.sim();
    gfp_ = run.HasBug("B89") ? lockdep::kGfpKernel : lockdep::kGfpNoIo;
    idle_ = kNoTask;
    id_ = sim_->scheduler().NewObject("loop queue");
    memory_.emplace(*sim_, 1, kCleanPages, [this](lockdep::Gfp gfp) {
      if (gfp.io) WriteOnePage();
    });
    for (uint32_t i = 0; i < kPages; ++i) {
      pages_[i].emplace(*sim_, i);
      pages_[i]->dirty = true;
    }
    Scheduler& scheduler = sim_->scheduler();
    worker_ = scheduler.Spawn("loop worker", [this] { Serve(); }, TaskKind::kDaemon);
    for (auto& page : pages_) page->writeback.queue().set_trigger(worker_);
    for (int i = 0; i < 2; ++i) {
      scheduler.Spawn("allocator", [this] { memory_->Allocate(lockdep::kGfpKernel); });
    }
    scheduler.Spawn("sync", [this] { WriteOnePage(); });
  }
  void Teardown() override {
    queue_.clear();
    for (auto& page : pages_) page.reset();
    memory_.reset();
  }

 private:
  // Of the file system on the device: the first one that is dirty and not in use. Frees it.
  void WriteOnePage() {
    for (auto& page : pages_) {
      if (!page->lock.TryLock()) continue;
      const bool takes = page->dirty;
      if (takes) {
        page->dirty = false;
        page->writeback.Set();
      }
      page->lock.Unlock();
      if (!takes) continue;
      Submit(*page);
      page->writeback.WaitClear();
      return memory_->Free();
    }
  }

  void Submit(CachePage& page) {
    Scheduler& scheduler = sim_->scheduler();
    scheduler.Point(OperationKind::kIo, id_);
    queue_.push_back(&page);
    if (idle_ != kNoTask) scheduler.Wake(std::exchange(idle_, kNoTask));
  }

  void Serve() {
    Scheduler& scheduler = sim_->scheduler();
    for (;;) {
      while (queue_.empty()) {
        idle_ = scheduler.current();
        scheduler.Block({.kind = OperationKind::kWait, .object = id_});
      }
      CachePage& page = *queue_.front();
      queue_.pop_front();
      memory_->Allocate(gfp_);
      page.writeback.Clear();
    }
  }

  Simulation* sim_ = nullptr;
  lockdep::Gfp gfp_;
  ObjectId id_ = kNoObject;
  TaskId worker_ = kNoTask;
  TaskId idle_ = kNoTask;
  std::optional<MemoryPool> memory_;
  std::optional<CachePage> pages_[kPages];
  std::deque<CachePage*> queue_;
};

}  // namespace

ScenarioEntry LoopDeviceScenario() {
  ScenarioEntry entry;
  entry.name = "loop-device";
  entry.summary = "the worker of a loop device allocates, and so do others";
  entry.bugs = {"B89"};
  entry.make = [] { return std::make_unique<LoopDevice>(); };
  return entry;
}

}  // namespace ordeal
