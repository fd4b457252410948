// The scenarios of this section: XFS and DAX. One a file.
#ifndef ORDEAL_HARNESS_CATALOGUE_XFS_XFS_SCENARIOS_H_
#define ORDEAL_HARNESS_CATALOGUE_XFS_XFS_SCENARIOS_H_

#include "harness/scenario/scenario.h"

namespace ordeal {

ScenarioEntry DaxEntryLockScenario();
ScenarioEntry DaxEvictLeaseScenario();
ScenarioEntry DaxEvictPinScenario();
ScenarioEntry DaxEvictReaddirScenario();
ScenarioEntry DaxPairLockScenario();
ScenarioEntry LogSpaceScenario();

// All of them.
void AddXfsScenarios(Registry& registry);

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_CATALOGUE_XFS_XFS_SCENARIOS_H_
