// Algorithm: Burckhardt, Kothari, Musuvathi, Nagarakatte, "A randomized scheduler with probabilistic guarantees of finding
// bugs" (ASPLOS 2010). Initial priorities are random and above depth; change point i of depth-1 gives the task that would
// run the low value depth-1-i. A fairness demotion goes below those values: above them, a demoted spinner would
// still pass a task that a change point holds back.
#include "injectors/schedule/pct.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "lockdep/support/check.h"

namespace ordeal {

Pct::Pct(uint64_t seed, int depth) : seed_(seed), depth_(depth) {
  LD_CHECK(depth >= 1 && depth <= kPctDepthMax, absl::StrCat("PCT depth ", depth));
  BeginRun(0);
}

void Pct::BeginRun(uint64_t run) {
  prng_ = Prng(DeriveSeed(seed_, run));
  decisions_ = 0;
  seen_ = 0;
  next_demoted_ = -1;
  last_ = kNoTask;
  in_a_row_ = 0;
  DrawChangePoints();
}

void Pct::EndRun(uint64_t) { decisions_max_ = std::max(decisions_max_, decisions_); }

// depth-1 distinct decisions out of 1..k (fewer when k is smaller), each with its own low value.
void Pct::DrawChangePoints() {
  next_change_ = 0;
  const uint64_t k = std::min<uint64_t>(decisions_max_, UINT32_MAX);
  const int wanted = static_cast<int>(std::min<uint64_t>(static_cast<uint64_t>(depth_ - 1), k));
  int drawn = 0;
  while (drawn < wanted) {
    const uint64_t at = 1 + prng_.Below(static_cast<uint32_t>(k));
    if (std::find(change_at_.begin(), change_at_.begin() + drawn, at) != change_at_.begin() + drawn) continue;
    change_at_[drawn++] = at;
  }
  // The values belong to the points in the order of drawing; sorting the pairs keeps that assignment random.
  std::array<std::pair<uint64_t, int64_t>, kPctDepthMax> points{};
  for (int i = 0; i < drawn; ++i) points[i] = {change_at_[i], depth_ - 1 - i};
  std::sort(points.begin(), points.begin() + drawn);
  for (int i = 0; i < kPctDepthMax; ++i) {
    change_at_[i] = i < drawn ? points[i].first : UINT64_MAX;
    change_to_[i] = points[i].second;
  }
}

int64_t& Pct::PriorityOf(TaskId task) {
  const int index = Index(task);
  LD_CHECK(index < kTasks, absl::StrCat("task ", index));
  const uint64_t bit = uint64_t{1} << index;
  if ((seen_ & bit) == 0) {
    seen_ |= bit;
    // Random, above every change-point value, and distinct by the task's number.
    priority_[index] = ((kPctDepthMax + static_cast<int64_t>(prng_.Next() >> 8)) << 6 & INT64_MAX) | index;
  }
  return priority_[index];
}

int Pct::Highest(const ChoicePoint& point) {
  int best = 0;
  int64_t best_priority = PriorityOf(point.candidates[0].task);
  for (int i = 1; i < point.options; ++i) {
    const int64_t priority = PriorityOf(point.candidates[i].task);
    if (priority > best_priority) {
      best = i;
      best_priority = priority;
    }
  }
  return best;
}

int Pct::Choose(const ChoicePoint& point) {
  if (point.kind != ChoiceKind::kSchedule) {
    return static_cast<int>(prng_.Below(static_cast<uint32_t>(point.options)));
  }
  LD_CHECK(static_cast<int>(point.candidates.size()) == point.options, ToString(point));
  ++decisions_;
  int pick = Highest(point);
  if (next_change_ < kPctDepthMax && decisions_ == change_at_[next_change_]) {
    PriorityOf(point.candidates[pick].task) = change_to_[next_change_++];
    pick = Highest(point);
  }
  if (point.candidates[pick].task == last_) {
    if (++in_a_row_ >= kPctFairnessSteps) {
      PriorityOf(last_) = next_demoted_--;
      pick = Highest(point);
    }
  }
  if (point.candidates[pick].task != last_) {
    last_ = point.candidates[pick].task;
    in_a_row_ = 1;
  }
  return pick;
}

}  // namespace ordeal
