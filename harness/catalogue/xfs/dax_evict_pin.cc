// B82: the holder of a pin on a page of a file that nobody has open needs memory; reclaim evicts that file and waits for the pin.
// The holder waits for itself. Without the bug its allocation does not enter file systems; another task may reclaim and wait.
#include "harness/catalogue/xfs/dax_world.h"
#include "harness/catalogue/xfs/xfs_scenarios.h"

namespace ordeal {
namespace {

class DaxEvictPin : public DaxScenario {
 protected:
  void Spawn(ScenarioRun& run) override {
    gfp_ = run.HasBug("B82") ? lockdep::kGfpKernel : lockdep::kGfpNoFs;
    scheduler().Spawn("pin holder", [this] {
      DaxInode::Of(file(0)).Pin();
      world().Iput(file(0));  // closed; the pin stays
      Allocate(gfp_);
      DaxInode::Of(file(0)).Unpin();
    });
    scheduler().Spawn("reclaimer", [this] { Allocate(lockdep::kGfpKernel); });
  }

 private:
  lockdep::Gfp gfp_;
};

}  // namespace

ScenarioEntry DaxEvictPinScenario() {
  ScenarioEntry entry;
  entry.name = "dax-evict-pin";
  entry.summary = "the holder of a pinned page of a closed DAX file allocates memory";
  entry.filesystems = {"xfs-dax", "xfs-dax-proposed"};
  entry.bugs = {"B82"};
  entry.make = [] { return std::make_unique<DaxEvictPin>(); };
  return entry;
}

}  // namespace ordeal
