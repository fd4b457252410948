#include "harness/catalogue/ocfs2/ocfs2_scenarios.h"

namespace ordeal {

void AddOcfs2Scenarios(Registry& registry) {
  registry.Add(Ocfs2PageLockDlmScenario());
  registry.Add(ReaderAndAppenderScenario());
  registry.Add(NodesStoreOnePageScenario());
  registry.Add(NodesWriteOnePageScenario());
  registry.Add(GuardedCopiesCrossScenario());
  registry.Add(ReadersRaceToFillScenario());
  registry.Add(NodesLinkScenario());
  registry.Add(NodesRenameScenario());
  registry.Add(ReadaheadGivesUpScenario());
  registry.Add(PageLentToWorkerScenario());
  registry.Add(TruncateVsFillScenario());
  registry.Add(EagerReadersScenario());
  registry.Add(NodesUpconvertScenario());
}

}  // namespace ordeal
