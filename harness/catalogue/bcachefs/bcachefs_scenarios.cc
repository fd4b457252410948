#include "harness/catalogue/bcachefs/bcachefs_scenarios.h"

namespace ordeal {

void AddBcachefsScenarios(Registry& registry) {
}

}  // namespace ordeal
