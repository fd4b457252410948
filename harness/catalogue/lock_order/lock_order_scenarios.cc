#include "harness/catalogue/lock_order/lock_order_scenarios.h"

namespace ordeal {

void AddLockOrderScenarios(Registry& registry) {
  registry.Add(TwoInodeLockScenario());
}

}  // namespace ordeal
