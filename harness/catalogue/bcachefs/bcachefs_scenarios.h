// The scenarios of this section: the two-state lock and faults_disabled_mapping; SIX locks. One a file.
#ifndef ORDEAL_HARNESS_CATALOGUE_BCACHEFS_BCACHEFS_SCENARIOS_H_
#define ORDEAL_HARNESS_CATALOGUE_BCACHEFS_BCACHEFS_SCENARIOS_H_

#include "harness/scenario/scenario.h"

namespace ordeal {

ScenarioEntry DirectWriteRingScenario();
ScenarioEntry DirectWriteOwnMappingScenario();
ScenarioEntry DirectWriteLosesBlockScenario();
ScenarioEntry DirectWriteRetriesScenario();
ScenarioEntry ReadaheadVsFallocateScenario();
ScenarioEntry BlockThenMmapLockScenario();
ScenarioEntry FaultRetakesBlockScenario();
ScenarioEntry RemapVsReadIntoMappingScenario();
ScenarioEntry NestedAddVsDirectWriteScenario();
ScenarioEntry TwoStateStarvationScenario();
ScenarioEntry SixLockBtreeScenario();

// All of them.
void AddBcachefsScenarios(Registry& registry);

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_CATALOGUE_BCACHEFS_BCACHEFS_SCENARIOS_H_
