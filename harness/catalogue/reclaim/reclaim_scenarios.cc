#include "harness/catalogue/reclaim/reclaim_scenarios.h"

namespace ordeal {

void AddReclaimScenarios(Registry& registry) {
  registry.Add(WorkqueueFlushScenario());
}

}  // namespace ordeal
