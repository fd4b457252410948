#include "lockdep/predict/trace_for_test.h"

#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "lockdep/support/check.h"

namespace ordeal::lockdep {
namespace {

struct Word {
  const char* word;
  EventOp op;
};
constexpr Word kWords[] = {
    {"fork", EventOp::kFork},         {"join", EventOp::kJoin},       {"r", EventOp::kRead},
    {"w", EventOp::kWrite},           {"trigger", EventOp::kEventTrigger}, {"wait", EventOp::kEventWait},
    {"timedwait", EventOp::kEventWait}, {"request", EventOp::kEventRequest}, {"blocked", EventOp::kEventBlocked},
    {"arrive", EventOp::kArrive},     {"depart", EventOp::kDepart},   {"down", EventOp::kDown},
    {"up", EventOp::kUp},             {"req", EventOp::kRequest},     {"destroy", EventOp::kDestroy},
    {"init", EventOp::kInit},         {"wwbegin", EventOp::kWwBegin}, {"wwend", EventOp::kWwEnd},
    {"downgrade", EventOp::kDowngrade}};

void Declare(absl::string_view word, absl::string_view value, TraceSymbols* symbols) {
  const std::vector<std::string> parts = absl::StrSplit(value, ',');
  if (word == "class") {
    symbols->DeclareClass(symbols->Class(parts[0]), parts[0], {.ordered_by_key = parts.size() > 1});
  } else if (word == "lock") {
    uint64_t key = 0;
    if (parts.size() > 2) LD_CHECK(absl::SimpleAtoi(parts[2], &key), parts[2]);
    symbols->DeclareLock(parts[0], symbols->Class(parts[1]), key);
  } else {
    symbols->SetRole(symbols->Task(parts[0]), parts[1]);
  }
}

LockEvent ParseStep(absl::string_view step, TraceSymbols* symbols) {
  LockEvent event;
  event.op = EventOp::kAcquire;
  const size_t colon = step.find(':');
  if (colon != absl::string_view::npos) {
    const absl::string_view word = step.substr(0, colon);
    bool known = false;
    for (const Word& row : kWords) {
      if (word != row.word) continue;
      event.op = row.op;
      known = true;
    }
    LD_CHECK(known, std::string(step));
    if (word == "timedwait") event.flags = kFlagTimed;
    step.remove_prefix(colon + 1);
  } else if (step[0] == '-') {
    event.op = EventOp::kRelease;
    step.remove_prefix(1);
  } else if (step[0] >= 'a' && step[0] <= 'z') {
    if (step[0] == 's') event.mode = Mode::kShared;
    if (step[0] == 'r') event.mode = Mode::kSharedRecursive;
    if (step[0] == 't') event.flags = kFlagTrylock;
    if (step[0] == 'f') event.op = EventOp::kTryFailed;
    step.remove_prefix(1);
  }
  switch (ObjectOf(event.op)) {
    case ObjectKind::kLock: event.object = symbols->Lock(step); break;
    case ObjectKind::kTask: event.object = symbols->Task(step); break;
    case ObjectKind::kVariable: event.object = symbols->Variable(step); break;
    case ObjectKind::kClass: event.object = symbols->Class(step); break;
    case ObjectKind::kNone: break;
  }
  return event;
}

// The state of a replay: what is held, written, triggered and done.
class World {
 public:
  explicit World(const Trace& trace) : trace_(trace) {}

  // Why the event cannot happen now; empty if it can.
  std::string Blocked(const LockEvent& event) const {
    if (event.op == EventOp::kDown || event.op == EventOp::kAcquire || event.op == EventOp::kRequest) {
      for (const auto& [holder, mode] : HoldersOf(event.object)) {
        if (holder == event.task && trace_.symbols.lock_row(event.object).recursive) continue;
        if (mode == Mode::kExclusive || event.mode == Mode::kExclusive) return "held";
      }
    }
    if (event.op == EventOp::kEventWait && triggered_.count(event.object) == 0) return "not triggered";
    if (event.op == EventOp::kEventBlocked) return "never triggered";
    if (event.op == EventOp::kJoin && done_.count(event.object) == 0) return "still running";
    return "";
  }

  void Do(const LockEvent& event) {
    switch (event.op) {
      case EventOp::kDown:
      case EventOp::kAcquire: held_[event.object].emplace(event.task, event.mode); break;
      case EventOp::kUp:
      case EventOp::kRelease: {
        auto& holders = held_[event.object];
        auto own = holders.find(event.task);
        if (own == holders.end()) own = holders.begin();
        if (own != holders.end()) holders.erase(own);
        break;
      }
      case EventOp::kEventTrigger: triggered_.insert(event.object); break;
      case EventOp::kEventRequest: triggered_.erase(event.object); break;
      case EventOp::kWrite: written_[event.object] = &event; break;
      default: break;
    }
  }

  const LockEvent* LastWrite(uint32_t variable) const {
    const auto found = written_.find(variable);
    return found == written_.end() ? nullptr : found->second;
  }
  std::multimap<uint32_t, Mode> HoldersOf(uint32_t lock) const {
    const auto found = held_.find(lock);
    return found == held_.end() ? std::multimap<uint32_t, Mode>() : found->second;
  }
  void Finish(uint32_t task) { done_.insert(task); }

 private:
  const Trace& trace_;
  std::map<uint32_t, std::multimap<uint32_t, Mode>> held_;
  std::set<uint32_t> triggered_, done_;
  std::map<uint32_t, const LockEvent*> written_;
};

}  // namespace

Trace FromScript(absl::string_view script) {
  Trace trace;
  int line = 0;
  uint32_t task = kNoIndex;
  for (absl::string_view word : absl::StrSplit(script, absl::ByAnyChar(" ;"), absl::SkipEmpty())) {
    if (absl::EndsWith(word, ":")) {
      task = trace.symbols.Task(word.substr(0, word.size() - 1));
      continue;
    }
    const size_t colon = word.find(':');
    const absl::string_view first = word.substr(0, colon);
    if (first == "class" || first == "lock" || first == "role") {
      Declare(first, word.substr(colon + 1), &trace.symbols);
      continue;
    }
    LockEvent event = ParseStep(word, &trace.symbols);
    event.task = task;
    event.site = trace.symbols.SiteIndex(absl::StrCat("s:", ++line));
    trace.events.push_back(event);
  }
  return trace;
}

std::string FormatForFailure(const Trace& trace) {
  std::string text;
  for (size_t i = 0; i < trace.events.size(); ++i) {
    const LockEvent& event = trace.events[i];
    absl::StrAppend(&text, i + 1, " ", EventText(event, trace.symbols));
    if (event.op == EventOp::kAcquire || event.op == EventOp::kRequest) {
      absl::StrAppend(&text, " ", ModeName(event.mode), event.trylock() ? " try" : "");
    }
    absl::StrAppend(&text, "\n");
  }
  return text;
}

std::string ReplayError(const Trace& trace, const GradedCycle& cycle) {
  World world(trace);
  std::vector<uint32_t> done(trace.symbols.tasks());
  std::vector<uint32_t> length(trace.symbols.tasks());
  std::vector<const LockEvent*> last_write(trace.symbols.variables());
  for (const LockEvent& event : trace.events) ++length[event.task];
  for (uint32_t task = 0; task < length.size(); ++task) {
    if (length[task] == 0) world.Finish(task);
  }
  std::vector<uint32_t> position(trace.symbols.tasks());
  std::vector<bool> forked_later(trace.symbols.tasks());
  for (const LockEvent& event : trace.events) {
    if (event.op == EventOp::kFork) forked_later[event.object] = true;
  }
  for (const LockEvent& event : trace.events) {
    const LockEvent* const seen = event.op == EventOp::kRead ? last_write[event.object] : nullptr;
    if (event.op == EventOp::kWrite) last_write[event.object] = &event;
    if (++position[event.task] > cycle.schedule[event.task]) continue;
    const std::string blocked = world.Blocked(event);
    if (!blocked.empty()) return absl::StrCat(EventText(event, trace.symbols), " is blocked: ", blocked);
    if (event.op == EventOp::kRead && world.LastWrite(event.object) != seen) {
      return absl::StrCat(EventText(event, trace.symbols), " reads another write");
    }
    if (forked_later[event.task]) return absl::StrCat(EventText(event, trace.symbols), " before its task is forked");
    if (event.op == EventOp::kFork) forked_later[event.object] = false;
    world.Do(event);
    if (++done[event.task] == length[event.task]) world.Finish(event.task);
  }
  std::vector<bool> in_cycle(trace.symbols.tasks());
  for (size_t i = 0; i < cycle.witness.size(); ++i) {
    const LockEvent& event = trace.events[cycle.witness[i]];
    in_cycle[event.task] = true;
    uint32_t number = 0;
    for (uint32_t e = 0; e <= cycle.witness[i]; ++e) number += trace.events[e].task == event.task ? 1 : 0;
    if (number != cycle.schedule[event.task] + 1) {
      return absl::StrCat(EventText(event, trace.symbols), " is not what its task does next");
    }
  }
  // Let all others go on as far as they can: nobody may free the tasks of the cycle.
  for (bool moved = true; moved;) {
    moved = false;
    std::fill(position.begin(), position.end(), 0);
    for (const LockEvent& event : trace.events) {
      if (++position[event.task] != done[event.task] + 1 || in_cycle[event.task] || forked_later[event.task]) continue;
      if (!world.Blocked(event).empty()) continue;
      if (event.op == EventOp::kFork) forked_later[event.object] = false;
      world.Do(event);
      if (++done[event.task] == length[event.task]) world.Finish(event.task);
      moved = true;
    }
    for (size_t i = 0; i < cycle.witness.size(); ++i) {
      const LockEvent& event = trace.events[cycle.witness[i]];
      if (cycle.edges[i].queued || event.op == EventOp::kDepart) continue;  // a queue is not modelled
      if (world.Blocked(event).empty()) return absl::StrCat(EventText(event, trace.symbols), " is not blocked");
    }
  }
  return "";
}

}  // namespace ordeal::lockdep
