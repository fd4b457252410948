#include "harness/catalogue/basics/basics_scenarios.h"

namespace ordeal {

void AddBasicsScenarios(Registry& registry) {
  registry.Add(MutexCounterScenario());
  registry.Add(DiningPhilosophersScenario());
  registry.Add(OperationsMixScenario());
  registry.Add(ClusterMixScenario());
  registry.Add(FallocateMixScenario());
  registry.Add(CloneMixScenario());
  registry.Add(AsyncMixScenario());
  registry.Add(MappingMixScenario());
}

}  // namespace ordeal
