// The scenarios of this section: direct I/O under a range lock. One a file.
#ifndef ORDEAL_HARNESS_CATALOGUE_BTRFS_BTRFS_SCENARIOS_H_
#define ORDEAL_HARNESS_CATALOGUE_BTRFS_BTRFS_SCENARIOS_H_

#include "harness/scenario/scenario.h"

namespace ordeal {

ScenarioEntry BtrfsDirectAppendScenario();
ScenarioEntry BtrfsDirectIoOwnMappingScenario();
ScenarioEntry BtrfsMixScenario();

// All of them.
void AddBtrfsScenarios(Registry& registry);

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_CATALOGUE_BTRFS_BTRFS_SCENARIOS_H_
