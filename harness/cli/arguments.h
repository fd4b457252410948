// Reads the values of options: counts, durations, fault lists. Each error says what was given and what is accepted.
//
// Thread-safety: pure functions.
// Example:       ASSIGN_OR_RETURN(const double seconds, ParseDuration("--time", "2m"));   // 120
#ifndef ORDEAL_HARNESS_CLI_ARGUMENTS_H_
#define ORDEAL_HARNESS_CLI_ARGUMENTS_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "harness/scenario/scenario.h"
#include "injectors/fault/fault_plan.h"

namespace ordeal {

// A whole number of at least `smallest`.
absl::StatusOr<uint64_t> ParseCount(const std::string& option, const std::string& text, uint64_t smallest);
// "90", "90s", "250ms", "2m", "8h", "1d" as seconds; more than 0, at most 365 days.
absl::StatusOr<double> ParseDuration(const std::string& option, const std::string& text);
// Which faults, and how often those whose probability was given.
struct FaultArguments {
  FaultSet set;
  std::vector<std::pair<ChoiceKind, FaultPlan::Probability>> probabilities;
};
// "allocation,io-delay", "all" or "none". "io-error:5" fires at 5 % of all visits, "io-error:5:20" at 5 % of the visits of 20 % of
// the sites (task and object) of a run.
absl::StatusOr<FaultArguments> ParseFaults(const std::string& text);
// "a,b" and repeated options alike; empty parts are dropped.
std::vector<std::string> SplitList(const std::vector<std::string>& texts);

// The known name that is nearest to `name` if it is near enough to be a slip, else "".
std::string NearestName(const std::string& name, const std::vector<std::string>& known);

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_CLI_ARGUMENTS_H_
