// B79: a write takes the lock of its range and waits until write-back of the page ends. With the bug write-back marks the page
// and takes the range lock after that; without it, the range lock comes first.
// Source: zfs, protocols 3E.
#include <memory>
#include <optional>

#include "harness/catalogue/reclaim/reclaim_scenarios.h"
#include "harness/catalogue/reclaim/reclaim_world.h"
#include "harness/sync/range_lock.h"

namespace ordeal {
namespace {

class RangeLockWriteback : public Scenario {
 public:
  void Setup(ScenarioRun& run) override {
    sim_ = &run.sim();
    marks_first_ = run.HasBug("B79");
    device_.emplace(*sim_);
    range_.emplace(*sim_, sim_->Class("range_lock"), "range lock");
    page_.emplace(*sim_, 0);
    page_->dirty = true;
    sim_->scheduler().Spawn("write", [this] { Write(); });
    sim_->scheduler().Spawn("flusher", [this] { Flush(); });
  }
  void Teardown() override {
    bio_.reset();
    page_.reset();
    range_.reset();
    device_.reset();
  }

 private:
  void Write() {
    range_->LockExclusive(0, 1);
    page_->writeback.WaitClear();
    page_->lock.Lock();
    page_->dirty = true;
    page_->lock.Unlock();
    range_->Unlock();
  }

  void Flush() {
    bio_.emplace(*device_, sim_->scheduler().current());
    if (!marks_first_) range_->LockShared(0, 1);
    page_->lock.Lock();
    bio_->Add(*page_);
    page_->lock.Unlock();
    if (marks_first_) range_->LockShared(0, 1);
    bio_->Submit();
    range_->Unlock();
  }

  Simulation* sim_ = nullptr;
  bool marks_first_ = false;
  std::optional<BlockDevice> device_;
  std::optional<RangeLock> range_;
  std::optional<CachePage> page_;
  std::optional<WriteBio> bio_;
};

}  // namespace

ScenarioEntry RangeLockWritebackScenario() {
  ScenarioEntry entry;
  entry.name = "range-lock-writeback";
  entry.summary = "a write and write-back of one page under a range lock";
  entry.bugs = {"B79"};
  entry.make = [] { return std::make_unique<RangeLockWriteback>(); };
  return entry;
}

}  // namespace ordeal
