#include "harness/sched/fair_schedule.h"

#include <algorithm>

namespace ordeal {

FairContinuation::FairContinuation(absl::Span<const RecordedChoice> recorded, uint64_t prefix)
    : prefix_(recorded.begin(), recorded.begin() + static_cast<ptrdiff_t>(std::min<uint64_t>(prefix, recorded.size()))) {}

void FairContinuation::BeginRun(uint64_t) {
  next_ = 0;
  turn_ = 0;
  last_turn_.fill(0);
}

int FairContinuation::Choose(const ChoicePoint& point) {
  if (next_ < prefix_.size()) return std::min<int>(prefix_[next_++].answer, point.options - 1);
  if (point.kind != ChoiceKind::kSchedule || point.candidates.empty()) return 0;
  size_t longest = 0;
  for (size_t i = 1; i < point.candidates.size(); ++i) {
    if (last_turn_[Index(point.candidates[i].task)] < last_turn_[Index(point.candidates[longest].task)]) longest = i;
  }
  last_turn_[Index(point.candidates[longest].task)] = ++turn_;
  return static_cast<int>(longest);
}

}  // namespace ordeal
