// B92: reclaim takes unused inodes off the list of all, marks them I_FREEING and evicts them one after another. Evicting one looks
// up its attribute inode. If that is further down in the same list, the task waits for itself to free it. Without the bug an inode
// refers to its attribute inode as long as it is in memory, so that reclaim never takes both.
// Source: protocols 1.4.13.
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "harness/catalogue/reclaim/reclaim_scenarios.h"
#include "harness/sync/wait_queue.h"

namespace ordeal {
namespace {

// An inode number, and what is in memory of it.
struct CachedInode {
  CachedInode(Simulation& sim, uint32_t number)
      : freed(sim, sim.Class("inode_freeing", {.is_event = true}), "I_FREEING of inode", number),
        id(sim.scheduler().NewObject("inode", number)) {}
  WaitQueue freed;
  ObjectId id;
  bool in_memory = true;
  bool freeing = false;
  int references = 0;
};

class DisposeList : public Scenario {
 public:
  void Setup(ScenarioRun& run) override {
    sim_ = &run.sim();
    pins_attribute_ = !run.HasBug("B92");
    file_.emplace(*sim_, 1);
    attribute_.emplace(*sim_, 2);
    if (pins_attribute_) ++attribute_->references;
    Scheduler& scheduler = sim_->scheduler();
    scheduler.Spawn("kswapd", [this] { Reclaim(); });
    scheduler.Spawn("reclaimer", [this] { Reclaim(); });
    scheduler.Spawn("stat", [this] {
      const bool read = Get(*file_);
      if (read && pins_attribute_) Get(*attribute_);  // dropped by the eviction
      Put(*file_);
    });
    scheduler.Spawn("getxattr", [this] {
      Get(*attribute_);
      Put(*attribute_);
    });
  }
  void Teardown() override {
    attribute_.reset();
    file_.reset();
  }

 private:
  // True if it had to be read.
  bool Get(CachedInode& inode) {
    inode.freed.WaitUntil([&inode] { return !inode.freeing; });
    ++inode.references;
    return !std::exchange(inode.in_memory, true);
  }
  void Put(CachedInode& inode) {
    sim_->scheduler().Point(OperationKind::kWrite, inode.id);
    --inode.references;
  }

  void Reclaim() {
    Scheduler& scheduler = sim_->scheduler();
    std::vector<CachedInode*> dispose;
    for (CachedInode* inode : {&*file_, &*attribute_}) {
      scheduler.Point(OperationKind::kWrite, inode->id);
      if (!inode->in_memory || inode->freeing || inode->references > 0) continue;
      inode->freeing = true;
      inode->freed.set_trigger(scheduler.current());
      inode->freed.Arm();
      dispose.push_back(inode);
    }
    for (CachedInode* inode : dispose) Evict(*inode);
  }

  // The attribute inode loses a link that the file has to it.
  void Evict(CachedInode& inode) {
    if (&inode == &*file_) {
      const bool read = Get(*attribute_);
      Put(*attribute_);
      if (pins_attribute_ && !read) Put(*attribute_);
    }
    inode.in_memory = false;
    inode.freeing = false;
    inode.freed.set_trigger(kNoTask);
    inode.freed.WakeAll();
  }

  Simulation* sim_ = nullptr;
  bool pins_attribute_ = true;
  std::optional<CachedInode> file_;
  std::optional<CachedInode> attribute_;
};

}  // namespace

ScenarioEntry DisposeListScenario() {
  ScenarioEntry entry;
  entry.name = "dispose-list";
  entry.summary = "two reclaimers evict a file and its attribute inode, which others look up";
  entry.bugs = {"B92"};
  entry.make = [] { return std::make_unique<DisposeList>(); };
  return entry;
}

}  // namespace ordeal
