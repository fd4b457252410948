// Prediction against an oracle that knows nothing of closures: it walks through every reordering of a small trace in which
// each task keeps its order, each read sees the same write and conflicting acquisitions of a lock keep their order, and
// collects the deadlocks of every state. The two sets of abstract patterns must be equal.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lockdep/predict/predictor.h"
#include "lockdep/predict/trace_for_test.h"

namespace ordeal::lockdep {
namespace {

// One task of a deadlock: who waits for what how, and what it holds.
std::string Member(const std::string& task, const std::string& lock, Mode mode, bool queued, std::vector<std::string> held) {
  std::sort(held.begin(), held.end());
  return absl::StrCat(task, "[", absl::StrJoin(held, ","), "]", queued ? "~" : ">", lock, static_cast<int>(mode));
}
std::string HeldText(const std::string& lock, Mode mode) { return absl::StrCat(lock, mode == Mode::kExclusive ? "x" : "s"); }

std::string Canonical(std::vector<std::string> members) {
  std::rotate(members.begin(), std::min_element(members.begin(), members.end()), members.end());
  return absl::StrJoin(members, " ");
}

class Oracle {
 public:
  explicit Oracle(const Trace& trace) : trace_(trace), symbols_(trace.symbols), of_task_(trace.symbols.tasks()) {
    std::vector<int> last_write(symbols_.variables(), -1);
    seen_.resize(trace.events.size(), -1);
    forked_by_.resize(symbols_.tasks(), -1);
    for (size_t i = 0; i < trace.events.size(); ++i) {
      const LockEvent& event = trace.events[i];
      of_task_[event.task].push_back(i);
      if (event.op == EventOp::kRead) seen_[i] = last_write[event.object];
      if (event.op == EventOp::kWrite) last_write[event.object] = static_cast<int>(i);
      if (event.op == EventOp::kFork) forked_by_[event.object] = static_cast<int>(i);
    }
  }

  std::set<std::string> Deadlocks() {
    State start{std::vector<size_t>(symbols_.tasks()), std::vector<int>(symbols_.variables(), -1)};
    std::vector<State> stack = {start};
    std::set<std::pair<std::vector<size_t>, std::vector<int>>> seen = {{start.done, start.written}};
    while (!stack.empty()) {
      const State state = stack.back();
      stack.pop_back();
      Look(state);
      for (uint32_t task = 0; task < of_task_.size(); ++task) {
        State next = state;
        if (Step(task, &next) && seen.emplace(next.done, next.written).second) stack.push_back(next);
      }
    }
    return found_;
  }

 private:
  struct State {
    std::vector<size_t> done;
    std::vector<int> written;
  };
  using Holders = std::map<uint32_t, std::vector<std::pair<uint32_t, Mode>>>;  // lock -> task, mode; as often as held

  bool Done(const State& state, size_t event) const {
    const std::vector<size_t>& events = of_task_[trace_.events[event].task];
    const size_t done = state.done[trace_.events[event].task];
    return done > 0 && events[done - 1] >= event;
  }
  Holders HoldersIn(const State& state) const {
    Holders holders;
    for (size_t i = 0; i < trace_.events.size(); ++i) {
      const LockEvent& event = trace_.events[i];
      if (!Done(state, i)) continue;
      auto& list = holders[event.object];
      if (event.op == EventOp::kAcquire) list.emplace_back(event.task, event.mode);
      if (event.op == EventOp::kRelease) {
        // The innermost goes first.
        for (size_t k = list.size(); k-- > 0;) {
          if (list[k].first != event.task) continue;
          list.erase(list.begin() + static_cast<std::ptrdiff_t>(k));
          break;
        }
      }
    }
    return holders;
  }
  static bool Conflict(Mode a, Mode b) { return a == Mode::kExclusive || b == Mode::kExclusive; }
  // A task that keeps `event` from acquiring its lock.
  std::vector<uint32_t> Blockers(const Holders& holders, const LockEvent& event, bool shared_only = false) const {
    std::vector<uint32_t> blockers;
    const auto found = holders.find(event.object);
    if (found == holders.end()) return blockers;
    for (const auto& [task, mode] : found->second) {
      if (task == event.task && mode != Mode::kExclusive && event.mode != Mode::kExclusive) continue;
      if (shared_only && mode == Mode::kExclusive) continue;
      if (Conflict(mode, event.mode)) blockers.push_back(task);
    }
    return blockers;
  }

  bool Step(uint32_t task, State* state) const {
    if (state->done[task] == of_task_[task].size()) return false;
    const size_t index = of_task_[task][state->done[task]];
    const LockEvent& event = trace_.events[index];
    if (forked_by_[task] >= 0 && !Done(*state, static_cast<size_t>(forked_by_[task]))) return false;
    switch (event.op) {
      case EventOp::kRequest: return false;  // it never returns
      case EventOp::kAcquire:
        if (!Blockers(HoldersIn(*state), event).empty()) return false;
        for (size_t i = index + 1; i < trace_.events.size(); ++i) {
          const LockEvent& later = trace_.events[i];
          if (later.op == EventOp::kAcquire && later.object == event.object && Conflict(later.mode, event.mode) &&
              Done(*state, i)) {
            return false;
          }
        }
        break;
      case EventOp::kRead:
        if (state->written[event.object] != seen_[index]) return false;
        break;
      case EventOp::kWrite: state->written[event.object] = static_cast<int>(index); break;
      case EventOp::kJoin:
        if (state->done[event.object] < of_task_[event.object].size()) return false;
        break;
      default: break;
    }
    ++state->done[task];
    return true;
  }

  const LockEvent* Waiting(const State& state, uint32_t task) const {
    if (state.done[task] == of_task_[task].size()) return nullptr;
    if (forked_by_[task] >= 0 && !Done(state, static_cast<size_t>(forked_by_[task]))) return nullptr;
    const LockEvent& event = trace_.events[of_task_[task][state.done[task]]];
    const bool waits = event.op == EventOp::kAcquire || event.op == EventOp::kRequest;
    return waits && !event.trylock() ? &event : nullptr;
  }

  void Look(const State& state) {
    holders_ = HoldersIn(state);
    for (uint32_t start = 0; start < of_task_.size(); ++start) {
      if (Waiting(state, start) == nullptr) continue;
      std::vector<uint32_t> path = {start};
      std::vector<bool> queued = {false};
      Extend(state, &path, &queued);
    }
  }

  void Extend(const State& state, std::vector<uint32_t>* path, std::vector<bool>* queued) {
    const LockEvent& event = *Waiting(state, path->back());
    const bool writer_for_reader = path->size() > 1 && (*queued)[path->size() - 2];
    for (const uint32_t next : Blockers(holders_, event, writer_for_reader)) Go(state, next, false, path, queued);
    if (event.mode != Mode::kShared) return;
    for (uint32_t next = 0; next < of_task_.size(); ++next) {
      const LockEvent* other = Waiting(state, next);
      if (next == path->back() || other == nullptr || other->object != event.object) continue;
      if (other->mode == Mode::kExclusive) Go(state, next, true, path, queued);
    }
  }

  void Go(const State& state, uint32_t next, bool queues, std::vector<uint32_t>* path, std::vector<bool>* queued) {
    if (Waiting(state, next) == nullptr) return;
    queued->back() = queues;
    if (next == path->front()) {
      // A writer at the front that the last reader queues behind must wait for a reader.
      const LockEvent& first = *Waiting(state, next);
      const std::vector<uint32_t> readers = Blockers(holders_, first, true);
      const uint32_t second = path->size() > 1 ? (*path)[1] : next;
      if (!queues || std::count(readers.begin(), readers.end(), second) > 0) Record(state, *path, *queued);
    } else if (next > path->front() && std::count(path->begin(), path->end(), next) == 0) {
      path->push_back(next);
      queued->push_back(false);
      Extend(state, path, queued);
      path->pop_back();
      queued->pop_back();
    }
    queued->back() = false;
  }

  void Record(const State& state, const std::vector<uint32_t>& path, const std::vector<bool>& queued) {
    std::vector<std::string> members;
    for (size_t i = 0; i < path.size(); ++i) {
      std::set<std::string> held;
      for (const auto& [lock, list] : holders_) {
        for (const auto& [task, mode] : list) {
          if (task != path[i]) continue;
          held.insert(HeldText(symbols_.lock_name(lock), mode));
          break;  // as the outermost acquisition took it
        }
      }
      const LockEvent& event = *Waiting(state, path[i]);
      members.push_back(Member(symbols_.task_name(path[i]), symbols_.lock_name(event.object), event.mode, queued[i],
                               {held.begin(), held.end()}));
    }
    found_.insert(Canonical(members));
  }

  const Trace& trace_;
  const TraceSymbols& symbols_;
  std::vector<std::vector<size_t>> of_task_;
  std::vector<int> seen_;       // by event: the write that a read saw
  std::vector<int> forked_by_;  // by task
  Holders holders_;
  std::set<std::string> found_;
};

std::set<std::string> Predicted(const Trace& trace) {
  const Predictor predictor(trace, {.every_pattern = true});
  EXPECT_TRUE(predictor.stats().complete);
  std::set<std::string> patterns;
  for (const GradedCycle& cycle : predictor.cycles()) {
    if (cycle.grade != Grade::kFeasible) continue;
    std::vector<std::string> members;
    bool joins = false;
    for (const CycleEdge& edge : cycle.edges) {
      std::vector<std::string> held;
      for (const GuardReport& guard : edge.held) held.push_back(HeldText(guard.lock, guard.mode));
      joins |= edge.waits_for_event;
      members.push_back(Member(edge.task, edge.to_lock, edge.to_mode, edge.queued, held));
    }
    EXPECT_EQ(ReplayError(trace, cycle), "") << FormatForFailure(trace) << cycle.ToString();
    if (!joins) patterns.insert(Canonical(members));
  }
  return patterns;
}

struct Shape {
  int tasks = 3;
  int locks = 3;
  int events = 14;
  bool readers = false;
  bool variables = false;
  bool trylocks = false;
  bool forks = false;
  bool requests = false;
};

// A run: tasks do random things that are possible at the time.
Trace RandomTrace(const Shape& shape, std::mt19937* random) {
  Trace trace;
  std::vector<std::vector<std::pair<int, Mode>>> held(static_cast<size_t>(shape.tasks));
  std::vector<bool> started(static_cast<size_t>(shape.tasks), !shape.forks), ended(static_cast<size_t>(shape.tasks));
  started[0] = true;
  for (int task = 0; task < shape.tasks; ++task) trace.symbols.Task(absl::StrCat("T", task));
  const auto free_for = [&](int lock, Mode mode, size_t except) {
    for (size_t task = 0; task < held.size(); ++task) {
      for (const auto& [other, other_mode] : held[task]) {
        if (other != lock) continue;
        if (task == except && (mode == Mode::kExclusive || other_mode == Mode::kExclusive)) return false;
        if (task != except && (mode == Mode::kExclusive || other_mode == Mode::kExclusive)) return false;
      }
    }
    return true;
  };
  for (int step = 0; step < shape.events * 3 && static_cast<int>(trace.events.size()) < shape.events; ++step) {
    const size_t task = (*random)() % static_cast<size_t>(shape.tasks);
    if (!started[task] || ended[task]) continue;
    LockEvent event{.op = EventOp::kAcquire, .task = static_cast<uint32_t>(task)};
    const int lock = static_cast<int>((*random)() % static_cast<size_t>(shape.locks));
    const unsigned dice = (*random)() % 100;
    if (shape.forks && dice < 12) {
      const size_t other = (*random)() % static_cast<size_t>(shape.tasks);
      if (other == task) continue;
      event.object = static_cast<uint32_t>(other);
      if (!started[other]) {
        event.op = EventOp::kFork;
        started[other] = true;
      } else if (!ended[other] && other != 0 && held[other].empty()) {
        event.op = EventOp::kJoin;
        ended[other] = true;
      } else {
        continue;
      }
    } else if (shape.variables && dice < 22) {
      event.op = dice % 2 == 0 ? EventOp::kRead : EventOp::kWrite;
      event.object = trace.symbols.Variable(absl::StrCat("V", dice % 3));
    } else if (dice < 65 && held[task].size() < 3) {
      const unsigned mode = shape.readers ? (*random)() % 3 : 0;
      event.mode = static_cast<Mode>(mode);
      if (!free_for(lock, event.mode, task)) {
        const bool own = std::any_of(held[task].begin(), held[task].end(), [&](const auto& h) { return h.first == lock; });
        if (!shape.requests || (own && (*random)() % 4 != 0) || dice % 3 != 0) continue;
        event.op = EventOp::kRequest;
        ended[task] = true;  // it waits for ever
      } else {
        if (shape.trylocks && (*random)() % 4 == 0) event.flags = kFlagTrylock;
        held[task].emplace_back(lock, event.mode);
      }
      event.object = trace.symbols.Lock(std::string(1, static_cast<char>('A' + lock)));
    } else if (!held[task].empty()) {
      const size_t which = held[task].size() - 1 - ((*random)() % 4 == 0 ? (*random)() % held[task].size() : 0);
      const int name = held[task][which].first;
      // Inner acquisitions of the same lock go first.
      size_t last = held[task].size();
      while (held[task][--last].first != name) {
      }
      event.op = EventOp::kRelease;
      event.object = trace.symbols.Lock(std::string(1, static_cast<char>('A' + name)));
      held[task].erase(held[task].begin() + static_cast<std::ptrdiff_t>(last));
    } else {
      continue;
    }
    trace.events.push_back(event);
  }
  return trace;
}

void Compare(const Shape& base, int rounds, unsigned seed, int deadlocks_min) {
  std::mt19937 random(seed);
  int deadlocks = 0;
  for (int round = 0; round < rounds; ++round) {
    Shape shape = base;
    shape.tasks = 2 + static_cast<int>(random() % 3);
    shape.locks = 2 + static_cast<int>(random() % 3);
    shape.events = 8 + static_cast<int>(random() % 7);
    const Trace trace = RandomTrace(shape, &random);
    const std::set<std::string> expected = Oracle(trace).Deadlocks();
    const std::set<std::string> predicted = Predicted(trace);
    deadlocks += static_cast<int>(expected.size());
    ASSERT_EQ(absl::StrJoin(predicted, "\n"), absl::StrJoin(expected, "\n")) << FormatForFailure(trace);
  }
  EXPECT_GE(deadlocks, deadlocks_min) << "the generator makes too few deadlocks to mean anything";
}

TEST(ExhaustiveTest, Mutexes) { Compare({}, 4000, 1, 200); }
TEST(ExhaustiveTest, MutexesAndVariables) { Compare({.variables = true}, 12000, 2, 100); }
TEST(ExhaustiveTest, Readers) { Compare({.readers = true}, 4000, 3, 100); }
TEST(ExhaustiveTest, ReadersAndVariablesAndTrylocks) {
  Compare({.readers = true, .variables = true, .trylocks = true}, 12000, 4, 100);
}
TEST(ExhaustiveTest, ForksAndJoins) { Compare({.variables = true, .forks = true}, 12000, 5, 20); }
TEST(ExhaustiveTest, AcquisitionsThatNeverReturn) { Compare({.readers = true, .requests = true}, 4000, 6, 200); }

}  // namespace
}  // namespace ordeal::lockdep
