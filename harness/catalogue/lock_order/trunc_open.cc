// B78: an open with O_TRUNC keeps new write requests back (FUSE_NOWRITE) until those under way are done, and drops the pages.
// A page being written waits, locked, for its request to be let through. Whoever drops pages before it lets requests through
// again waits for that page for ever. Source: 2fdbb8dd0155, 76224355db75.
#include <optional>

#include "harness/catalogue/lock_order/lock_order_scenarios.h"
#include "harness/sync/page_lock.h"
#include "harness/sync/rw_semaphore.h"
#include "harness/sync/wait_queue.h"

namespace ordeal {
namespace {

class TruncOpen : public Scenario {
 public:
  void Setup(ScenarioRun& run) override {
    Simulation& sim = run.sim();
    inode_lock_.emplace(sim, sim.Class("i_rwsem"), "i_rwsem of inode");
    page_.emplace(sim, sim.Class("page_lock"), "page");
    writes_allowed_.emplace(sim, sim.Class("fuse_writes_allowed", {.is_event = true}), "writes allowed");
    in_flight_.emplace(sim, sim.Class("fuse_writes_done", {.is_event = true}), "writes in flight");
    drops_blocked_ = run.HasBug("B78");
    blocked_ = false;
    sim.scheduler().Spawn("open O_TRUNC", [this] { OpenTruncating(); });
    sim.scheduler().Spawn("flusher", [this] {
      for (int i = 0; i < 2; ++i) WritePage();
    });
  }

  void Teardown() override {
    in_flight_.reset();
    writes_allowed_.reset();
    page_.reset();
    inode_lock_.reset();
  }

 private:
  void OpenTruncating() {
    inode_lock_->LockExclusive();
    blocked_ = true;
    writes_allowed_->Arm();
    writes_allowed_->Owe();
    writes_allowed_->set_trigger(inode_lock_->writer());
    in_flight_->WaitZero();
    if (drops_blocked_) DropPage();
    blocked_ = false;
    writes_allowed_->WakeAll();
    if (!drops_blocked_) DropPage();
    inode_lock_->UnlockExclusive();
  }

  void DropPage() {
    page_->Lock();
    page_->Unlock();
  }

  void WritePage() {
    page_->Lock();
    writes_allowed_->WaitUntil([this] { return !blocked_; });
    in_flight_->Begin();
    in_flight_->End();
    page_->Unlock();
  }

  bool drops_blocked_ = false;
  bool blocked_ = false;
  std::optional<RwSemaphore> inode_lock_;
  std::optional<PageLock> page_;
  std::optional<WaitQueue> writes_allowed_;
  std::optional<CounterDrain> in_flight_;
};

}  // namespace

ScenarioEntry TruncOpenScenario() {
  ScenarioEntry entry;
  entry.name = "trunc-open";
  entry.summary = "an O_TRUNC open of a FUSE file that blocks write requests, against write-back of a page";
  entry.bugs = {"B78"};
  entry.make = [] { return std::make_unique<TruncOpen>(); };
  return entry;
}

}  // namespace ordeal
