// Three ways to write a scenario.
//
// Thread-safety: they make values.
// Example:       registry.Add(RangeLockTransfers());
#ifndef MYTRIAL_SCENARIOS_H_
#define MYTRIAL_SCENARIOS_H_

#include "harness/scenario/scenario.h"

namespace mytrial {

ordeal::ScenarioEntry LedgerReadVsWrite();   // fixed operations on files
ordeal::ScenarioEntry LedgerMix();           // generated operations on files
ordeal::ScenarioEntry RangeLockTransfers();  // tasks of our own, on the primitive alone

}  // namespace mytrial

#endif  // MYTRIAL_SCENARIOS_H_
