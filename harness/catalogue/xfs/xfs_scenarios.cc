#include "harness/catalogue/xfs/xfs_scenarios.h"

namespace ordeal {

void AddXfsScenarios(Registry& registry) {
}

}  // namespace ordeal
