// What the DAX scenarios share: a world with one or two DAX files, and direct reclaim that evicts inodes.
//
// Thread-safety: tasks of one simulation.
// Example:
//   class Mine : public DaxScenario { void Spawn(ScenarioRun& run) override { ... Allocate(lockdep::kGfpKernel); } };
#ifndef ORDEAL_HARNESS_CATALOGUE_XFS_DAX_WORLD_H_
#define ORDEAL_HARNESS_CATALOGUE_XFS_DAX_WORLD_H_

#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "harness/filesystems/dax/dax.h"
#include "harness/scenario/scenario.h"
#include "lockdep/runtime/reclaim.h"

namespace ordeal {

class DaxScenario : public Scenario {
 public:
  void Setup(ScenarioRun& run) final {
    if (world_ == nullptr) {
      fs_ = run.spec().filesystem_type.make(run.spec().bugs);
      world_ = std::make_unique<pagecache::World>(run.sim(), *fs_);
    }
    reclaim_.emplace(run.sim().validator());
    world_->BeginRun();
    for (pagecache::Inode*& file : files_) {
      file = &world_->CreateFile({});
      DaxInode::Of(*file).is_dax = true;
    }
    Spawn(run);
  }
  void Check(ScenarioRun& run) override {
    for (const pagecache::InvariantViolation& violation : world_->noted()) {
      run.Report({FindingKind::kInvariant, absl::StrCat("invariant: ", violation.id), violation.rule, violation.message, {}});
    }
  }
  void Teardown() final { world_->EndRun(); }

 protected:
  virtual void Spawn(ScenarioRun& run) = 0;

  // Memory is short: an allocation that may enter file systems evicts what nobody refers to, by itself.
  void Allocate(lockdep::Gfp gfp, lockdep::Site site = lockdep::Site::Here()) {
    lockdep::TaskContext& task = world_->sim().context();
    reclaim_->Alloc(task, gfp, site);
    if (!gfp.fs) return;
    reclaim_->ReclaimBegin(task, site);
    world_->EvictUnused();
    reclaim_->ReclaimEnd(task, site);
  }
  Scheduler& scheduler() { return world_->scheduler(); }
  pagecache::World& world() { return *world_; }
  pagecache::Inode& file(int i) { return *files_[i]; }

 private:
  std::unique_ptr<pagecache::FileSystem> fs_;
  std::unique_ptr<pagecache::World> world_;
  std::optional<lockdep::FsReclaim> reclaim_;
  pagecache::Inode* files_[2] = {};
};

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_CATALOGUE_XFS_DAX_WORLD_H_
