#include "lockdep/runtime/event_book.h"

#include <algorithm>
#include <utility>

namespace ordeal::lockdep {
namespace {

void Join(ClockPtr* clock, const TaskClock& other) {
  *clock = std::make_shared<const TaskClock>(MergeClocks(**clock, other));
}

}  // namespace

uint64_t EventBook::TaskName(const TaskContext& task) {
  // Ids are 32 bits, user addresses more than 4 GiB on every system that this runs on; should they meet, two tasks count as one.
  return task.id() != 0 ? task.id() : reinterpret_cast<uint64_t>(&task);
}

uint32_t EventBook::NumberOf(uint64_t task) {
  const auto [found, added] = numbers_.emplace(task, static_cast<uint32_t>(tasks_.size()));
  if (added) {
    tasks_.emplace_back();
    tasks_.back().clock = std::make_shared<const TaskClock>();
  }
  return found->second;
}

void EventBook::CloseLeft(uint32_t task) {
  const LockMap* map = std::exchange(StateOf(task).left_on, nullptr);
  const auto found = map == nullptr ? events_.end() : events_.find(map);
  if (found == events_.end()) return;
  std::vector<EventWait>& open = found->second.open;
  open.erase(std::remove_if(open.begin(), open.end(), [&](const EventWait& wait) { return wait.task == task; }),
             open.end());
}

// Ends the task's epoch; returns the clock of what comes after it.
ClockPtr EventBook::Advance(uint32_t task, AcquisitionHistory* history) {
  CloseLeft(task);
  TaskState& state = StateOf(task);
  ClockPtr after = std::make_shared<const TaskClock>(MergeClocks(*state.clock, {{task, state.epoch}}));
  ++state.epoch;
  if (history != nullptr) history->set_epoch(state.epoch);
  return after;
}

void EventBook::Fork(uint64_t parent, AcquisitionHistory* parent_history, uint64_t child) {
  const uint32_t from = NumberOf(parent);
  const uint32_t to = NumberOf(child);
  const ClockPtr after = Advance(from, parent_history);
  lockdep::Join(&StateOf(to).clock, *after);
}

void EventBook::Join(uint64_t parent, uint64_t child) {
  const uint32_t to = NumberOf(parent);
  const ClockPtr after = Advance(NumberOf(child), nullptr);
  lockdep::Join(&StateOf(to).clock, *after);
}

void EventBook::BeginWait(uint64_t task, EventWait wait) {
  wait.task = NumberOf(task);
  CloseLeft(wait.task);
  TaskState& state = StateOf(wait.task);
  wait.clock = state.clock;
  state.waiting = std::move(wait);
}

bool EventBook::EndWait(uint64_t task, const LockMap& map, Judge judge) {
  std::optional<EventWait> wait = std::exchange(StateOf(NumberOf(task)).waiting, std::nullopt);
  const auto found = events_.find(&map);
  if (!wait || wait->map != &map || found == events_.end() || !found->second.last) return false;
  Match(*wait, *found->second.last, judge);
  return true;
}

bool EventBook::LeaveWait(uint64_t task, const LockMap& map, Judge judge) {
  Instance& event = events_[&map];
  if (event.last) return EndWait(task, map, judge);
  TaskState& state = StateOf(NumberOf(task));
  event.open.push_back(*std::exchange(state.waiting, std::nullopt));
  state.left_on = &map;
  return false;
}

EventTrigger EventBook::NewTrigger(uint64_t task, AcquisitionHistory* history, bool owed, const LockMap& map,
                                   uint64_t word, Site site) {
  EventTrigger trigger;
  trigger.task = NumberOf(task);
  trigger.word = word;
  trigger.map = &map;
  trigger.site = site;
  if (history != nullptr) {
    const uint64_t since = history->LastTrigger(map.lock_class);
    if (!owed) {
      for (const AcquisitionHistory::Entry& entry : history->Since(since)) {
        trigger.window.push_back(
            {entry.word, entry.map, entry.site, entry.number, trigger.task, entry.epoch, nullptr});
      }
      for (const PriorAcquisition& inherited : StateOf(trigger.task).inherited) {
        if (inherited.number > since) trigger.window.push_back(inherited);
      }
    }
    history->NoteTrigger(map.lock_class);
    forgotten_ += history->TakeForgotten();
  }
  trigger.clock = Advance(trigger.task, history);
  return trigger;
}

std::vector<uint32_t> EventBook::Post(EventTrigger trigger, Judge judge) {
  Instance& event = events_[trigger.map];
  if (event.triggered == nullptr) event.triggered = std::make_shared<TaskClock>();
  *event.triggered = MergeClocks(*event.triggered, {{trigger.task, EpochIn(*trigger.clock, trigger.task)}});
  trigger.triggered = event.triggered;
  trigger.armed = event.armed;
  event.last = std::move(trigger);
  std::vector<uint32_t> satisfied;
  for (const EventWait& wait : std::exchange(event.open, {})) {
    Match(wait, *event.last, judge);
    StateOf(wait.task).left_on = nullptr;
    satisfied.push_back(wait.id);
  }
  return satisfied;
}

void EventBook::Arm(uint64_t task, AcquisitionHistory* history, const LockMap& map, bool anew) {
  const ClockPtr after = Advance(NumberOf(task), history);
  Instance& event = events_[&map];
  if (anew) event.last.reset();
  if (anew || event.armed == nullptr) {
    event.armed = after;
  } else {
    lockdep::Join(&event.armed, *after);
  }
}

bool EventBook::Delays(const PriorAcquisition& acquired, const EventTrigger& trigger, const EventWait& wait) {
  if (acquired.task == wait.task || EpochIn(*wait.clock, acquired.task) >= acquired.epoch) return false;
  if (trigger.armed != nullptr && EpochIn(*trigger.armed, acquired.task) >= acquired.epoch) return false;
  // A request that the waiter made itself, or knows of, would have satisfied the server's wait as well as the one that did.
  for (const EventHop* hop = acquired.via.get(); hop != nullptr; hop = hop->next.get()) {
    for (const auto& [task, epoch] : *hop->triggered) {
      if (task == wait.task || EpochIn(*wait.clock, task) >= epoch) return false;
    }
  }
  return true;
}

void EventBook::Match(const EventWait& wait, const EventTrigger& trigger, Judge judge) {
  if (wait.task == trigger.task) return;
  for (const PriorAcquisition& acquired : trigger.window) {
    if (!Delays(acquired, trigger, wait)) continue;
    if (!wait.held.empty()) judge(wait, trigger, acquired);
    if (wait.remembers) Inherit(wait, trigger, acquired);
  }
  lockdep::Join(&StateOf(wait.task).clock, *trigger.clock);
}

void EventBook::Inherit(const EventWait& wait, const EventTrigger& trigger, const PriorAcquisition& acquired) {
  std::vector<PriorAcquisition>& inherited = StateOf(wait.task).inherited;
  // Of what one task acquired in one way the newest is enough, as in its history.
  const auto known = std::find_if(inherited.begin(), inherited.end(), [&](const PriorAcquisition& other) {
    return other.word == acquired.word && other.map == acquired.map && other.task == acquired.task;
  });
  if (known != inherited.end()) inherited.erase(known);
  if (inherited.size() >= kInheritedMax) {
    inherited.erase(inherited.begin());
    ++forgotten_;
  }
  inherited.push_back(acquired);
  inherited.back().number = wait.number;
  inherited.back().via = std::make_shared<const EventHop>(
      EventHop{trigger.word, trigger.triggered, wait.site, trigger.site, trigger.name, acquired.via});
}

size_t EventBook::MemoryBytes() const {
  size_t bytes = tasks_.capacity() * sizeof(TaskState) + events_.capacity() * (sizeof(Instance) + 16) +
                 numbers_.capacity() * 24;
  for (const TaskState& task : tasks_) bytes += task.inherited.capacity() * sizeof(PriorAcquisition);
  return bytes;
}

void EventBook::Clear() {
  numbers_.clear();
  tasks_.clear();
  events_.clear();
  forgotten_ = 0;
}

}  // namespace ordeal::lockdep
