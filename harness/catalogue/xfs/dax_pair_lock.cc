// B69: the pair lock of two DAX files finds a page of the second one pinned, lets go of both locks and begins again at once: as
// long as the pin lasts it burns the CPU, and on one CPU with a real-time caller the pin lasts for ever.
#include "harness/catalogue/xfs/dax_world.h"
#include "harness/catalogue/xfs/xfs_scenarios.h"

namespace ordeal {
namespace {

constexpr int64_t kPinNs = 20'000 * kStepNs;  // a device's transfer

class DaxPairLock : public DaxScenario {
 protected:
  void Spawn(ScenarioRun&) override {
    scheduler().Spawn("dedupe", [this] {
      world().fs().TwoInodesEnter(world(), file(0), file(1));
      world().fs().TwoInodesExit(world(), file(0), file(1));
    });
    scheduler().Spawn("pin holder", [this] {
      DaxInode::Of(file(1)).Pin();
      scheduler().Sleep(kPinNs);
      DaxInode::Of(file(1)).Unpin();
    });
  }
};

}  // namespace

ScenarioEntry DaxPairLockScenario() {
  ScenarioEntry entry;
  entry.name = "dax-pair-lock";
  entry.summary = "two DAX files are locked together while a page of the second one is pinned";
  entry.filesystems = {"xfs-dax"};
  entry.bugs = {"B69"};
  entry.make = [] { return std::make_unique<DaxPairLock>(); };
  return entry;
}

}  // namespace ordeal
