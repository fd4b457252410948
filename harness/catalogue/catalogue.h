// All that ships: scenarios, file systems and the bug catalogue as one registry.
//
// Thread-safety: makes a value.
// Example:       const Registry registry = BuiltIn();
#ifndef ORDEAL_HARNESS_CATALOGUE_CATALOGUE_H_
#define ORDEAL_HARNESS_CATALOGUE_CATALOGUE_H_

#include "harness/scenario/scenario.h"

namespace ordeal {

Registry BuiltIn();

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_CATALOGUE_CATALOGUE_H_
