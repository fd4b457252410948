// B88: a sync writes pages until it finds none dirty, while a task stores to them through a mapping as soon as they can be stored
// to again: it never ends. Without the bug it first tags those that are dirty (TOWRITE) and writes only these.
// Source: protocols 1.4.11 step 1.
#include <memory>
#include <optional>

#include "harness/catalogue/reclaim/reclaim_scenarios.h"
#include "harness/catalogue/reclaim/reclaim_world.h"

namespace ordeal {
namespace {

constexpr uint32_t kPages = 2;

class SyncLivelock : public Scenario {
 public:
  void Setup(ScenarioRun& run) override {
    sim_ = &run.sim();
    chases_ = run.HasBug("B88");
    device_.emplace(*sim_);
    for (uint32_t i = 0; i < kPages; ++i) {
      pages_[i].emplace(*sim_, sim_->Class("page_stable", {.is_event = true}), "write-back of page", i);
      pages_[i]->dirty = true;
      sim_->scheduler().Spawn("mapped store", [this, i] { Store(*pages_[i]); }, TaskKind::kDaemon);
    }
    sim_->scheduler().Spawn("sync", [this] { Sync(); });
  }
  void Teardown() override {
    for (auto& page : pages_) page.reset();
    device_.reset();
  }

 private:
  struct MappedPage {
    MappedPage(Simulation& sim, lockdep::LockClassId event_class, const char* name, uint32_t number)
        : stable(sim, event_class, name, number) {}
    WaitQueue stable;
    bool dirty = false;
    bool writeback = false;
    bool towrite = false;
  };

  // A page that is under write-back must not change: page_mkwrite waits.
  void Store(MappedPage& page) {
    for (;;) {
      page.stable.WaitUntil([&page] { return !page.dirty && !page.writeback; });
      page.dirty = true;
    }
  }

  void Sync() {
    for (auto& page : pages_) page->towrite = page->dirty;
    for (;;) {
      for (auto& page : pages_) {
        if (chases_ ? page->dirty : page->towrite) Write(*page);
      }
      if (!chases_) return;
      sim_->scheduler().NoteRetry(RetryReason::kOther);
      bool clean = true;
      for (auto& page : pages_) clean &= !page->dirty;
      if (clean) return;
    }
  }

  void Write(MappedPage& page) {
    page.towrite = false;
    page.dirty = false;
    page.writeback = true;
    device_->Submit([&page] {
      // No scheduling point between the two: who waits looks after both.
      page.stable.WakeAll();
      page.writeback = false;
    });
    page.stable.WaitUntil([&page] { return !page.writeback; });
  }

  Simulation* sim_ = nullptr;
  bool chases_ = false;
  std::optional<BlockDevice> device_;
  std::optional<MappedPage> pages_[kPages];
};

}  // namespace

ScenarioEntry SyncLivelockScenario() {
  ScenarioEntry entry;
  entry.name = "sync-livelock";
  entry.summary = "a sync of pages that are stored to through a mapping whenever they are clean";
  entry.bugs = {"B88"};
  entry.make = [] { return std::make_unique<SyncLivelock>(); };
  return entry;
}

}  // namespace ordeal
