// B68: a subclass says "this second lock of the class is fine". One path locks two inodes by number, another one parent before
// child, both with subclass 0 and then 4; for a parent with the higher number that is the inverse order. The graph of classes has
// one edge, i_rwsem > i_rwsem/4, and no cycle; the tasks deadlock all the same. It shows what a class oracle cannot see.
#include <optional>

#include "harness/catalogue/lock_order/lock_order_scenarios.h"
#include "harness/sync/rw_semaphore.h"

namespace ordeal {
namespace {

constexpr int kNondirectory2 = 4;  // I_MUTEX_NONDIR2

class SubclassHidesOrder : public Scenario {
 public:
  void Setup(ScenarioRun& run) override {
    Simulation& sim = run.sim();
    inode_class_ = sim.Class("i_rwsem");
    low_.emplace(sim, inode_class_, "i_rwsem of inode", 1);
    high_.emplace(sim, inode_class_, "i_rwsem of inode", 2);
    parent_first_ = run.HasBug("B68");
    sim.scheduler().Spawn("swap extents", [this] { LockBoth(*low_, *high_); });
    sim.scheduler().Spawn("rename", [this] {  // the parent is the inode with the high number
      parent_first_ ? LockBoth(*high_, *low_) : LockBoth(*low_, *high_);
    });
  }

  void Teardown() override {
    high_.reset();
    low_.reset();
  }

 private:
  static void LockBoth(RwSemaphore& first, RwSemaphore& second) {
    first.LockExclusive();
    second.LockExclusive(kNondirectory2);
    second.UnlockExclusive();
    first.UnlockExclusive();
  }

  bool parent_first_ = false;
  lockdep::LockClassId inode_class_{};
  std::optional<RwSemaphore> low_;
  std::optional<RwSemaphore> high_;
};

}  // namespace

ScenarioEntry SubclassHidesOrderScenario() {
  ScenarioEntry entry;
  entry.name = "subclass-hides-order";
  entry.summary = "two inodes of one class, locked by number and by place in the tree, both with subclass annotations";
  entry.bugs = {"B68"};
  entry.make = [] { return std::make_unique<SubclassHidesOrder>(); };
  return entry;
}

}  // namespace ordeal
