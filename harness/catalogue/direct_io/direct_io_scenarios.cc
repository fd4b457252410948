#include "harness/catalogue/direct_io/direct_io_scenarios.h"

namespace ordeal {

void AddDirectIoScenarios(Registry& registry) {
  registry.Add(AllocateVsExtendingWriteScenario());
  registry.Add(CloneVsDirectWriteScenario());
  registry.Add(DioSyncBeforeDioEndScenario());
  registry.Add(DirectVsBufferedWriteScenario());
  registry.Add(DirectWriteFailsInPartScenario());
  registry.Add(DirectWriteVsReadScenario());
  registry.Add(DirectWriteIntoHoleScenario());
  registry.Add(DirectWriteVsStoreScenario());
  registry.Add(DirectWritesOfOneBlockScenario());
  registry.Add(WriteThenDirectReadScenario());
}

}  // namespace ordeal
