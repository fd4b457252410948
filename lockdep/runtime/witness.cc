#include "lockdep/runtime/witness.h"

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"

namespace ordeal::lockdep {
namespace {

std::shared_ptr<const TaskClock> Merge(const TaskClock& a, const TaskClock& b) {
  return std::make_shared<TaskClock>(MergeClocks(a, b));
}

// Nobody waits for a recursive reader's or for a reader's reader.
bool Blocks(Mode acquirer, Mode holder) {
  return holder == Mode::kExclusive || acquirer != Mode::kSharedRecursive;
}

// A lock that both hold, and that they cannot hold at once; null if there is none.
const WitnessLock* CommonGuard(const Witness& a, const Witness& b) {
  for (const WitnessLock& x : a.held) {
    for (const WitnessLock& y : b.held) {
      if (x.instance == y.instance && (x.mode == Mode::kExclusive || y.mode == Mode::kExclusive)) return &x;
    }
  }
  return nullptr;
}

bool SameLocks(const std::vector<WitnessLock>& a, const std::vector<WitnessLock>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const WitnessLock& x, const WitnessLock& y) {
    return x.instance == y.instance && x.mode == y.mode;
  });
}

}  // namespace

// A partial choice: entry i is of the cycle's edge i.
struct WitnessBook::Search {
  std::vector<const EdgeWitnesses*> edges;
  std::vector<const Entry*> chosen;
  Relax relax = Relax::kNothing;
  int steps = 0;
};

WitnessBook::TaskState& WitnessBook::StateOf(uint32_t task) {
  TaskState& state = tasks_[task];
  if (state.clock == nullptr) state.clock = std::make_shared<TaskClock>();
  return state;
}

void WitnessBook::Fork(uint32_t parent, uint32_t child) {
  StateOf(child);  // may move what StateOf(parent) refers to, so first
  TaskState& from = StateOf(parent);
  TaskState& to = StateOf(child);
  to.clock = Merge(*Merge(*from.clock, *to.clock), {{parent, from.epoch}});
  ++from.epoch;
}

void WitnessBook::Join(uint32_t parent, uint32_t child) {
  StateOf(parent);
  TaskState& from = StateOf(child);
  TaskState& to = StateOf(parent);
  to.clock = Merge(*Merge(*from.clock, *to.clock), {{child, from.epoch}});
  ++from.epoch;
}

void WitnessBook::Signal(uint32_t task, uint64_t event) {
  TaskState& state = StateOf(task);
  std::shared_ptr<const TaskClock>& clock = events_[event];
  clock = Merge(*state.clock, {{task, state.epoch}});  // the last trigger is the one that a wait is satisfied by
  ++state.epoch;
}

void WitnessBook::Wait(uint32_t task, uint64_t event) {
  const auto found = events_.find(event);
  if (found == events_.end()) return;
  TaskState& state = StateOf(task);
  state.clock = Merge(*state.clock, *found->second);
}

void WitnessBook::Record(uint32_t edge, Witness witness) {
  if (edge >= edges_.size()) edges_.resize(edge + 1);
  EdgeWitnesses& known = edges_[edge];
  const TaskState& state = StateOf(witness.task);
  for (const Entry& entry : known.entries) {
    if (entry.witness.task == witness.task && entry.witness.from == witness.from && entry.witness.to == witness.to &&
        entry.witness.from_mode == witness.from_mode && entry.witness.to_mode == witness.to_mode &&
        entry.clock == state.clock && entry.epoch == state.epoch && SameLocks(entry.witness.held, witness.held)) {
      return;
    }
  }
  if (known.entries.size() >= witnesses_max_) {
    known.overflowed = true;
    ++dropped_;
    return;
  }
  known.entries.push_back({std::move(witness), state.clock, state.epoch});
  ++size_;
}

bool WitnessBook::Before(const Entry& first, const Entry& second) {
  return EpochIn(*second.clock, first.witness.task) >= first.epoch;
}

bool WitnessBook::Fits(const Entry& entry, const Search& search) {
  const Witness& next = entry.witness;
  const bool last = search.chosen.size() + 1 == search.edges.size();
  if (!search.chosen.empty()) {
    const Witness& previous = search.chosen.back()->witness;
    if (!Blocks(previous.to_mode, next.from_mode)) return false;
    if (search.relax != Relax::kInstances && previous.to != next.from) return false;
  }
  if (last) {
    const Witness& first = search.chosen.empty() ? next : search.chosen.front()->witness;
    if (!Blocks(next.to_mode, first.from_mode)) return false;
    if (search.relax != Relax::kInstances && next.to != first.from) return false;
  }
  const bool gates = search.relax == Relax::kNothing || search.relax == Relax::kOrder || search.relax == Relax::kTasks;
  const bool tasks = search.relax <= Relax::kGate;
  for (const Entry* other : search.chosen) {
    if (tasks && other->witness.task == next.task) return false;
    if (gates && CommonGuard(other->witness, next) != nullptr) return false;
    if (search.relax == Relax::kNothing && (Before(*other, entry) || Before(entry, *other))) return false;
  }
  return true;
}

bool WitnessBook::Extend(Search* search) const {
  if (search->chosen.size() == search->edges.size()) return true;
  for (const Entry& entry : search->edges[search->chosen.size()]->entries) {
    if (++search->steps > kSearchStepsMax) return false;
    if (!Fits(entry, *search)) continue;
    search->chosen.push_back(&entry);
    if (Extend(search)) return true;
    search->chosen.pop_back();
  }
  return false;
}

CycleGrade WitnessBook::GradeCycle(const std::vector<uint32_t>& edges) const {
  static const EdgeWitnesses kNone;
  Search search;
  bool overflowed = false;
  for (const uint32_t edge : edges) {
    search.edges.push_back(edge < edges_.size() ? &edges_[edge] : &kNone);
    overflowed |= search.edges.back()->overflowed;
  }
  for (const Relax relax :
       {Relax::kNothing, Relax::kOrder, Relax::kGate, Relax::kTasks, Relax::kTasksAndGate, Relax::kInstances}) {
    search.relax = relax;
    search.chosen.clear();
    search.steps = 0;
    const bool found = Extend(&search);
    const bool gave_up = search.steps > kSearchStepsMax;
    if (!found && !gave_up) continue;
    CycleGrade grade = found ? Conclude(search) : CycleGrade{};
    if (relax != Relax::kNothing || gave_up) {
      if (overflowed) grade = {Grade::kFeasible, "not excluded: more sightings than were kept", grade.instances};
      if (gave_up) grade = {Grade::kFeasible, "not excluded: too many sightings to compare", {}};
    }
    return grade;
  }
  return {overflowed ? Grade::kFeasible : Grade::kOrder, "no sightings of its dependencies fit each other", {}};
}

CycleGrade WitnessBook::Conclude(const Search& search) {
  CycleGrade grade;
  std::map<std::string, int> roles;
  std::map<uint32_t, int> tasks;
  for (const Entry* entry : search.chosen) {
    ++roles[entry->witness.role];
    ++tasks[entry->witness.task];
  }
  for (const auto& [role, count] : roles) grade.instances.push_back(absl::StrCat(count, " x ", role));
  const std::vector<const Entry*>& chosen = search.chosen;
  switch (search.relax) {
    case Relax::kNothing: {
      grade.grade = Grade::kFeasible;
      for (size_t i = 0; i < chosen.size(); ++i) {
        const Witness& next = chosen[(i + 1) % chosen.size()]->witness;
        if (chosen[i]->witness.to_mode == Mode::kExclusive || next.from_mode == Mode::kExclusive) continue;
        for (const WitnessLock& lock : next.held) {
          if (lock.instance != next.from) continue;
          absl::StrAppend(&grade.reason, grade.reason.empty() ? "needs a writer that waits for " : " and for ", lock.name);
          break;
        }
      }
      return grade;
    }
    case Relax::kOrder:
      for (const Entry* first : chosen) {
        for (const Entry* second : chosen) {
          if (first == second || !Before(*first, *second)) continue;
          grade.reason = absl::StrCat(second->witness.role, " goes there only after ", first->witness.role,
                                      " has been there, by fork, join or events");
          return grade;
        }
      }
      return grade;
    case Relax::kGate:
    case Relax::kTasksAndGate:
      for (size_t i = 0; i < chosen.size(); ++i) {
        for (size_t j = i + 1; j < chosen.size(); ++j) {
          const WitnessLock* gate = CommonGuard(chosen[i]->witness, chosen[j]->witness);
          if (gate == nullptr) continue;
          grade.reason = absl::StrCat("gate lock ", gate->name, " at ", gate->site.ToString());
          return grade;
        }
      }
      return grade;
    case Relax::kTasks:
      if (tasks.size() == 1) {
        grade.reason = absl::StrCat("one task only: ", chosen[0]->witness.role);
        return grade;
      }
      for (const Entry* entry : chosen) {
        const int count = tasks[entry->witness.task];
        if (count < 2) continue;
        grade.reason = absl::StrCat("needs ", count, " instances of ", entry->witness.role);
        return grade;
      }
      return grade;
    case Relax::kInstances: grade.reason = "the locks were different ones of their classes"; return grade;
  }
  return grade;
}

size_t WitnessBook::MemoryBytes() const {
  size_t bytes = edges_.capacity() * sizeof(EdgeWitnesses) + tasks_.capacity() * (sizeof(TaskState) + 8);
  for (const EdgeWitnesses& edge : edges_) {
    bytes += edge.entries.capacity() * sizeof(Entry);
    for (const Entry& entry : edge.entries) bytes += entry.witness.held.capacity() * sizeof(WitnessLock);
  }
  return bytes;
}

void WitnessBook::Clear() {
  edges_.clear();
  tasks_.clear();
  events_.clear();
  size_ = 0;
  dropped_ = 0;
}

}  // namespace ordeal::lockdep
