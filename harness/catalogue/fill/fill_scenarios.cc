#include "harness/catalogue/fill/fill_scenarios.h"

namespace ordeal {

void AddFillScenarios(Registry& registry) {
  registry.Add(PunchHoleVsReadScenario());
  registry.Add(PunchHoleVsFaultScenario());
  registry.Add(PunchHoleVsStoreScenario());
  registry.Add(PunchHoleVsFadviseScenario());
  registry.Add(FaultAroundVsPunchHoleScenario());
  registry.Add(GrowOverStoresScenario());
  registry.Add(ReadsOfFailingDeviceScenario());
  registry.Add(ShortWriteOverHoleScenario());
  registry.Add(StaleWriteMappingScenario());
  registry.Add(UnshareFailsScenario());
  registry.Add(TruncateVsFaultScenario());
  registry.Add(TruncateVsStoreScenario());
}

}  // namespace ordeal
