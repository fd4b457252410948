// B71: a read holds the inode lock shared and copies to a mapping of a stacked file (a loop device, an overlay), whose fault
// reads the same lower file: the lock shared, again. Readers do not pass a queued writer, so a writer in between stops both.
// Without the bug the buffer is faulted in before the lock is taken, and the copy under it does not fault.
#include <optional>

#include "harness/catalogue/lock_order/lock_order_scenarios.h"
#include "harness/sync/rw_semaphore.h"

namespace ordeal {
namespace {

class StackedRead : public Scenario {
 public:
  void Setup(ScenarioRun& run) override {
    Simulation& sim = run.sim();
    lower_.emplace(sim, sim.Class("i_rwsem"), "i_rwsem of lower inode");
    mmap_lock_.emplace(sim, sim.Class("mmap_lock"), "mmap_lock");
    faults_under_lock_ = run.HasBug("B71");
    sim.scheduler().Spawn("reader", [this] { Read(); });
    sim.scheduler().Spawn("writer", [this] {
      lower_->LockExclusive();
      lower_->UnlockExclusive();
    });
  }

  void Teardown() override {
    mmap_lock_.reset();
    lower_.reset();
  }

 private:
  void Read() {
    if (!faults_under_lock_) FaultOnStackedFile();
    lower_->LockShared();
    if (faults_under_lock_) FaultOnStackedFile();
    lower_->UnlockShared();
  }

  void FaultOnStackedFile() {
    mmap_lock_->LockShared();
    lower_->LockShared();
    lower_->UnlockShared();
    mmap_lock_->UnlockShared();
  }

  bool faults_under_lock_ = false;
  std::optional<RwSemaphore> lower_;
  std::optional<RwSemaphore> mmap_lock_;
};

}  // namespace

ScenarioEntry StackedReadScenario() {
  ScenarioEntry entry;
  entry.name = "stacked-read";
  entry.summary = "a read into a mapping of a stacked file that lies on the file that is read, against a writer";
  entry.bugs = {"B71"};
  entry.make = [] { return std::make_unique<StackedRead>(); };
  return entry;
}

}  // namespace ordeal
