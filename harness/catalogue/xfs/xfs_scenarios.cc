#include "harness/catalogue/xfs/xfs_scenarios.h"

namespace ordeal {

void AddXfsScenarios(Registry& registry) {
  registry.Add(LogSpaceScenario());
  registry.Add(DaxEvictReaddirScenario());
  registry.Add(DaxEvictPinScenario());
  registry.Add(DaxEvictLeaseScenario());
  registry.Add(DaxPairLockScenario());
  registry.Add(DaxEntryLockScenario());
}

}  // namespace ordeal
