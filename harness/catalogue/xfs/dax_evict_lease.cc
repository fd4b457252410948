// B83: an nfsd thread needs memory; reclaim evicts an inode with a layout lease and waits for its client to return it. The return
// is a request that the same thread would serve. (A lease holds a reference to an open file, so that an evicted inode cannot have
// one in the kernels of the time; the objection was that nothing but this kept the deadlock away.)
#include "harness/catalogue/xfs/dax_world.h"
#include "harness/catalogue/xfs/xfs_scenarios.h"
#include "harness/sync/wait_queue.h"

namespace ordeal {
namespace {

class DaxEvictLease : public DaxScenario {
 protected:
  void Spawn(ScenarioRun& run) override {
    Simulation& sim = run.sim();
    requested_ = answered_ = false;
    answer_.emplace(sim, sim.Class("nfs_answer", {.is_event = true}), "answer of nfsd");
    const TaskId client = scheduler().Spawn("client", [this] { ReturnWhenRecalled(); }, TaskKind::kDaemon);
    DaxInode::Of(file(0)).GrantLease(client);
    world().Iput(file(0));
    const TaskId nfsd = scheduler().Spawn("nfsd", [this] {
      Allocate(lockdep::kGfpKernel);
      Serve();
    });
    answer_->set_trigger(nfsd);
  }

 private:
  void ReturnWhenRecalled() {
    DaxInode::Of(file(0)).WaitForRecall();
    requested_ = true;
    answer_->WaitUntil([this] { return answered_; });
    DaxInode::Of(file(0)).ReturnLease();
  }
  void Serve() {
    if (!requested_) return;
    answered_ = true;
    answer_->WakeAll();
  }

  bool requested_ = false;
  bool answered_ = false;
  std::optional<WaitQueue> answer_;
};

}  // namespace

ScenarioEntry DaxEvictLeaseScenario() {
  ScenarioEntry entry;
  entry.name = "dax-evict-lease";
  entry.summary = "an nfsd thread reclaims an inode whose lease only it can take back";
  entry.filesystems = {"xfs-dax", "xfs-dax-proposed"};
  entry.bugs = {"B83"};
  entry.holes = {{"B83", "xfs-dax-proposed", "xfs-dax", ""}};
  entry.make = [] { return std::make_unique<DaxEvictLease>(); };
  return entry;
}

}  // namespace ordeal
