#include "lockdep/locks/thread_state.h"

#include <algorithm>

namespace ordeal::lockdep {
inline namespace ORDEAL_LOCKS_NAMESPACE {

void SemaphoreHolds::Acquired(const void* semaphore, const LockMap& map, Site site) {
  Took({map, ChainWord(NodeOf(map.lock_class, 0), Mode::kExclusive), site});
  if (holds_.size() == kHoldsMax) holds_.erase(holds_.begin());
  holds_.push_back({semaphore, site, {}});
}

void SemaphoreHolds::Took(const HeldLock& held) {
  if (!held.trylock()) Took({*held.map, held.word, held.site});
}

void SemaphoreHolds::Took(const LockTaken& taken) {
  for (SemaphoreHold& hold : holds_) {
    const bool known = std::any_of(hold.since.begin(), hold.since.end(),
                                   [&](const LockTaken& earlier) { return earlier.word == taken.word; });
    if (!known && hold.since.size() < kTakenMax) hold.since.push_back(taken);
  }
}

SemaphoreHold* SemaphoreHolds::Find(const void* semaphore) {
  const auto found =
      std::find_if(holds_.rbegin(), holds_.rend(), [&](const SemaphoreHold& h) { return h.semaphore == semaphore; });
  return found == holds_.rend() ? nullptr : &*found;
}

void SemaphoreHolds::Forget(SemaphoreHold* hold) { holds_.erase(holds_.begin() + (hold - holds_.data())); }

void ThreadState::Depend(const LockMap& semaphore, Site acquired, const LockTaken& taken) {
  const NodeId node = NodeOfWord(taken.word);
  validator->Owe(scratch, semaphore, acquired);
  validator->Acquire(scratch, taken.map, ModeOfWord(taken.word), {.subclass = SubclassOf(node), .site = taken.site});
  validator->Release(scratch, taken.map, taken.site);
  validator->HandOver(scratch, semaphore);
}

}  // namespace ORDEAL_LOCKS_NAMESPACE
}  // namespace ordeal::lockdep
