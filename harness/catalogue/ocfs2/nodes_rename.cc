// B59: a rename has the cluster locks of two directories. All nodes must take them in one order, that of the block numbers on disk;
// who orders them by something of the node's own (here: by how the node came to know them) meets the other node half-way.
#include <optional>
#include <utility>

#include "harness/catalogue/ocfs2/ocfs2_scenarios.h"
#include "harness/cluster/cluster_lock.h"

namespace ordeal {
namespace {

constexpr NodeId kNodes[] = {NodeId{1}, NodeId{2}};

class NodesRename : public Scenario {
 public:
  void Setup(ScenarioRun& run) override {
    Simulation& sim = run.sim();
    const auto lock_class = sim.Class("ocfs2_inode_lock", {.ordered_by_key = true, .kind = &lockdep::kDlmLock});
    local_order_ = run.HasBug("B59");
    cluster_.emplace(sim, ClusterOptions{.nodes = 2, .deaths_max = 0});
    dlm_.emplace(*cluster_);
    cluster_->Start();
    const auto directory = [&](uint32_t number) {
      return dlm_->NewResource(
          {.lock_class = lock_class, .name = "directory", .number = number, .order_key = number});
    };
    const ResourceId first = directory(1);
    const ResourceId second = directory(2);
    for (size_t i = 0; i < 2; ++i) {
      workers_[i].emplace(*dlm_, kNodes[i]);
      locks_[i][0].emplace(*workers_[i], first);
      locks_[i][1].emplace(*workers_[i], second);
    }
    cluster_->Spawn(kNodes[0], "rename out of 1", [this] { Rename(0, 0); });
    cluster_->Spawn(kNodes[1], "rename out of 2", [this] { Rename(1, 1); });
  }

  void Teardown() override {
    for (size_t i = 0; i < 2; ++i) {
      for (auto& lock : locks_[i]) lock.reset();
      workers_[i].reset();
    }
    dlm_.reset();
    cluster_.reset();
  }

 private:
  void Rename(size_t node, size_t from) {
    size_t low = from;
    size_t high = 1 - from;
    if (!local_order_ && low > high) std::swap(low, high);
    locks_[node][low]->Lock(lockdep::kDlmExclusive);
    locks_[node][high]->Lock(lockdep::kDlmExclusive);
    locks_[node][high]->Unlock(lockdep::kDlmExclusive);
    locks_[node][low]->Unlock(lockdep::kDlmExclusive);
    cluster_->scheduler().NoteProgress();
  }

  bool local_order_ = false;
  std::optional<Cluster> cluster_;
  std::optional<Dlm> dlm_;
  std::optional<DownconvertWorker> workers_[2];
  std::optional<ClusterLock> locks_[2][2];  // by node and directory
};

}  // namespace

ScenarioEntry NodesRenameScenario() {
  ScenarioEntry entry;
  entry.name = "nodes-rename";
  entry.summary = "two nodes rename between two directories, one each way";
  entry.bugs = {"B59"};
  entry.make = [] { return std::make_unique<NodesRename>(); };
  return entry;
}

}  // namespace ordeal
