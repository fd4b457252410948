#include "injectors/fault/fail_nth.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace ordeal {

int FailNth::Choose(const ChoicePoint& point) {
  if (!IsFault(point.kind)) return strategy_->Choose(point);
  if (point.kind == ChoiceKind::kIoTorn) {
    options_of_consequence_ = point.options;
    return std::min(consequence_, point.options - 1);
  }
  if (seen_++ != point_) return 0;
  options_of_point_ = point.options;
  kind_of_point_ = point.kind;
  return std::min(option_, point.options - 1);
}

// The strategy gives the same schedule until all its points have failed.
void FailNth::BeginRun(uint64_t) {
  seen_ = 0;
  options_of_point_ = 0;
  options_of_consequence_ = 0;
  strategy_->BeginRun(schedule_);
}

void FailNth::EndRun(uint64_t steps) {
  strategy_->EndRun(steps);
  ++coverage_.runs;
  if (options_of_point_ == 0) {  // no such point: this schedule is done
    coverage_.points_max = std::max(coverage_.points_max, point_);
    ++coverage_.schedules;
    ++schedule_;
    point_ = 0;
    option_ = 1;
    coverage_.complete = exhausted();
    return;
  }
  if (option_ == 1 && consequence_ == 0) ++coverage_.failed[kind_of_point_];
  if (consequence_ == 1) ++coverage_.failed[ChoiceKind::kIoTorn];
  if (++consequence_ < options_of_consequence_) return;
  consequence_ = 0;
  if (++option_ < options_of_point_) return;
  option_ = 1;
  ++point_;
}

std::string FaultCoverage::ToString() const {
  uint64_t points = 0;
  std::vector<std::string> kinds;
  for (const auto& [kind, count] : failed) {
    points += count;
    kinds.push_back(absl::StrCat(ChoiceKindName(kind), " ", count));
  }
  const std::string done = absl::StrCat("every fault point of ", schedules, schedules == 1 ? " schedule" : " schedules",
                                        " has failed once");
  return absl::StrCat(complete ? done : absl::StrCat("not complete: so far ", done), ": ", runs, " runs, ", points,
                      " points", kinds.empty() ? "" : absl::StrCat(" (", absl::StrJoin(kinds, ", "), ")"), ", at most ",
                      points_max, " in one schedule");
}

}  // namespace ordeal
