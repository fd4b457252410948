// Reclaim of a memory control group that waits for write-back, which may be in a bio that a flusher has not yet submitted. The
// flusher waits for a page lock that the allocating task has.
//   B85  a write charges a page under its lock, without the file system (NOFS), and reclaim waits all the same;
//   B86  a fault allocates its page table under the page lock; the repair allocates it before.
// Source: protocols 1.4.3, 1.4.11, 1.4.12.
#include <memory>
#include <optional>

#include "harness/catalogue/reclaim/reclaim_scenarios.h"
#include "harness/catalogue/reclaim/reclaim_world.h"

namespace ordeal {
namespace {

class MemcgReclaim : public Scenario {
 public:
  void Setup(ScenarioRun& run) override {
    sim_ = &run.sim();
    waits_without_fs_ = run.HasBug("B85");
    allocates_late_ = run.HasBug("B86");
    reclaim_.emplace(sim_->validator());
    device_.emplace(*sim_);
    for (uint32_t i = 0; i < kPages; ++i) pages_[i].emplace(*sim_, i);
    pages_[kOther]->dirty = true;
    pages_[kTarget]->dirty = true;
    Scheduler& scheduler = sim_->scheduler();
    scheduler.Spawn("flusher", [this] { Flush(); });
    scheduler.Spawn("write", [this] { Write(); });
    scheduler.Spawn("fault", [this] { Fault(); });
  }
  void Teardown() override {
    bio_.reset();
    for (auto& page : pages_) page.reset();
    device_.reset();
    reclaim_.reset();
  }

 private:
  enum : uint32_t { kOther, kTarget, kClean, kPages };

  // In ascending order; the bio goes when all pages are in it.
  void Flush() {
    bio_.emplace(*device_, sim_->scheduler().current());
    for (auto& page : pages_) {
      page->lock.Lock();
      if (page->dirty && !page->writeback.is_set()) bio_->Add(*page);
      page->lock.Unlock();
    }
    bio_->Submit();
  }

  void Write() {
    pages_[kTarget]->lock.Lock();
    Charge(lockdep::kGfpNoFs);
    pages_[kTarget]->dirty = true;
    pages_[kTarget]->lock.Unlock();
  }

  void Fault() {
    if (!allocates_late_) Charge(lockdep::kGfpKernel);
    pages_[kTarget]->lock.Lock();
    if (allocates_late_) Charge(lockdep::kGfpKernel);
    pages_[kTarget]->lock.Unlock();
  }

  // The group is at its limit: each charge reclaims a page of its list.
  void Charge(lockdep::Gfp gfp, lockdep::Site site = lockdep::Site::Here()) {
    lockdep::TaskContext& task = sim_->context();
    reclaim_->Alloc(task, gfp, site);
    if (gfp.fs) reclaim_->ReclaimBegin(task, site);
    for (auto& page : pages_) {
      if (Shrink(*page, gfp)) break;
    }
    if (gfp.fs) reclaim_->ReclaimEnd(task, site);
  }

  // True if it could be freed.
  bool Shrink(CachePage& page, lockdep::Gfp gfp) {
    if (!page.lock.TryLock()) return false;
    const bool under_writeback = page.writeback.is_set();
    const bool freed = !under_writeback && !page.dirty;
    page.lock.Unlock();
    if (under_writeback && (gfp.fs || waits_without_fs_)) page.writeback.WaitClear();
    return freed;
  }

  Simulation* sim_ = nullptr;
  bool waits_without_fs_ = false;
  bool allocates_late_ = false;
  std::optional<lockdep::FsReclaim> reclaim_;
  std::optional<BlockDevice> device_;
  std::optional<CachePage> pages_[kPages];
  std::optional<WriteBio> bio_;
};

}  // namespace

ScenarioEntry MemcgReclaimScenario() {
  ScenarioEntry entry;
  entry.name = "memcg-reclaim";
  entry.summary = "a write and a fault that allocate beside a flusher whose write-back is unsent";
  entry.bugs = {"B85", "B86"};
  entry.make = [] { return std::make_unique<MemcgReclaim>(); };
  return entry;
}

}  // namespace ordeal
