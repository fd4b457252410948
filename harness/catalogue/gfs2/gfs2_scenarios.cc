#include "harness/catalogue/gfs2/gfs2_scenarios.h"

namespace ordeal {

void AddGfs2Scenarios(Registry& registry) {
  registry.Add(Gfs2AppendsScenario());
  registry.Add(Gfs2CrossingMappingsScenario());
  registry.Add(Gfs2CrossingNodesScenario());
  registry.Add(Gfs2DirectReadOwnMappingScenario());
  registry.Add(Gfs2DirectVsBufferedWriteScenario());
  registry.Add(Gfs2DirectWriteOwnMappingScenario());
  registry.Add(Gfs2DirectWriteVsMmapScenario());
  registry.Add(Gfs2FaultInWindowScenario());
  registry.Add(Gfs2IgetVsEvictScenario());
  registry.Add(Gfs2OwnMappingScenario());
  registry.Add(Gfs2ReadVsRemoteWriteScenario());
  registry.Add(Gfs2RemoteDirectWriteScenario());
  registry.Add(Gfs2ShortDirectWriteScenario());
  registry.Add(Gfs2ShortWriteScenario());
  registry.Add(Gfs2StoreVsRemoteReadScenario());
  registry.Add(Gfs2TwoUpconvertsScenario());
  registry.Add(Gfs2WriteAcrossPagesScenario());
}

}  // namespace ordeal
