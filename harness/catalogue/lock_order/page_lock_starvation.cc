// B75: an unlock only wakes a waiter of the page lock, and who comes by takes it first. While a task locks and unlocks a page again
// and again, another one may find it taken whenever it is woken. The twin hands the lock over: nobody who comes later passes.
#include <optional>

#include "absl/strings/str_cat.h"
#include "harness/catalogue/lock_order/lock_order_scenarios.h"
#include "harness/sync/page_lock.h"

namespace ordeal {
namespace {

constexpr int kRounds = 40;
constexpr int kBypassesMax = 4;

class PageLockStarvation : public Scenario {
 public:
  void Setup(ScenarioRun& run) override {
    Simulation& sim = run.sim();
    const PageLockRules rules{.steals_max = run.HasBug("B75") ? kPageStealsUnbounded : 0};
    page_.emplace(sim, sim.Class("folio_lock"), "folio", 1, 0, rules);
    bypasses_ = 0;
    queued_ = served_ = false;
    const TaskId victim = sim.scheduler().Spawn("victim", [this] {
      page_->Lock();
      served_ = true;
      page_->Unlock();
    });
    sim.scheduler().Spawn("storm", [this, &sim, victim] { Storm(sim.scheduler(), victim); });
  }
  void Check(ScenarioRun& run) override {
    if (bypasses_ <= kBypassesMax) return;
    run.Report({.kind = FindingKind::kStarvation,
                .signature = "starvation: who comes later takes a page lock before its waiter",
                .summary = absl::StrCat("starvation: the page lock was taken ", bypasses_,
                                        " times by who came later than its waiter")});
  }
  void Teardown() override { page_.reset(); }

 private:
  void Storm(Scheduler& scheduler, TaskId victim) {
    for (int round = 0; round < kRounds; ++round) {
      const bool arrives_later = queued_ && !served_;
      page_->Lock();
      if (arrives_later && !served_) ++bypasses_;
      scheduler.Point(OperationKind::kWrite, page_->id());
      queued_ |= scheduler.blocked_on(victim) != nullptr;
      page_->Unlock();
    }
  }

  std::optional<PageLock> page_;
  int bypasses_ = 0;
  bool queued_ = false;  // the victim has been seen waiting
  bool served_ = false;
};

}  // namespace

ScenarioEntry PageLockStarvationScenario() {
  ScenarioEntry entry;
  entry.name = "page-lock-starvation";
  entry.summary = "one task locks a page again and again while another one waits for it";
  entry.bugs = {"B75"};
  entry.make = [] { return std::make_unique<PageLockStarvation>(); };
  return entry;
}

}  // namespace ordeal
