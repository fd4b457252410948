// The strategies by name: what `--strategy` accepts and `ordeal list strategies` prints.
//
// Thread-safety: constant table.
// Example:
//   ASSIGN_OR_RETURN(std::unique_ptr<ChoiceSource> source, MakeStrategy("pct:3", seed));
#ifndef ORDEAL_INJECTORS_SCHEDULE_STRATEGIES_H_
#define ORDEAL_INJECTORS_SCHEDULE_STRATEGIES_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "harness/choice/choice_source.h"

namespace ordeal {

struct StrategyEntry {
  const char* name;
  const char* summary;
  int parameter_default;  // of "name:parameter"; 0: the strategy takes none
  int parameter_max;
  std::unique_ptr<ChoiceSource> (*make)(uint64_t seed, int parameter);
};

absl::Span<const StrategyEntry> Strategies();

// `text` is a name, or name:parameter. InvalidArgument says what is accepted.
absl::StatusOr<std::unique_ptr<ChoiceSource>> MakeStrategy(absl::string_view text, uint64_t seed);

}  // namespace ordeal

#endif  // ORDEAL_INJECTORS_SCHEDULE_STRATEGIES_H_
