#include "harness/catalogue/basics/basics_scenarios.h"

namespace ordeal {

void AddBasicsScenarios(Registry& registry) {
  registry.Add(MutexCounterScenario());
  registry.Add(DiningPhilosophersScenario());
  registry.Add(OperationsMixScenario());
  registry.Add(ClusterMixScenario());
  registry.Add(ClusterMixOf3NodesScenario());
  registry.Add(ClusterMixOf4NodesScenario());
  registry.Add(NodeDeathMixScenario());
  registry.Add(NodeDiesAfterFsyncScenario());
  registry.Add(FallocateMixScenario());
  registry.Add(CloneMixScenario());
  registry.Add(AsyncMixScenario());
  registry.Add(MappingMixScenario());
  registry.Add(FreezeMixScenario());
  registry.Add(ClusterFreezeMixScenario());
  registry.Add(LoneNodeMixScenario());
}

}  // namespace ordeal
