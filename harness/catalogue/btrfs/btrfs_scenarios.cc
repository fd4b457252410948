#include "harness/catalogue/btrfs/btrfs_scenarios.h"

namespace ordeal {

void AddBtrfsScenarios(Registry& registry) {
  registry.Add(BtrfsDirectAppendScenario());
  registry.Add(BtrfsDirectIoOwnMappingScenario());
  registry.Add(BtrfsMixScenario());
}

}  // namespace ordeal
