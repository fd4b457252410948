// The scenarios of this section: the two-state lock and faults_disabled_mapping; SIX locks. One a file.
#ifndef ORDEAL_HARNESS_CATALOGUE_BCACHEFS_BCACHEFS_SCENARIOS_H_
#define ORDEAL_HARNESS_CATALOGUE_BCACHEFS_BCACHEFS_SCENARIOS_H_

#include "harness/scenario/scenario.h"

namespace ordeal {

// All of them.
void AddBcachefsScenarios(Registry& registry);

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_CATALOGUE_BCACHEFS_BCACHEFS_SCENARIOS_H_
