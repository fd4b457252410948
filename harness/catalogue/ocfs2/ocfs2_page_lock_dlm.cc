// B46: a cluster lock that protects the pages of a file on two nodes. Node 1 reads; node 2 wants to write, so node 1's worker
// gives the lock down: it waits until no local user has it, drops the pages under their locks, and only then are new local
// users let in. With the bug a reader locks the page first and the cluster lock under it: let in only when the worker has
// finished, it holds the page lock that the worker needs.
// Source: the first OCFS2 model of protocols 2.8 (V9); without the bug the order of 2.9 (V10), cluster lock before page lock.
#include <optional>

#include "harness/catalogue/ocfs2/ocfs2_scenarios.h"
#include "harness/sync/page_lock.h"
#include "harness/sync/wait_queue.h"

namespace ordeal {
namespace {

constexpr int kReads = 2;

struct ClusterClasses {
  lockdep::LockClassId unblocked{};  // event: the worker has given the lock down
  lockdep::LockClassId drained{};    // event: no local user has it
};

// Node 1's end of the cluster lock.
class ClusterLock {
 public:
  ClusterLock(Simulation& sim, const ClusterClasses& classes)
      : scheduler_(sim.scheduler()),
        id_(scheduler_.NewObject("cluster lock")),
        unblocked_(sim, classes.unblocked, "cluster lock unblocked"),
        drained_(sim, classes.drained, "local users of the cluster lock") {}

  // Each local user owes that it goes.
  void Lock() {
    unblocked_.WaitUntil([this] { return !blocked_; });
    drained_.Begin();
    drained_.TakeOver();
  }
  void Unlock() { drained_.End(); }

  // A message of node 2, which is granted the lock when this returns.
  void Revoke() {
    scheduler_.Point(OperationKind::kWrite, id_);
    blocked_ = true;
    unblocked_.Arm();
    if (idle_worker_ != kNoTask) scheduler_.Wake(idle_worker_);
    unblocked_.WaitUntil([this] { return !blocked_; });
  }

  template <typename DropPages>
  void GiveDown(DropPages drop_pages) {
    unblocked_.set_trigger(scheduler_.current());
    for (;;) {
      while (!blocked_) {
        idle_worker_ = scheduler_.current();
        scheduler_.Block({.kind = OperationKind::kWait, .object = id_});
      }
      idle_worker_ = kNoTask;
      unblocked_.Owe();
      drained_.WaitZero();
      drop_pages();
      blocked_ = false;
      unblocked_.WakeAll();
    }
  }

 private:
  Scheduler& scheduler_;
  ObjectId id_;
  bool blocked_ = false;
  TaskId idle_worker_ = kNoTask;
  WaitQueue unblocked_;
  CounterDrain drained_;
};

class Ocfs2PageLockDlm : public Scenario {
 public:
  void Setup(ScenarioRun& run) override {
    Simulation& sim = run.sim();
    if (!prepared_) Prepare(run);
    page_.emplace(sim, page_class_, "page");
    cluster_.emplace(sim, classes_);
    sim.scheduler().Spawn("node 1 downconvert", [this] { cluster_->GiveDown([this] { DropPage(); }); }, TaskKind::kDaemon);
    sim.scheduler().Spawn("node 1 reader", [this] {
      for (int i = 0; i < kReads; ++i) Read();
    });
    sim.scheduler().Spawn("node 2 writer", [this] { cluster_->Revoke(); });
  }

  void Teardown() override {
    cluster_.reset();
    page_.reset();
  }

 private:
  void Prepare(ScenarioRun& run) {
    Simulation& sim = run.sim();
    page_class_ = sim.Class("page_lock");
    classes_.unblocked = sim.Class("dlm_unblocked", {.is_event = true});
    classes_.drained = sim.Class("dlm_users", {.is_event = true});
    page_first_ = run.HasBug("B46");
    prepared_ = true;
  }

  void Read() {
    if (page_first_) {
      page_->Lock();
      cluster_->Lock();
      cluster_->Unlock();
      page_->Unlock();
    } else {
      cluster_->Lock();
      page_->Lock();
      page_->Unlock();
      cluster_->Unlock();
    }
  }

  void DropPage() {
    page_->Lock();
    page_->Unlock();
  }

  bool prepared_ = false;
  bool page_first_ = false;
  lockdep::LockClassId page_class_{};
  ClusterClasses classes_;
  std::optional<PageLock> page_;
  std::optional<ClusterLock> cluster_;
};

}  // namespace

ScenarioEntry Ocfs2PageLockDlmScenario() {
  ScenarioEntry entry;
  entry.name = "ocfs2-page-lock-dlm";
  entry.summary = "a reader on one node against a writer on another, under one cluster lock";
  entry.bugs = {"B46"};
  entry.make = [] { return std::make_unique<Ocfs2PageLockDlm>(); };
  return entry;
}

}  // namespace ordeal
