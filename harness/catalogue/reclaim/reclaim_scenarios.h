// The scenarios of this section: reclaim, eviction and write-back (catalogue 3F). One a file.
#ifndef ORDEAL_HARNESS_CATALOGUE_RECLAIM_RECLAIM_SCENARIOS_H_
#define ORDEAL_HARNESS_CATALOGUE_RECLAIM_RECLAIM_SCENARIOS_H_

#include "harness/scenario/scenario.h"

namespace ordeal {

ScenarioEntry DisposeListScenario();
ScenarioEntry EvictWritebackScenario();
ScenarioEntry FreezeFaultScenario();
ScenarioEntry LoopDeviceScenario();
ScenarioEntry MemcgReclaimScenario();
ScenarioEntry RangeCyclicScenario();
ScenarioEntry RangeLockWritebackScenario();
ScenarioEntry SyncLivelockScenario();
ScenarioEntry TransactionReclaimScenario();
ScenarioEntry UnpluggedSleepScenario();
ScenarioEntry WorkqueueFlushScenario();

// All of them.
void AddReclaimScenarios(Registry& registry);

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_CATALOGUE_RECLAIM_RECLAIM_SCENARIOS_H_
