#include "harness/catalogue/lock_order/lock_order_scenarios.h"

namespace ordeal {

void AddLockOrderScenarios(Registry& registry) {
  registry.Add(DedupePageOrderScenario());
  registry.Add(DedupePageOrderUnderInodeLocksScenario());
  registry.Add(GateLockScenario());
  registry.Add(PageLockStarvationScenario());
  registry.Add(StackedReadScenario());
  registry.Add(SubclassHidesOrderScenario());
  registry.Add(TruncOpenScenario());
  registry.Add(TwoInodeLockScenario());
}

}  // namespace ordeal
