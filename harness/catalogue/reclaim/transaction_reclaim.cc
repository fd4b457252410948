// Eviction in reclaim starts a transaction. A commit keeps new transactions out and waits for the open ones to end.
//   B90  a task allocates with a transaction open, reclaim evicts: the second one waits for the commit, that for the first;
//   B84  readahead allocates its next page with those before it locked and not yet submitted; a transaction wants one of them.
// The repair of both is a scope in which allocations do not enter file systems: kswapd drops clean pages for them.
// Source: protocols 1.4.4, 1.4.13, 1.2 (TX > PG: file systems that lock pages inside of a transaction).
#include <memory>
#include <optional>

#include "harness/catalogue/reclaim/reclaim_scenarios.h"
#include "harness/catalogue/reclaim/reclaim_world.h"
#include "harness/sync/rw_semaphore.h"

namespace ordeal {
namespace {

constexpr int kCleanPages = 8;

class TransactionReclaim : public Scenario {
 public:
  void Setup(ScenarioRun& run) override {
    sim_ = &run.sim();
    readahead_enters_fs_ = run.HasBug("B84");
    transaction_enters_fs_ = run.HasBug("B90");
    cached_ = false;
    device_.emplace(*sim_);
    // Shared: an open transaction. Exclusive: a commit, behind which new ones queue.
    transaction_.emplace(*sim_, sim_->Class("transaction"), "transaction");
    memory_.emplace(*sim_, 1, kCleanPages, [this](lockdep::Gfp gfp) {
      if (gfp.fs) Evict();
    });
    for (uint32_t i = 0; i < kPages; ++i) pages_[i].emplace(*sim_, i);
    Scheduler& scheduler = sim_->scheduler();
    scheduler.Spawn("readahead", [this] { Readahead(); });
    scheduler.Spawn("write-back", [this] { Change(); });
    scheduler.Spawn("commit", [this] {
      transaction_->LockExclusive();
      transaction_->UnlockExclusive();
    });
    scheduler.Spawn("reclaimer", [this] { memory_->Allocate(lockdep::kGfpKernel); });
  }
  void Teardown() override {
    for (auto& page : pages_) page.reset();
    memory_.reset();
    transaction_.reset();
    device_.reset();
  }

 private:
  enum : uint32_t { kFirst, kSecond, kPages };

  void Readahead() {
    read_ = PluggedRequest(sim_->scheduler().current());
    {
      std::optional<lockdep::AllocationScope> nofs;
      if (!readahead_enters_fs_) nofs.emplace(sim_->context(), lockdep::FsReclaim::kNoFs);
      for (auto& page : pages_) {
        memory_->Allocate(lockdep::kGfpKernel);
        page->lock.LockNew();
        cached_ = true;
      }
    }
    for (auto& page : pages_) page->lock.HandOverToIo(&read_);
    read_.Submit();
    device_->Submit([this] {
      for (auto& page : pages_) {
        page->lock.TakeOverFromIo();
        page->lock.UnlockFromIo();
      }
    });
  }

  void Change() {
    transaction_->LockShared();
    if (cached_) {
      pages_[kFirst]->lock.Lock();
      pages_[kFirst]->lock.Unlock();
    }
    {
      std::optional<lockdep::AllocationScope> nofs;
      if (!transaction_enters_fs_) nofs.emplace(sim_->context(), lockdep::FsReclaim::kNoFs);
      memory_->Allocate(lockdep::kGfpKernel);
    }
    transaction_->UnlockShared();
  }

  void Evict() {
    transaction_->LockShared();
    transaction_->UnlockShared();
    memory_->Free();
  }

  Simulation* sim_ = nullptr;
  bool readahead_enters_fs_ = false;
  bool transaction_enters_fs_ = false;
  bool cached_ = false;
  PluggedRequest read_;
  std::optional<BlockDevice> device_;
  std::optional<RwSemaphore> transaction_;
  std::optional<MemoryPool> memory_;
  std::optional<CachePage> pages_[kPages];
};

}  // namespace

ScenarioEntry TransactionReclaimScenario() {
  ScenarioEntry entry;
  entry.name = "transaction-reclaim";
  entry.summary = "readahead and a transaction that allocate, reclaim that evicts, and a commit";
  entry.bugs = {"B84", "B90"};
  entry.make = [] { return std::make_unique<TransactionReclaim>(); };
  return entry;
}

}  // namespace ordeal
