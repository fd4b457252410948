#include "harness/catalogue/direct_io/direct_io_scenarios.h"

namespace ordeal {

void AddDirectIoScenarios(Registry& registry) {
  registry.Add(DioSyncBeforeDioEndScenario());
  registry.Add(DirectWriteVsReadScenario());
  registry.Add(DirectWriteIntoHoleScenario());
  registry.Add(DirectWriteVsStoreScenario());
  registry.Add(WriteThenDirectReadScenario());
}

}  // namespace ordeal
