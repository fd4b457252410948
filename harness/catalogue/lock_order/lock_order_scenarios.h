// The scenarios of this section: lock order, several inodes, lock implementations (catalogue 3E). One a file.
#ifndef ORDEAL_HARNESS_CATALOGUE_LOCK_ORDER_LOCK_ORDER_SCENARIOS_H_
#define ORDEAL_HARNESS_CATALOGUE_LOCK_ORDER_LOCK_ORDER_SCENARIOS_H_

#include "harness/scenario/scenario.h"

namespace ordeal {

ScenarioEntry DedupePageOrderScenario();
ScenarioEntry DedupePageOrderUnderInodeLocksScenario();
ScenarioEntry GateLockScenario();
ScenarioEntry PageLockStarvationScenario();
ScenarioEntry StackedReadScenario();
ScenarioEntry SubclassHidesOrderScenario();
ScenarioEntry TruncOpenScenario();
ScenarioEntry TwoInodeLockScenario();

// All of them.
void AddLockOrderScenarios(Registry& registry);

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_CATALOGUE_LOCK_ORDER_LOCK_ORDER_SCENARIOS_H_
