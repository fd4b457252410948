// B72: a rename locks inode a, which is the oldest of the AIL, and waits for b. Whoever has b rolls its transaction and waits for
// log space. Space comes when xfsaild has written a, for which it needs a's lock. With the bug the rename sleeps for b; without
// it, it sees that a is in the AIL, only tries, and begins again without a.
// Source: xfs_lock_inodes; protocols 2.4.3.
#include <memory>
#include <optional>

#include "harness/catalogue/xfs/xfs_scenarios.h"
#include "harness/filesystems/xfs/xfs_ilock.h"
#include "harness/filesystems/xfs/xfs_log.h"
#include "harness/pagecache/page_cache.h"

namespace ordeal {
namespace {

using pagecache::Inode;

constexpr int kLogUnits = 3;  // a's, and one for each transaction: to roll, one more is needed

class LogSpace : public Scenario {
 public:
  void Setup(ScenarioRun& run) override {
    Simulation& sim = run.sim();
    if (world_ == nullptr) {
      fs_ = run.spec().filesystem_type.make(run.spec().bugs);
      world_ = std::make_unique<pagecache::World>(sim, *fs_);
      sleeps_ = run.HasBug("B72");
    }
    world_->BeginRun();
    inodes_[0] = &world_->CreateFile({});
    inodes_[1] = &world_->CreateFile({});
    log_.emplace(sim, kLogUnits);
    Scheduler& scheduler = sim.scheduler();
    scheduler.Spawn("xfsaild", [this] { log_->RunAild(); }, TaskKind::kDaemon);
    log_->Reserve();
    log_->Commit(*inodes_[0]);
    scheduler.Spawn("rename", [this] { Rename(); });
    scheduler.Spawn("truncate", [this] { RollOn(*inodes_[1]); });
  }

  void Teardown() override {
    log_.reset();
    world_->EndRun();
  }

 private:
  void Rename() {
    log_->Reserve();
    XfsLockInodes(world_->scheduler(), inodes_, kXfsIlockExcl,
                  [this](const Inode& inode) { return !sleeps_ && log_->InAil(inode); });
    log_->Commit(*inodes_[1]);
    XfsUnlockInodes(inodes_, kXfsIlockExcl);
  }

  void RollOn(Inode& inode) {
    log_->Reserve();
    XfsIlock(inode, kXfsIlockExcl);
    log_->Commit(inode);
    log_->Reserve();
    log_->Commit(inode);
    XfsIunlock(inode, kXfsIlockExcl);
  }

  bool sleeps_ = false;
  std::unique_ptr<pagecache::FileSystem> fs_;
  std::unique_ptr<pagecache::World> world_;
  Inode* inodes_[2] = {};
  std::optional<XfsLog> log_;
};

}  // namespace

ScenarioEntry LogSpaceScenario() {
  ScenarioEntry entry;
  entry.name = "xfs-log-space";
  entry.summary = "a rename that locks two inodes, a transaction that waits for log space with one of them, and xfsaild";
  entry.filesystems = {"xfs"};
  entry.bugs = {"B72"};
  entry.make = [] { return std::make_unique<LogSpace>(); };
  return entry;
}

}  // namespace ordeal
