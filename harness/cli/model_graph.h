// The lock orders that the model of a file system uses: what `ordeal kernel compare` holds against the real kernel's.
//
// Thread-safety: none.
// Invariants:    the graph is a function of registry and file system: fixed seed, fixed number of schedules, no faults but
//                the scenarios' own, all bugs off.
// Cost:          a few thousand schedules: well under a minute.
// Example:       ASSIGN_OR_RETURN(const lockdep::OrderGraph graph, ModelOrderGraph(registry, "xfs"));
#ifndef ORDEAL_HARNESS_CLI_MODEL_GRAPH_H_
#define ORDEAL_HARNESS_CLI_MODEL_GRAPH_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "harness/scenario/scenario.h"
#include "lockdep/report/order_graph.h"

namespace ordeal {

// All scenarios that run on `filesystem`, `schedules` of each. NotFound when there is none.
absl::StatusOr<lockdep::OrderGraph> ModelOrderGraph(const Registry& registry, const std::string& filesystem,
                                                    uint64_t schedules = 3000);

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_CLI_MODEL_GRAPH_H_
