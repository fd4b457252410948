// B87: background write-back begins where it stopped last time. With the bug it goes on at the first page when it comes to the
// end, in the same pass, with the high pages under write-back in a bio that is not sent: page locks are then no longer taken in
// ascending order. A sync, which maps an extent, locks its pages in ascending order and waits for write-back of each.
// Without the bug a pass ends at the end of the file, and its bio is sent.
// Source: protocols 1.4.11.
#include <deque>
#include <memory>
#include <optional>

#include "harness/catalogue/reclaim/reclaim_scenarios.h"
#include "harness/catalogue/reclaim/reclaim_world.h"

namespace ordeal {
namespace {

constexpr uint32_t kPages = 4;
constexpr uint32_t kStart = 2;  // where the last pass stopped

class RangeCyclic : public Scenario {
 public:
  void Setup(ScenarioRun& run) override {
    sim_ = &run.sim();
    wraps_ = run.HasBug("B87");
    device_.emplace(*sim_);
    for (uint32_t i = 0; i < kPages; ++i) {
      pages_[i].emplace(*sim_, i);
      pages_[i]->dirty = true;
    }
    sim_->scheduler().Spawn("flusher", [this] { Flush(); });
    sim_->scheduler().Spawn("sync", [this] { Sync(); });
  }
  void Teardown() override {
    bios_.clear();
    for (auto& page : pages_) page.reset();
    device_.reset();
  }

 private:
  WriteBio& NewBio() { return bios_.emplace_back(*device_, sim_->scheduler().current()); }

  void Flush() {
    WriteBio* bio = &NewBio();
    AddRange(*bio, kStart, kPages);
    if (!wraps_) {
      bio->Submit();
      bio = &NewBio();
    }
    AddRange(*bio, 0, kStart);
    bio->Submit();
  }

  void AddRange(WriteBio& bio, uint32_t begin, uint32_t end) {
    for (uint32_t i = begin; i < end; ++i) {
      CachePage& page = *pages_[i];
      page.lock.Lock();
      if (page.dirty && !page.writeback.is_set()) bio.Add(page);
      page.lock.Unlock();
    }
  }

  void Sync() {
    WriteBio& bio = NewBio();
    for (auto& page : pages_) {
      page->lock.Lock();
      page->writeback.WaitClear();
    }
    for (auto& page : pages_) {
      if (page->dirty) bio.Add(*page);
      page->lock.Unlock();
    }
    bio.Submit();
    for (auto& page : pages_) page->writeback.WaitClear();
  }

  Simulation* sim_ = nullptr;
  bool wraps_ = false;
  std::optional<BlockDevice> device_;
  std::optional<CachePage> pages_[kPages];
  std::deque<WriteBio> bios_;
};

}  // namespace

ScenarioEntry RangeCyclicScenario() {
  ScenarioEntry entry;
  entry.name = "range-cyclic-writeback";
  entry.summary = "background write-back that begins in the middle of a file, and a sync of the file";
  entry.bugs = {"B87"};
  entry.make = [] { return std::make_unique<RangeCyclic>(); };
  return entry;
}

}  // namespace ordeal
