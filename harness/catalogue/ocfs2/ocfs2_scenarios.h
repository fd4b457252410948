// The scenarios of this section: page lock against DLM. One a file.
#ifndef ORDEAL_HARNESS_CATALOGUE_OCFS2_OCFS2_SCENARIOS_H_
#define ORDEAL_HARNESS_CATALOGUE_OCFS2_OCFS2_SCENARIOS_H_

#include "harness/scenario/scenario.h"

namespace ordeal {

ScenarioEntry Ocfs2PageLockDlmScenario();
ScenarioEntry ReaderAndAppenderScenario();
ScenarioEntry NodesStoreOnePageScenario();
ScenarioEntry NodesWriteOnePageScenario();
ScenarioEntry GuardedCopiesCrossScenario();
ScenarioEntry ReadersRaceToFillScenario();
ScenarioEntry NodesLinkScenario();
ScenarioEntry NodesRenameScenario();
ScenarioEntry ReadaheadGivesUpScenario();
ScenarioEntry PageLentToWorkerScenario();
ScenarioEntry TruncateVsFillScenario();
ScenarioEntry EagerReadersScenario();
ScenarioEntry NodesUpconvertScenario();

// All of them.
void AddOcfs2Scenarios(Registry& registry);

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_CATALOGUE_OCFS2_OCFS2_SCENARIOS_H_
