#include "harness/catalogue/fill/fill_scenarios.h"

namespace ordeal {

void AddFillScenarios(Registry& registry) {
  registry.Add(PunchHoleVsReadScenario());
  registry.Add(PunchHoleVsFaultScenario());
  registry.Add(PunchHoleVsStoreScenario());
  registry.Add(PunchHoleVsFadviseScenario());
  registry.Add(FaultAroundVsPunchHoleScenario());
  registry.Add(TruncateVsFaultScenario());
  registry.Add(TruncateVsStoreScenario());
}

}  // namespace ordeal
