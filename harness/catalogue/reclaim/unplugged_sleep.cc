// B95: a task has reads in its plug and sleeps for a lock, whose owner waits for one of the pages to be read. Without the bug the
// plug is flushed before the task sleeps, as the kernel's scheduler does.
// Source: protocols 1.1 (plug list), 4.7.
#include <memory>
#include <optional>

#include "harness/catalogue/reclaim/reclaim_scenarios.h"
#include "harness/catalogue/reclaim/reclaim_world.h"
#include "harness/sync/mutex.h"

namespace ordeal {
namespace {

class UnpluggedSleep : public Scenario {
 public:
  void Setup(ScenarioRun& run) override {
    sim_ = &run.sim();
    sleeps_plugged_ = run.HasBug("B95");
    device_.emplace(*sim_);
    page_.emplace(*sim_, 0);
    extents_.emplace(*sim_, sim_->Class("extent map"), "extent map");
    sim_->scheduler().Spawn("reader", [this] { Read(); });
    sim_->scheduler().Spawn("truncate", [this] {
      extents_->Lock();
      page_->lock.Lock();
      page_->lock.Unlock();
      extents_->Unlock();
    });
  }
  void Teardown() override {
    extents_.reset();
    page_.reset();
    device_.reset();
  }

 private:
  void Read() {
    read_ = PluggedRequest(sim_->scheduler().current());
    page_->lock.Lock();
    page_->lock.HandOverToIo(&read_);
    bool plugged = true;
    // The next block of the file must be looked up.
    if (sleeps_plugged_) {
      extents_->Lock();
    } else if (!extents_->TryLock()) {
      SubmitRead();
      plugged = false;
      extents_->Lock();
    }
    extents_->Unlock();
    if (plugged) SubmitRead();
  }

  void SubmitRead() {
    read_.Submit();
    device_->Submit([this] {
      page_->lock.TakeOverFromIo();
      page_->lock.UnlockFromIo();
    });
  }

  Simulation* sim_ = nullptr;
  bool sleeps_plugged_ = false;
  PluggedRequest read_;
  std::optional<BlockDevice> device_;
  std::optional<CachePage> page_;
  std::optional<Mutex> extents_;
};

}  // namespace

ScenarioEntry UnpluggedSleepScenario() {
  ScenarioEntry entry;
  entry.name = "unplugged-sleep";
  entry.summary = "a reader that sleeps with a read in its plug, and a truncate that wants the page";
  entry.bugs = {"B95"};
  entry.make = [] { return std::make_unique<UnpluggedSleep>(); };
  return entry;
}

}  // namespace ordeal
