// The scenarios of this section: direct I/O coherence (catalogue 3B). One a file.
#ifndef ORDEAL_HARNESS_CATALOGUE_DIRECT_IO_DIRECT_IO_SCENARIOS_H_
#define ORDEAL_HARNESS_CATALOGUE_DIRECT_IO_DIRECT_IO_SCENARIOS_H_

#include "harness/scenario/scenario.h"

namespace ordeal {

ScenarioEntry AllocateVsExtendingWriteScenario();
ScenarioEntry CloneVsDirectWriteScenario();
ScenarioEntry DioSyncBeforeDioEndScenario();
ScenarioEntry DirectVsBufferedWriteScenario();
ScenarioEntry DirectWriteFailsInPartScenario();
ScenarioEntry DirectWriteVsReadScenario();
ScenarioEntry DirectWriteIntoHoleScenario();
ScenarioEntry DirectWriteVsStoreScenario();
ScenarioEntry DirectWritesOfOneBlockScenario();
ScenarioEntry WriteThenDirectReadScenario();

// All of them.
void AddDirectIoScenarios(Registry& registry);

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_CATALOGUE_DIRECT_IO_DIRECT_IO_SCENARIOS_H_
