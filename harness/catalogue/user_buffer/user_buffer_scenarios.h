// The scenarios of this section: faulting on the user buffer under file locks (catalogue 3C). One a file.
#ifndef ORDEAL_HARNESS_CATALOGUE_USER_BUFFER_USER_BUFFER_SCENARIOS_H_
#define ORDEAL_HARNESS_CATALOGUE_USER_BUFFER_USER_BUFFER_SCENARIOS_H_

#include "harness/scenario/scenario.h"

namespace ordeal {

ScenarioEntry WriteBehindQueuedMmapScenario();
ScenarioEntry WriteFromOwnMappingScenario();
ScenarioEntry WritersCrossingMappingsScenario();
ScenarioEntry WriteFromVanishingSourceScenario();

// All of them.
void AddUserBufferScenarios(Registry& registry);

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_CATALOGUE_USER_BUFFER_USER_BUFFER_SCENARIOS_H_
