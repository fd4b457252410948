#include "harness/catalogue/ocfs2/ocfs2_scenarios.h"

namespace ordeal {

void AddOcfs2Scenarios(Registry& registry) {
  registry.Add(Ocfs2PageLockDlmScenario());
}

}  // namespace ordeal
