// B19: asynchronous direct writes with O_DSYNC. The completion runs in a worker; with the bug it syncs, for which it takes the
// I/O lock, before it lowers the count of direct I/O in flight. A truncate holds the I/O lock and waits for the count to drain.
//
// The completions have a pool with a rescuer, as the kernel's have: a completion that waits for the I/O lock in its sync is
// not in the way of another that has yet to lower the count.
#include <array>
#include <memory>
#include <optional>

#include "harness/catalogue/direct_io/direct_io_scenarios.h"
#include "harness/sync/rw_semaphore.h"
#include "harness/sync/wait_queue.h"
#include "harness/sync/work_queue.h"

namespace ordeal {
namespace {

constexpr uint32_t kWrites = 2;

class DioSyncBeforeDioEnd : public Scenario {
 public:
  void Setup(ScenarioRun& run) override {
    Simulation& sim = run.sim();
    if (!prepared_) Prepare(run);
    io_lock_.emplace(sim, io_lock_class_, "i_rwsem");
    in_flight_.emplace(sim, dio_class_, "direct I/O");
    completions_ = std::make_unique<WorkQueue>(sim, slot_class_, WorkQueueOptions{1, true}, "direct I/O completions");
    for (uint32_t i = 0; i < kWrites; ++i) {
      completion_[i].emplace(sim, completion_class_, [this] { Complete(); }, "completion", i + 1);
    }
    for (uint32_t i = 0; i < kWrites; ++i) {
      sim.scheduler().Spawn("direct writer", [this, i] { Write(*completion_[i]); });
    }
    sim.scheduler().Spawn("truncate", [this] { Truncate(); });
  }

  void Teardown() override {
    completions_.reset();
    for (auto& completion : completion_) completion.reset();
    in_flight_.reset();
    io_lock_.reset();
  }

 private:
  void Prepare(ScenarioRun& run) {
    Simulation& sim = run.sim();
    io_lock_class_ = sim.Class("i_rwsem");
    dio_class_ = sim.Class("inode_dio", {.is_event = true});
    slot_class_ = sim.Class("dio completion slot");
    completion_class_ = sim.Class("dio completion", {.is_event = true});
    sync_first_ = run.HasBug("B19");
    prepared_ = true;
  }

  // Returns when the write is submitted. The device is left out: it queues the completion at once.
  void Write(WorkItem& completion) {
    io_lock_->LockShared();
    in_flight_->Begin();
    completions_->Queue(completion);
    io_lock_->UnlockShared();
  }

  void Complete() {
    in_flight_->TakeOver();
    if (sync_first_) Sync();
    in_flight_->End();
    if (!sync_first_) Sync();
  }

  void Sync() {
    io_lock_->LockExclusive();
    io_lock_->UnlockExclusive();
  }

  void Truncate() {
    io_lock_->LockExclusive();
    in_flight_->WaitZero();
    io_lock_->UnlockExclusive();
  }

  bool prepared_ = false;
  bool sync_first_ = false;
  lockdep::LockClassId io_lock_class_{}, dio_class_{}, slot_class_{}, completion_class_{};
  std::optional<RwSemaphore> io_lock_;
  std::optional<CounterDrain> in_flight_;
  std::unique_ptr<WorkQueue> completions_;
  std::array<std::optional<WorkItem>, kWrites> completion_;
};

}  // namespace

ScenarioEntry DioSyncBeforeDioEndScenario() {
  ScenarioEntry entry;
  entry.name = "dio-sync-before-dio-end";
  entry.summary = "completions of two O_DSYNC direct writes, which sync, against a truncate that drains them";
  entry.bugs = {"B19"};
  entry.make = [] { return std::make_unique<DioSyncBeforeDioEnd>(); };
  return entry;
}

}  // namespace ordeal
