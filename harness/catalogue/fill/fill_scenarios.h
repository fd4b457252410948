// The scenarios of this section: fill versus invalidate (catalogue 3A). One a file.
#ifndef ORDEAL_HARNESS_CATALOGUE_FILL_FILL_SCENARIOS_H_
#define ORDEAL_HARNESS_CATALOGUE_FILL_FILL_SCENARIOS_H_

#include "harness/scenario/scenario.h"

namespace ordeal {

ScenarioEntry FaultAroundVsPunchHoleScenario();
ScenarioEntry PunchHoleVsFadviseScenario();
ScenarioEntry GrowOverStoresScenario();
ScenarioEntry PunchHoleVsReadScenario();
ScenarioEntry PunchHoleVsFaultScenario();
ScenarioEntry PunchHoleVsStoreScenario();
ScenarioEntry ReadsOfFailingDeviceScenario();
ScenarioEntry ShortWriteOverHoleScenario();
ScenarioEntry StaleWriteMappingScenario();
ScenarioEntry UnshareFailsScenario();
ScenarioEntry TruncateVsFaultScenario();
ScenarioEntry TruncateVsStoreScenario();

// All of them.
void AddFillScenarios(Registry& registry);

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_CATALOGUE_FILL_FILL_SCENARIOS_H_
