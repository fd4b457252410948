#include "harness/catalogue/user_buffer/user_buffer_scenarios.h"

namespace ordeal {

void AddUserBufferScenarios(Registry& registry) {
  registry.Add(WriteBehindQueuedMmapScenario());
  registry.Add(WriteFromOwnMappingScenario());
  registry.Add(WritersCrossingMappingsScenario());
  registry.Add(WriteFromVanishingSourceScenario());
}

}  // namespace ordeal
