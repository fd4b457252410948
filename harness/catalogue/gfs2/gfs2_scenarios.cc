#include "harness/catalogue/gfs2/gfs2_scenarios.h"

namespace ordeal {

void AddGfs2Scenarios(Registry& registry) {
}

}  // namespace ordeal
