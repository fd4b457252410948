#include "harness/sched/retry.h"

#include <algorithm>
#include <bit>

#include "absl/strings/str_cat.h"

namespace ordeal {
namespace {

constexpr struct {
  RetryReason reason;
  const char* name;
} kNames[] = {
    {RetryReason::kFaultRetry, "fault-retry"},
    {RetryReason::kTruncatedPage, "truncated-page"},
    {RetryReason::kNotBlocking, "not-blocking"},
    {RetryReason::kAgain, "again"},
    {RetryReason::kFaultsDropped, "faults-dropped"},
    {RetryReason::kNoFault, "no-fault"},
    {RetryReason::kListBackoff, "list-backoff"},
    {RetryReason::kTruncateRestart, "truncate-restart"},
    {RetryReason::kStaleMapping, "stale-mapping"},
    {RetryReason::kInvalidateBusy, "invalidate-busy"},
    {RetryReason::kTransactionRestart, "transaction-restart"},
    {RetryReason::kOther, "other"},
};

std::string BucketName(size_t log2) {
  const uint64_t low = uint64_t{1} << log2;
  return log2 == 0 ? std::string("1") : absl::StrCat(low, "-", 2 * low - 1);
}

}  // namespace

const char* RetryReasonName(RetryReason reason) {
  for (const auto& row : kNames) {
    if (row.reason == reason) return row.name;
  }
  return "unknown";
}

std::string RetryStatistics::ToString() const {
  std::string text;
  for (int i = 0; i < kRetryReasons; ++i) {
    const RetryDistribution& d = by_reason[static_cast<size_t>(i)];
    if (d.operations == 0) continue;
    absl::StrAppend(&text, RetryReasonName(static_cast<RetryReason>(i)), ": ", d.operations, " operations, ", d.retries,
                    " retries, at most ", d.max);
    const char* separator = "; ";
    for (size_t log2 = 0; log2 < d.operations_by_log2.size(); ++log2) {
      if (d.operations_by_log2[log2] == 0) continue;
      absl::StrAppend(&text, separator, BucketName(log2), ": ", d.operations_by_log2[log2]);
      separator = ", ";
    }
    text += '\n';
  }
  return text;
}

void RetryBook::BeginRun() {
  if (rows_.empty()) return;  // nobody has retried: runs are short, and the statistics are not
  rows_.clear();
  open_ = 0;
  statistics_ = {};
}

RetryBook::TaskRow& RetryBook::Row(TaskId task) {
  if (rows_.size() <= Index(task)) rows_.resize(size_t{Index(task)} + 1);
  return rows_[Index(task)];
}

uint32_t RetryBook::Note(TaskId task, RetryReason reason, uint64_t state, lockdep::Site site, uint64_t epoch,
                         uint64_t choices) {
  TaskRow& row = Row(task);
  ++row.counts[static_cast<size_t>(reason)];
  open_ |= uint64_t{1} << Index(task);
  const auto same = [&](const State& s) { return s.hash == state && s.reason == reason && s.site.line == site.line; };
  auto known = std::find_if(row.states.begin(), row.states.end(), same);
  if (known == row.states.end()) {
    if (row.states.size() < kStates) {
      row.states.emplace_back();
      known = row.states.end() - 1;
    } else {
      known = row.states.begin() + static_cast<ptrdiff_t>(row.next);
      row.next = (row.next + 1) % kStates;
      *known = {};
    }
    known->hash = state;
    known->reason = reason;
    known->site = site;
  }
  if (known->epoch != epoch || known->repeats == 0) {
    known->epoch = epoch;
    known->choices = choices;
    known->repeats = 0;
  }
  return ++known->repeats;
}

uint32_t RetryBook::CountOf(TaskId task, RetryReason reason) const {
  return Index(task) < rows_.size() ? rows_[Index(task)].counts[static_cast<size_t>(reason)] : 0;
}

void RetryBook::Close(TaskId task) {
  open_ &= ~(uint64_t{1} << Index(task));
  std::array<uint32_t, kRetryReasons>& counts = Row(task).counts;
  for (size_t reason = 0; reason < counts.size(); ++reason) {
    const uint32_t count = counts[reason];
    if (count == 0) continue;
    RetryDistribution& distribution = statistics_.by_reason[reason];
    ++distribution.operations;
    distribution.retries += count;
    distribution.max = std::max(distribution.max, count);
    const size_t log2 = static_cast<size_t>(std::bit_width(count)) - 1;
    ++distribution.operations_by_log2[std::min(log2, distribution.operations_by_log2.size() - 1)];
  }
  counts = {};
}

Livelock RetryBook::Repeaters(uint64_t epoch, uint32_t repeats) const {
  Livelock livelock;
  for (size_t task = 0; task < rows_.size(); ++task) {
    for (const State& state : rows_[task].states) {
      if (state.epoch != epoch || state.repeats < repeats) continue;
      if (livelock.retriers.empty() || state.choices < livelock.choices_before) livelock.choices_before = state.choices;
      livelock.retriers.push_back({TaskId{static_cast<uint16_t>(task)}, "", state.reason, state.site, state.repeats});
    }
  }
  return livelock;
}

}  // namespace ordeal
