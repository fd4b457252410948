#include "harness/scenario/builtin.h"

namespace ordeal {

Registry BuiltIn() {
  Registry registry;
  registry.Add(NaiveOrderBug());
  registry.Add(MutexCounterScenario());
  registry.Add(DiningPhilosophersScenario());
  return registry;
}

}  // namespace ordeal
