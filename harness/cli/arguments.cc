#include "harness/cli/arguments.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "harness/corpus/corpus_entry.h"
#include "lockdep/support/status_macros.h"

namespace ordeal {
namespace {

struct UnitRow {
  const char* suffix;
  double seconds;
};
// Longest suffix first: "ms" before "m" and "s".
constexpr UnitRow kUnits[] = {{"ms", 0.001}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};
constexpr double kSecondsMax = 365.0 * 86400;

size_t EditDistance(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t substitution = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substitution});
    }
  }
  return row[b.size()];
}

bool IsPlainDecimal(absl::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789.") == absl::string_view::npos;
}

}  // namespace

absl::StatusOr<uint64_t> ParseCount(const std::string& option, const std::string& text, uint64_t smallest) {
  uint64_t value = 0;
  if (!absl::SimpleAtoi(text, &value) || value < smallest) {
    return absl::InvalidArgumentError(
        absl::StrCat(option, " must be a whole number from ", smallest, " to ", UINT64_MAX, ", not '", text, "'"));
  }
  return value;
}

absl::StatusOr<double> ParseDuration(const std::string& option, const std::string& text) {
  absl::string_view number(text);
  double unit = 1;
  for (const UnitRow& row : kUnits) {
    const absl::string_view suffix(row.suffix);
    if (number.size() > suffix.size() && number.substr(number.size() - suffix.size()) == suffix) {
      number.remove_suffix(suffix.size());
      unit = row.seconds;
      break;
    }
  }
  double value = 0;
  if (!IsPlainDecimal(number) || !absl::SimpleAtod(number, &value) || !(value > 0) || value * unit > kSecondsMax) {
    return absl::InvalidArgumentError(
        absl::StrCat(option, " must be a duration such as 30s, 2m or 8h, not '", text, "'"));
  }
  return value * unit;
}

namespace {

absl::Status AddFault(absl::string_view text, FaultArguments* faults) {
  const std::vector<std::string> parts = absl::StrSplit(text, ':');
  const std::string& name = parts.front();
  if (!SetFault(name, &faults->set)) {
    std::vector<std::string> known = {"all", "none"};
    for (const FaultEntry& entry : Faults()) known.push_back(entry.name);
    const std::string nearest = NearestName(name, known);
    return absl::NotFoundError(absl::StrCat("there is no fault '", name, "'",
                                            nearest.empty() ? absl::StrCat("; known: ", absl::StrJoin(known, ", "))
                                                            : absl::StrCat("; did you mean '", nearest, "'?")));
  }
  if (parts.size() == 1) return absl::OkStatus();
  uint32_t percent[2] = {0, 100};  // fires, activated
  bool good = parts.size() <= 3;
  for (size_t i = 1; good && i < parts.size(); ++i) good = absl::SimpleAtoi(parts[i], &percent[i - 1]) && percent[i - 1] <= 100;
  if (!good) {
    return absl::InvalidArgumentError(
        absl::StrCat("--faults: '", text, "' must be NAME, NAME:PERCENT or NAME:PERCENT:PERCENT-OF-SITES, each 0 to 100"));
  }
  faults->probabilities.push_back(
      {FindFault(name)->kind, {.activated_percent = percent[1], .fires_percent = percent[0]}});
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<FaultArguments> ParseFaults(const std::string& text) {
  FaultArguments faults;
  if (text == "none") return faults;
  if (text == "all") return FaultArguments{FaultSet::All(), {}};
  const std::vector<std::string> names = SplitList({text});
  for (const std::string& name : names) RETURN_IF_ERROR(AddFault(name, &faults));
  if (names.empty()) return absl::InvalidArgumentError("--faults is empty; use --faults=none for no faults");
  return faults;
}

std::vector<std::string> SplitList(const std::vector<std::string>& texts) {
  std::vector<std::string> parts;
  for (const std::string& text : texts) {
    for (const absl::string_view part : absl::StrSplit(text, ',', absl::SkipEmpty())) {
      parts.emplace_back(part.data(), part.size());
    }
  }
  return parts;
}

std::string NearestName(const std::string& name, const std::vector<std::string>& known) {
  std::string best;
  size_t best_distance = 3 + name.size() / 4;
  for (const std::string& candidate : known) {
    const bool prefix = name.size() >= 2 && candidate.compare(0, name.size(), name) == 0;
    const size_t distance = prefix ? 0 : EditDistance(name, candidate);
    if (distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

}  // namespace ordeal
