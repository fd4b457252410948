#include "lockdep/runtime/history.h"

#include <algorithm>
#include <functional>

#include "absl/container/flat_hash_set.h"

namespace ordeal::lockdep {

absl::Span<const AcquisitionHistory::Entry> AcquisitionHistory::Since(uint64_t number) const {
  const auto first = std::upper_bound(entries_.begin(), entries_.end(), number,
                                      [](uint64_t n, const Entry& entry) { return n < entry.number; });
  return absl::MakeConstSpan(entries_).subspan(static_cast<size_t>(first - entries_.begin()));
}

uint64_t AcquisitionHistory::LastTrigger(LockClassId event_class) const {
  for (const auto& [lock_class, number] : triggers_) {
    if (lock_class == event_class) return number;
  }
  return 0;
}

void AcquisitionHistory::NoteTrigger(LockClassId event_class) {
  for (auto& [lock_class, number] : triggers_) {
    if (lock_class != event_class) continue;
    number = count_;
    return;
  }
  triggers_.emplace_back(event_class, count_);
}

// Drops all but the newest of each lock (or of each class and way of taking it), keeping the order.
void AcquisitionHistory::KeepNewest(bool of_each_instance) {
  absl::flat_hash_set<std::pair<uint64_t, const LockMap*>> seen;  // never iterated
  size_t kept = entries_.size();
  for (size_t i = entries_.size(); i-- > 0;) {
    if (!seen.emplace(entries_[i].word, of_each_instance ? entries_[i].map : nullptr).second) continue;
    entries_[--kept] = entries_[i];
  }
  if (!of_each_instance) forgotten_ += kept;
  entries_.erase(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(kept));
}

void AcquisitionHistory::Compact() {
  KeepNewest(true);
  if (entries_.size() <= limit_ / 2) return;
  if (limit_ < kEntriesMax) {
    limit_ *= 2;
    return;
  }
  KeepNewest(false);
  if (entries_.size() <= limit_ / 2) return;
  const size_t dropped = entries_.size() - limit_ / 2;
  entries_.erase(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(dropped));
  forgotten_ += dropped;
}

size_t AcquisitionHistory::MemoryBytes() const {
  return entries_.capacity() * sizeof(Entry) + triggers_.capacity() * sizeof(triggers_[0]) + sizeof(*this);
}

void AcquisitionHistory::Clear() {
  entries_.clear();
  triggers_.clear();
  count_ = 0;
  epoch_ = 1;
  forgotten_ = 0;
}

}  // namespace ordeal::lockdep
