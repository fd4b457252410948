#include "harness/catalogue/bcachefs/bcachefs_scenarios.h"

namespace ordeal {

void AddBcachefsScenarios(Registry& registry) {
  registry.Add(DirectWriteRingScenario());
  registry.Add(DirectWriteOwnMappingScenario());
  registry.Add(DirectWriteLosesBlockScenario());
  registry.Add(DirectWriteRetriesScenario());
  registry.Add(ReadaheadVsFallocateScenario());
  registry.Add(BlockThenMmapLockScenario());
  registry.Add(FaultRetakesBlockScenario());
  registry.Add(RemapVsReadIntoMappingScenario());
  registry.Add(NestedAddVsDirectWriteScenario());
  registry.Add(TwoStateStarvationScenario());
  registry.Add(SixLockBtreeScenario());
}

}  // namespace ordeal
