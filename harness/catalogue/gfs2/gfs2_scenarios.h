// The scenarios of this section: glocks and nofault retry. One a file.
#ifndef ORDEAL_HARNESS_CATALOGUE_GFS2_GFS2_SCENARIOS_H_
#define ORDEAL_HARNESS_CATALOGUE_GFS2_GFS2_SCENARIOS_H_

#include "harness/scenario/scenario.h"

namespace ordeal {

ScenarioEntry Gfs2AppendsScenario();
ScenarioEntry Gfs2CrossingMappingsScenario();
ScenarioEntry Gfs2CrossingNodesScenario();
ScenarioEntry Gfs2DirectReadOwnMappingScenario();
ScenarioEntry Gfs2DirectVsBufferedWriteScenario();
ScenarioEntry Gfs2DirectWriteOwnMappingScenario();
ScenarioEntry Gfs2DirectWriteVsMmapScenario();
ScenarioEntry Gfs2FaultInWindowScenario();
ScenarioEntry Gfs2IgetVsEvictScenario();
ScenarioEntry Gfs2OwnMappingScenario();
ScenarioEntry Gfs2ReadVsRemoteWriteScenario();
ScenarioEntry Gfs2RemoteDirectWriteScenario();
ScenarioEntry Gfs2ShortDirectWriteScenario();
ScenarioEntry Gfs2ShortWriteScenario();
ScenarioEntry Gfs2StoreVsRemoteReadScenario();
ScenarioEntry Gfs2TwoUpconvertsScenario();
ScenarioEntry Gfs2WriteAcrossPagesScenario();

// All of them.
void AddGfs2Scenarios(Registry& registry);

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_CATALOGUE_GFS2_GFS2_SCENARIOS_H_
