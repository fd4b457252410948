#include "lockdep/predict/closure.h"

#include <algorithm>

namespace ordeal::lockdep {

Closure::Closure(const LockHistory* history)
    : history_(*history),
      reached_(history->order().tasks()),
      included_(reached_.size()),
      queued_(reached_.size()),
      locks_(history->instances()) {}

void Closure::Reset() {
  std::fill(reached_.begin(), reached_.end(), 0);
  std::fill(included_.begin(), included_.end(), 0);
  std::fill(queued_.begin(), queued_.end(), false);
  queue_.clear();
  for (const uint32_t lock : touched_) {
    LockState& state = locks_[lock];
    state.newest = state.newest_exclusive = 0;
    state.open.clear();
    state.open_shared.clear();
  }
  touched_.clear();
}

void Closure::Raise(uint32_t task, uint32_t position) {
  if (position <= reached_[task]) return;
  reached_[task] = position;
  if (queued_[task]) return;
  queued_[task] = true;
  queue_.push_back(task);
}

void Closure::Add(const Point& point) {
  ++steps_;
  Raise(point.task, point.position);
  history_.order().ForEachInRow(point.row, [this](uint32_t task, uint32_t position) { Raise(task, position); });
}

bool Closure::Close() {
  while (!queue_.empty()) {
    const uint32_t task = queue_.back();
    queue_.pop_back();
    queued_[task] = false;
    const std::vector<uint32_t>& sections = history_.sections_of(task);
    while (included_[task] < sections.size() &&
           history_.sections()[sections[included_[task]]].acquire.position <= reached_[task]) {
      if (!Include(sections[included_[task]++])) return false;
    }
  }
  return true;
}

bool Closure::Include(uint32_t id) {
  ++steps_;
  const Section& section = history_.sections()[id];
  LockState& lock = locks_[section.instance];
  const uint32_t event = section.acquire_event + 1;
  if (lock.newest == 0) touched_.push_back(section.instance);
  const bool older = event < (section.exclusive ? lock.newest : lock.newest_exclusive);
  if (older && !Require(id)) return false;
  if (!older) (section.exclusive ? lock.open : lock.open_shared).push_back(id);
  if (section.exclusive && event > lock.newest_exclusive) {
    lock.newest_exclusive = event;
    if (!RequireOlder(&lock.open_shared, event)) return false;
  }
  if (event > lock.newest) {
    lock.newest = event;
    if (!RequireOlder(&lock.open, event)) return false;
  }
  return true;
}

bool Closure::Require(uint32_t id) {
  const Section& section = history_.sections()[id];
  if (section.release.task == kNoTask) return false;
  Add(section.release);
  return true;
}

bool Closure::RequireOlder(std::vector<uint32_t>* open, uint32_t newest) {
  for (size_t i = 0; i < open->size();) {
    if (history_.sections()[(*open)[i]].acquire_event + 1 >= newest) {
      ++i;
      continue;
    }
    if (!Require((*open)[i])) return false;
    (*open)[i] = open->back();
    open->pop_back();
  }
  return true;
}

}  // namespace ordeal::lockdep
