// The scenarios of this section: glocks and nofault retry. One a file.
#ifndef ORDEAL_HARNESS_CATALOGUE_GFS2_GFS2_SCENARIOS_H_
#define ORDEAL_HARNESS_CATALOGUE_GFS2_GFS2_SCENARIOS_H_

#include "harness/scenario/scenario.h"

namespace ordeal {

// All of them.
void AddGfs2Scenarios(Registry& registry);

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_CATALOGUE_GFS2_GFS2_SCENARIOS_H_
