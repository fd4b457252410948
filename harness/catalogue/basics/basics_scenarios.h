// The scenarios of this section: locks alone, for demonstration and measurement, and the generated mix of all operations.
// One a file.
#ifndef ORDEAL_HARNESS_CATALOGUE_BASICS_BASICS_SCENARIOS_H_
#define ORDEAL_HARNESS_CATALOGUE_BASICS_BASICS_SCENARIOS_H_

#include "harness/scenario/scenario.h"

namespace ordeal {

ScenarioEntry MutexCounterScenario();
ScenarioEntry DiningPhilosophersScenario();
ScenarioEntry OperationsMixScenario();
ScenarioEntry ClusterMixScenario();
ScenarioEntry ClusterMixOf3NodesScenario();
ScenarioEntry ClusterMixOf4NodesScenario();
ScenarioEntry NodeDeathMixScenario();
ScenarioEntry NodeDiesAfterFsyncScenario();
ScenarioEntry FallocateMixScenario();
ScenarioEntry CloneMixScenario();
ScenarioEntry AsyncMixScenario();
ScenarioEntry MappingMixScenario();
ScenarioEntry FreezeMixScenario();
ScenarioEntry ClusterFreezeMixScenario();
ScenarioEntry LoneNodeMixScenario();

// All of them.
void AddBasicsScenarios(Registry& registry);

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_CATALOGUE_BASICS_BASICS_SCENARIOS_H_
