#include "harness/catalogue/reclaim/reclaim_scenarios.h"

namespace ordeal {

void AddReclaimScenarios(Registry& registry) {
  registry.Add(DisposeListScenario());
  registry.Add(EvictWritebackScenario());
  registry.Add(FreezeFaultScenario());
  registry.Add(LoopDeviceScenario());
  registry.Add(MemcgReclaimScenario());
  registry.Add(RangeCyclicScenario());
  registry.Add(RangeLockWritebackScenario());
  registry.Add(SyncLivelockScenario());
  registry.Add(TransactionReclaimScenario());
  registry.Add(UnpluggedSleepScenario());
  registry.Add(WorkqueueFlushScenario());
}

}  // namespace ordeal
