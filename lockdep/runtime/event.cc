// Events: what is owed, and what a trigger that was not owed comes after.

#include "lockdep/runtime/event.h"

#include <utility>

#include "lockdep/runtime/event_book.h"
#include "lockdep/runtime/held_locks.h"
#include "lockdep/runtime/history.h"
#include "lockdep/runtime/validator.h"

namespace ordeal::lockdep {
namespace {

constexpr uint64_t kPairSeed = 0x452821e638d01377u;

// Locks of a wait or a history may be gone when they are reported: only their class is shown.
HeldLock ClassOnly(uint64_t word, Site site, LockMap* map) {
  map->lock_class = ClassOf(NodeOfWord(word));
  HeldLock lock;
  lock.map = map;
  lock.word = word;
  lock.site = site;
  return lock;
}

bool Owes(const TaskContext& task, const LockMap& event) {
  for (const HeldLock& held : task.held()) {
    if (held.map == &event) return true;
  }
  return false;
}

}  // namespace

void Validator::FollowEvents() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (events_ != nullptr) return;
  events_ = std::make_unique<EventBook>();
  follows_events_.store(true, std::memory_order_relaxed);  // a task that reads it late has only done what came before
}

void Validator::RememberAcquisitions(TaskContext& task) {
  FollowEvents();
  if (task.history_ != nullptr) return;
  task.history_ = task.spare_history_ != nullptr ? std::move(task.spare_history_) : std::make_unique<AcquisitionHistory>();
  task.history_->Clear();
  const std::lock_guard<std::mutex> lock(mutex_);
  task.history_->set_epoch(events_->EpochOf(EventBook::TaskName(task)));
}

void Validator::Remember(TaskContext& task) { task.history_->Add(task.held_.back()); }

void Validator::Owe(TaskContext& task, const LockMap& event, Site site, int subclass) {
  HeldLock owed = NotHeld(event, site);
  owed.word = ChainWord(NodeOf(event.lock_class, subclass), Mode::kExclusive) | task.context_ | kTrylock | kOwed;
  PushAndJudge(task, owed);
}

void Validator::Trigger(TaskContext& task, const LockMap& event, Site site, int subclass) {
  const bool owed = Owes(task, event);
  if (owed) Release(task, event, site);
  if (!follows_events_.load(std::memory_order_relaxed)) return;
  const std::lock_guard<std::mutex> lock(mutex_);
  EventTrigger trigger =
      events_->NewTrigger(EventBook::TaskName(task), task.history_.get(), owed, event,
                          ChainWord(NodeOf(event.lock_class, subclass), Mode::kExclusive) | task.context_, site);
  trigger.id = task.id_;
  trigger.name = task.name_;
  const auto name = reinterpret_cast<uint64_t>(&event);
  const std::vector<uint32_t> satisfied =
      events_->Post(std::move(trigger), [this](const EventWait& w, const EventTrigger& t, const PriorAcquisition& a) {
        JudgeEvent(w, t, a);
      });
  if (!options_.grade_online) return;
  witnesses_.Signal(task.id_, name);
  for (const uint32_t waiter : satisfied) witnesses_.Wait(waiter, name);
}

// The event is on top of the held locks.
void Validator::NoteWait(TaskContext& task, const LockMap& map, bool only_call) {
  const HeldLock& waited = task.held_.back();
  EventWait wait;
  wait.id = task.id_;
  wait.name = task.name_;
  wait.remembers = task.history_ != nullptr;
  wait.number = wait.remembers ? task.history_->count() : 0;
  wait.word = waited.word;
  wait.map = &map;
  wait.site = waited.site;
  if ((waited.word & kUnchecked) == 0) {
    for (size_t i = FirstOfIrqContext(task.held_, waited.word); i + 1 < task.held_.size(); ++i) {
      const HeldLock& held = task.held_[i];
      if (held.node() == waited.node() || (held.word & kUnchecked) != 0) continue;
      if (!classes_.at(ClassOf(held.node())).options.no_validate) wait.held.push_back(held);
    }
  } else {
    wait.remembers = false;  // a wait that ends by itself delays nothing
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  const uint64_t name = EventBook::TaskName(task);
  events_->BeginWait(name, std::move(wait));
  if (!only_call) return;
  const bool satisfied =
      events_->LeaveWait(name, map, [this](const EventWait& w, const EventTrigger& t, const PriorAcquisition& a) {
        JudgeEvent(w, t, a);
      });
  if (satisfied && options_.grade_online) witnesses_.Wait(task.id_, reinterpret_cast<uint64_t>(&map));
}

void Validator::NoteWaitEnd(TaskContext& task, const LockMap& map) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const bool satisfied = events_->EndWait(EventBook::TaskName(task), map,
                                          [this](const EventWait& w, const EventTrigger& t, const PriorAcquisition& a) {
                                            JudgeEvent(w, t, a);
                                          });
  if (satisfied && options_.grade_online) witnesses_.Wait(task.id_, reinterpret_cast<uint64_t>(&map));
}

void Validator::Arm(TaskContext& task, const LockMap& event, bool anew) {
  if (!follows_events_.load(std::memory_order_relaxed)) return;
  const std::lock_guard<std::mutex> lock(mutex_);
  events_->Arm(EventBook::TaskName(task), task.history_.get(), event, anew);
}

void Validator::ForgetEvent(const LockMap& event) {
  if (!follows_events_.load(std::memory_order_relaxed)) return;
  const std::lock_guard<std::mutex> lock(mutex_);
  events_->Forget(event);
}

// ---- dependencies by way of an event; mutex_ is held

// Whoever the waiter holds up waits for what the trigger came after. Not an edge "event -> acquired": that would hold for
// every wait for an event of the class, also for those that the acquisition happens before.
void Validator::JudgeEvent(const EventWait& wait, const EventTrigger& trigger, const PriorAcquisition& acquired) {
  const NodeId node = NodeOfWord(acquired.word);
  const LockClassOptions& rules = classes_.at(ClassOf(node)).options;
  if (node == NodeOfWord(wait.word) || rules.no_validate) return;
  for (const HeldLock& holder : wait.held) {
    if (holder.node() == node) {
      // As for locks taken one inside the other: a class with an order may have other instances waited for.
      if ((rules.ordered() || rules.no_check_recursion) && holder.map != acquired.map) continue;
      if (ModeOfWord(acquired.word) == Mode::kSharedRecursive && holder.mode() != Mode::kExclusive) continue;
    }
    uint64_t pair = MixChainKey(MixChainKey(MixChainKey(kPairSeed, holder.word), wait.word), acquired.word);
    if (options_.grade_online) pair = MixChainKey(MixChainKey(pair, wait.id), trigger.id);
    if (event_pairs_.Touch(pair, run_, !broken_.load(std::memory_order_relaxed))) continue;
    AddEventDependency(wait, holder, trigger, acquired, pair);
  }
}

void Validator::AddEventDependency(const EventWait& wait, const HeldLock& holder, const EventTrigger& trigger,
                                   const PriorAcquisition& acquired, uint64_t pair) {
  LockMap holder_map, acquired_map;
  const HeldLock held = ClassOnly(holder.word, holder.site, &holder_map);
  HeldLock taken = ClassOnly(acquired.word, acquired.site, &acquired_map);
  // To the one who triggers, the event is owed.
  TaskContext triggerer(trigger.name.c_str(), trigger.id);
  HeldLock event;
  event.map = wait.map;
  event.word = trigger.word | kTrylock | kOwed;
  event.site = trigger.site;
  triggerer.held_.Push(event);
  if (held.node() == taken.node()) {
    const size_t before = violations_.size();
    ReportCycle(triggerer, event, taken, {}, kNoEdge, DescribeEventRoute(wait, holder, trigger, acquired));
    if (!broken_.load(std::memory_order_relaxed)) JudgeEachRun();
    if (violations_.size() == before) return;
    Violation& violation = violations_.back();
    const bool same = holder.map == acquired.map;
    violation.grade = same ? lockdep::Grade::kFeasible : lockdep::Grade::kOrder;
    if (!same) violation.grade_reason = "the locks were different ones of their class";
    violation.instances = {"1 x " + wait.name, "1 x " + trigger.name};
    return;
  }
  const uint8_t kind = EdgeKind(held.mode(), taken.mode());
  bool new_to_all = false;
  const EdgeId edge = graph_.Add(held.node(), taken.node(),
                                 {kind, held.mode(), taken.mode(), held.site, taken.site, wait.name.c_str()}, run_, &new_to_all);
  if (new_to_all && graph_.edge(edge).kinds == kind) {
    event_routes_[Index(edge)] = DescribeEventRoute(wait, holder, trigger, acquired);
  }
  if (options_.grade_online) {
    TaskContext waiter(wait.name.c_str(), wait.id);
    for (const HeldLock& other : wait.held) waiter.held_.Push(other);
    taken.map = acquired.map;  // compared only
    RecordWitness(waiter, holder, taken, edge);
    taken.map = &acquired_map;
  }
  std::vector<EdgeId> path;
  if (new_to_all && !broken_.load(std::memory_order_relaxed) && graph_.FindCycleInAllRuns(edge, kind, &path)) JudgeEachRun();
  if (broken_.load(std::memory_order_relaxed) && FindCycle(edge, kind, &path)) {
    ReportCycle(triggerer, event, taken, path, edge, DescribeEventRoute(wait, holder, trigger, acquired));
  }
  if (event_pairs_.Insert(pair, run_, static_cast<uint32_t>(event_edges_.size()), false)) {
    event_edges_.push_back({edge, kind});
  }
}

// What the one edge stands for: held -> event -> (events on the way) -> acquired.
std::vector<DependencyReport> Validator::DescribeEventRoute(const EventWait& wait, const HeldLock& holder,
                                                            const EventTrigger& trigger,
                                                            const PriorAcquisition& acquired) const {
  std::vector<DependencyReport> route;
  DependencyReport step;
  step.from = classes_.NodeName(holder.node());
  step.from_mode = holder.mode();
  step.from_site = holder.site;
  step.from_event = classes_.at(ClassOf(holder.node())).options.is_event;
  step.to = classes_.NodeName(NodeOfWord(wait.word));
  step.to_site = wait.site;
  step.to_event = true;
  step.task = wait.name;
  route.push_back(step);
  Site trigger_site = trigger.site;
  std::string task = trigger.name;
  for (const EventHop* hop = acquired.via.get(); hop != nullptr; hop = hop->next.get()) {
    step.from = route.back().to;
    step.from_mode = Mode::kExclusive;
    step.from_site = trigger_site;
    step.from_event = true;
    step.to = classes_.NodeName(NodeOfWord(hop->word));
    step.to_site = hop->wait_site;
    step.task = task;
    route.push_back(step);
    trigger_site = hop->trigger_site;
    task = hop->trigger_task;
  }
  step.from = route.back().to;
  step.from_mode = Mode::kExclusive;
  step.from_site = trigger_site;
  step.from_event = true;
  step.to = classes_.NodeName(NodeOfWord(acquired.word));
  step.to_mode = ModeOfWord(acquired.word);
  step.to_site = acquired.site;
  step.to_event = classes_.at(ClassOf(NodeOfWord(acquired.word))).options.is_event;
  step.to_sync = (acquired.word & kSync) != 0;
  step.task = task;
  route.push_back(step);
  return route;
}

}  // namespace ordeal::lockdep
