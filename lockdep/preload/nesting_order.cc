#include "lockdep/preload/nesting_order.h"

#include <algorithm>

namespace ordeal::lockdep {

bool NestingOrder::Add(uint64_t outer, uint64_t inner) {
  const RawLockGuard guard(lock_);
  if (const auto found = inner_of_.find(outer); found != inner_of_.end()) {
    const std::vector<uint64_t>& known = found->second.inner;
    if (std::find(known.begin(), known.end(), inner) != known.end()) return true;
  }
  if (outer == inner || Reaches(inner, outer)) return false;
  inner_of_[inner];
  Instance& instance = inner_of_[outer];
  instance.inner.push_back(inner);
  if (instance.inner.size() >= instance.prune_at) Prune(instance);
  return true;
}

bool NestingOrder::Reaches(uint64_t from, uint64_t to) const {
  absl::flat_hash_set<uint64_t> seen;
  std::vector<uint64_t> open = {from};
  while (!open.empty()) {
    const uint64_t at = open.back();
    open.pop_back();
    if (at == to) return true;
    if (!seen.insert(at).second) continue;
    const auto found = inner_of_.find(at);
    if (found == inner_of_.end()) continue;
    open.insert(open.end(), found->second.inner.begin(), found->second.inner.end());
  }
  return false;
}

// A lock that lives long may have had many short-lived ones inside it.
void NestingOrder::Prune(Instance& instance) {
  std::erase_if(instance.inner, [this](uint64_t inner) { return !inner_of_.contains(inner); });
  instance.prune_at = std::max<size_t>(16, instance.inner.size() * 2);
}

void NestingOrder::Remove(uint64_t instance) {
  const RawLockGuard guard(lock_);
  inner_of_.erase(instance);
}

}  // namespace ordeal::lockdep
