// B76: the two-state lock is not fair. While readers overlap, so that somebody always has add, who wants block never gets it; every
// reader that arrives later passes it. The other side of the pair lets arrivals of both states pass a turnstile in order: nobody
// who comes when it waits is served before it.
#include <optional>

#include "absl/strings/str_cat.h"
#include "harness/catalogue/bcachefs/bcachefs_scenarios.h"
#include "harness/filesystems/bcachefs/pagecache_state_lock.h"

namespace ordeal {
namespace {

constexpr int kReaders = 3;
constexpr int kReadsEach = 12;
constexpr int kBypassesMax = 8;

class TwoStateStarvation : public Scenario {
 public:
  void Setup(ScenarioRun& run) override {
    Simulation& sim = run.sim();
    if (!classes_.has_value()) classes_ = PagecacheStateLockClasses::Register(sim);
    work_ = sim.scheduler().NewObject("read");
    bypasses_ = 0;
    blocked_ = false;
    lock_.emplace(sim, *classes_, 1, !run.HasBug("B76"));
    for (int reader = 0; reader < kReaders; ++reader) {
      sim.scheduler().Spawn("reader", [this, &sim] { Read(sim.scheduler()); });
    }
    sim.scheduler().Spawn("direct writer", [this] {
      lock_->Lock(TwoState::kBlock);
      blocked_ = true;
      lock_->Unlock(TwoState::kBlock);
    });
  }
  void Check(ScenarioRun& run) override {
    if (bypasses_ <= kBypassesMax) return;
    run.Report({.kind = FindingKind::kStarvation,
                .signature = "starvation: reads that arrive later pass who waits for block",
                .summary = absl::StrCat("starvation: ", bypasses_, " reads that arrived later passed who waits for block")});
  }
  void Teardown() override { lock_.reset(); }

 private:
  void Read(Scheduler& scheduler) {
    for (int read = 0; read < kReadsEach; ++read) {
      const bool arrives_later = lock_->has_waiters();
      lock_->Lock(TwoState::kAdd);
      if (arrives_later && !blocked_) ++bypasses_;
      scheduler.Point(OperationKind::kRead, work_);
      lock_->Unlock(TwoState::kAdd);
    }
  }

  std::optional<PagecacheStateLockClasses> classes_;
  std::optional<PagecacheStateLock> lock_;
  ObjectId work_ = kNoObject;
  int bypasses_ = 0;
  bool blocked_ = false;  // the writer has had its turn
};

}  // namespace

ScenarioEntry TwoStateStarvationScenario() {
  ScenarioEntry entry;
  entry.name = "two-state-starvation";
  entry.summary = "overlapping reads hold add of a mapping, a direct write wants to block it";
  entry.bugs = {"B76"};
  entry.make = [] { return std::make_unique<TwoStateStarvation>(); };
  return entry;
}

}  // namespace ordeal
