#include "injectors/schedule/strategies.h"

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "injectors/schedule/pct.h"
#include "injectors/schedule/random_walk.h"

namespace ordeal {
namespace {

constexpr StrategyEntry kStrategies[] = {
    {"random", "random walk: every choice uniform; cheapest, best on symmetric deadlocks", 0, 0,
     [](uint64_t seed, int) -> std::unique_ptr<ChoiceSource> { return std::make_unique<RandomWalk>(seed); }},
    {"pct", "random priorities with DEPTH-1 change points (pct:DEPTH, default pct:3); holds a task back for long", 3,
     kPctDepthMax,
     [](uint64_t seed, int depth) -> std::unique_ptr<ChoiceSource> { return std::make_unique<Pct>(seed, depth); }},
};

}  // namespace

absl::Span<const StrategyEntry> Strategies() { return kStrategies; }

absl::StatusOr<std::unique_ptr<ChoiceSource>> MakeStrategy(absl::string_view text, uint64_t seed) {
  const size_t colon = text.find(':');
  const absl::string_view name = text.substr(0, colon);
  for (const StrategyEntry& entry : kStrategies) {
    if (name != entry.name) continue;
    int parameter = entry.parameter_default;
    if (colon != absl::string_view::npos) {
      if (entry.parameter_max == 0) {
        return absl::InvalidArgumentError(absl::StrCat("strategy '", name, "' takes no parameter"));
      }
      if (!absl::SimpleAtoi(text.substr(colon + 1), &parameter) || parameter < 1 ||
          parameter > entry.parameter_max) {
        return absl::InvalidArgumentError(absl::StrCat("strategy '", text, "': the parameter must be a number from 1 to ",
                                                       entry.parameter_max));
      }
    }
    return entry.make(seed, parameter);
  }
  std::string known;
  for (const StrategyEntry& entry : kStrategies) absl::StrAppend(&known, known.empty() ? "" : ", ", entry.name);
  return absl::InvalidArgumentError(absl::StrCat("no strategy is called '", name, "'; there are: ", known));
}

}  // namespace ordeal
