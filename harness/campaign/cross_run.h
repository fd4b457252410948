// Inversions whose halves occur only in different schedules. Each run is judged by its own dependencies (docs/decisions/0002), so
// none of those runs shows them; the graph of all runs does.
//
// Thread-safety: pure function.
// Invariants:    a cycle that some run showed, or that contains all classes of one, is not reported again; the result is in
//                order of the graph's edges and does not depend on the process.
// Cost:          linear in the graph while it has no cycle; a search for each edge of its cyclic part otherwise.
// Example:
//   for (lockdep::Violation& inversion : InversionsAcrossRuns(runner.sim().validator(), shown)) ...
#ifndef ORDEAL_HARNESS_CAMPAIGN_CROSS_RUN_H_
#define ORDEAL_HARNESS_CAMPAIGN_CROSS_RUN_H_

#include <set>
#include <string>
#include <vector>

#include "lockdep/runtime/validator.h"
#include "lockdep/runtime/violation.h"

namespace ordeal {

// The classes of a cycle, sorted.
using CycleNodes = std::vector<std::string>;
CycleNodes NodesOfCycle(const lockdep::Violation& violation);

inline constexpr size_t kInversionsAcrossRunsMax = 64;

// Violations of kind circular, grade order. `shown`: the cycles that single runs have shown.
std::vector<lockdep::Violation> InversionsAcrossRuns(const lockdep::Validator& validator,
                                                     const std::set<CycleNodes>& shown);

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_CAMPAIGN_CROSS_RUN_H_
