// B81: readdir holds the directory's IOLOCK shared and allocates; direct reclaim evicts an inode. If eviction takes an IOLOCK, the
// classes have the order IOLOCK > fs_reclaim > IOLOCK, which the validator reports whichever inode it was. That the evicted inode
// has no other users keeps the tasks from really waiting for each other; a creator that holds the directory's IOLOCK while it
// waits for the end of the eviction is there to try. Source: the mail of 2022-09-19; protocols 2.12 O1.
#include "harness/catalogue/xfs/dax_world.h"
#include "harness/catalogue/xfs/xfs_scenarios.h"
#include "harness/filesystems/xfs/xfs_ilock.h"

namespace ordeal {
namespace {

using pagecache::InodeState;

class DaxEvictReaddir : public DaxScenario {
 protected:
  void Spawn(ScenarioRun&) override {
    world().Iput(file(0));
    world().Iput(file(1));
    for (const char* name : {"readdir", "another readdir"}) {
      scheduler().Spawn(name, [this] {
        XfsIlock(world().root(), kXfsIolockShared);
        Allocate(lockdep::kGfpKernel);
        XfsIunlock(world().root(), kXfsIolockShared);
      });
    }
    scheduler().Spawn("create", [this] {
      XfsIlock(world().root(), kXfsIolockExcl);
      if (file(0).state == InodeState::kFreeing) {
        file(0).freeing.WaitUntil([this] { return file(0).state == InodeState::kFreed; });
      }
      XfsIunlock(world().root(), kXfsIolockExcl);
    });
    scheduler().Spawn("lookup without lock", [this] {
      if (file(1).state == InodeState::kFreeing) {
        file(1).freeing.WaitUntil([this] { return file(1).state == InodeState::kFreed; });
      }
    });
  }
};

}  // namespace

ScenarioEntry DaxEvictReaddirScenario() {
  ScenarioEntry entry;
  entry.name = "dax-evict-readdir";
  entry.summary = "readdir allocates with the directory locked, and reclaim evicts inodes";
  entry.filesystems = {"xfs-dax", "xfs-dax-proposed"};
  entry.bugs = {"B81"};
  entry.holes = {{"B81", "xfs-dax-proposed", "xfs-dax", ""}};
  entry.make = [] { return std::make_unique<DaxEvictReaddir>(); };
  return entry;
}

}  // namespace ordeal
