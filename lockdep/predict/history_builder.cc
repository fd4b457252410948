#include "lockdep/predict/history_builder.h"

#include <algorithm>
#include <utility>

namespace ordeal::lockdep {

HistoryBuilder::HistoryBuilder(LockHistory* history)
    : history_(*history),
      symbols_(history->trace_.symbols),
      events_(history->trace_.events),
      pairs_(events_.size(), kNever),
      tasks_(symbols_.tasks()),
      locks_(symbols_.locks()),
      last_write_(symbols_.variables()) {
  for (uint32_t lock = 0; lock < locks_.size(); ++lock) {
    locks_[lock].lock_class = symbols_.lock_row(lock).lock_class;
    locks_[lock].order_key = symbols_.lock_row(lock).order_key;
  }
  history_.sections_of_task_.resize(tasks_.size());
  absl::flat_hash_map<std::string, int> names;
  for (uint32_t i = 0; i < symbols_.classes(); ++i) {
    history_.class_versions_.push_back(++names[symbols_.class_row(i).name]);
  }
  Intern({});
}

void HistoryBuilder::Build() {
  ClassifySemaphores();
  Pair();
  Replay();
}

// A semaphore is a lock if it admits one task and each task ups only what it downed itself.
void HistoryBuilder::ClassifySemaphores() {
  std::vector<uint32_t> owner(locks_.size(), kNoTask);
  for (uint32_t lock = 0; lock < locks_.size(); ++lock) locks_[lock].as_lock = symbols_.lock_row(lock).count == 1;
  for (const LockEvent& event : events_) {
    if (event.op == EventOp::kDown) {
      if (owner[event.object] != kNoTask) locks_[event.object].as_lock = false;
      owner[event.object] = event.task;
    } else if (event.op == EventOp::kUp) {
      if (owner[event.object] != event.task) locks_[event.object].as_lock = false;
      owner[event.object] = kNoTask;
    }
  }
}

EventOp HistoryBuilder::Meaning(const LockEvent& event) const {
  if (event.op == EventOp::kDown && locks_[event.object].as_lock) return EventOp::kAcquire;
  if (event.op == EventOp::kUp && locks_[event.object].as_lock) return EventOp::kRelease;
  return event.op;
}

// ---- first pass

void HistoryBuilder::Pair() {
  for (uint32_t i = 0; i < events_.size(); ++i) {
    const LockEvent& event = events_[i];
    const uint32_t request = std::exchange(tasks_[event.task].request, event.op == EventOp::kRequest ? i : kNever);
    switch (Meaning(event)) {
      case EventOp::kAcquire:
        if (request != kNever && events_[request].object == event.object) pairs_[request] = kInner;  // it returned
        PairAcquire(event, i);
        break;
      case EventOp::kRelease: PairRelease(event, i); break;
      case EventOp::kInit:
      case EventOp::kDestroy:
      case EventOp::kFreed: locks_[event.object].holders.clear(); break;
      case EventOp::kFork:
        tasks_[event.object].forker = event.task;
        break;
      case EventOp::kJoin:
        if (tasks_[event.object].forker == event.task) tasks_[event.object].join_event = i;
        break;
      default: break;
    }
  }
}

void HistoryBuilder::PairAcquire(const LockEvent& event, uint32_t index) {
  if ((event.flags & kFlagSync) != 0) return;
  std::vector<Holder>& holders = locks_[event.object].holders;
  for (Holder& holder : holders) {
    if (holder.task != event.task) continue;
    ++holder.depth;
    pairs_[index] = kInner;
    return;
  }
  holders.push_back({event.task, index, 1});
}

void HistoryBuilder::PairRelease(const LockEvent& event, uint32_t index) {
  std::vector<Holder>& holders = locks_[event.object].holders;
  auto holder = std::find_if(holders.begin(), holders.end(), [&](const Holder& h) { return h.task == event.task; });
  if (holder == holders.end()) holder = holders.begin();  // another task's: handed over
  if (holder == holders.end()) return;                    // nobody holds it
  if (--holder->depth > 0) {
    pairs_[index] = kInner;
    return;
  }
  pairs_[index] = holder->acquire_event;
  pairs_[holder->acquire_event] = index;
  holders.erase(holder);
}

// ---- second pass

void HistoryBuilder::Replay() {
  for (uint32_t i = 0; i < events_.size(); ++i) {
    const LockEvent& event = events_[i];
    history_.order_.Step(event.task);
    switch (ObjectOf(event.op)) {
      case ObjectKind::kLock: ReplayLock(event, i); break;
      case ObjectKind::kTask: ReplayTask(event, i); break;
      case ObjectKind::kVariable:
        if (event.op == EventOp::kWrite) {
          last_write_[event.object] = history_.order_.Here(event.task);
        } else if (last_write_[event.object].position != 0) {
          history_.order_.After(event.task, last_write_[event.object], OrderCause::kRead, i);
        }
        break;
      case ObjectKind::kClass:
        if (event.op == EventOp::kWwBegin) tasks_[event.task].ww_class = event.object;
        if (event.op == EventOp::kWwEnd) tasks_[event.task].ww_class = kNoIndex;
        break;
      case ObjectKind::kNone: break;
    }
  }
}

void HistoryBuilder::ReplayLock(const LockEvent& event, uint32_t index) {
  LockState& lock = StateOf(event.object);
  switch (Meaning(event)) {
    case EventOp::kRequest:
    case EventOp::kAcquire: Acquire(event, index); break;
    case EventOp::kRelease: Release(event, index); break;
    case EventOp::kTryFailed: TryFailed(event, index); break;
    case EventOp::kDowngrade:
    case EventOp::kSetClass: {
      if (event.lock_class != kNoIndex) lock.lock_class = event.lock_class;
      TaskState& task = tasks_[event.task];
      for (Held& held : task.held) {
        if (held.held.instance != lock.instance) continue;
        if (event.op == EventOp::kDowngrade) held.held.mode = event.mode;
        if (event.op == EventOp::kSetClass) held.held.node = NodeFor(lock, event);
        task.changed = true;
      }
      break;
    }
    case EventOp::kInit:
    case EventOp::kDestroy:
    case EventOp::kFreed:
      if (event.lock_class != kNoIndex) lock.lock_class = event.lock_class;
      if ((event.flags & kFlagOrderKey) != 0) lock.order_key = event.argument;
      for (const uint32_t id : lock.active) {  // it is no lock of theirs any more
        TaskState& task = tasks_[history_.sections_[id].acquire.task];
        std::erase_if(task.held, [&](const Held& h) { return h.section == id; });
        task.changed = true;
      }
      if (event.op != EventOp::kInit || !lock.active.empty()) {
        lock.instance = kNever;
        ++lock.generation;
      }
      lock.active.clear();
      break;
    default: ReplayEvent(event, index); break;
  }
}

HistoryBuilder::LockState& HistoryBuilder::StateOf(uint32_t lock) {
  InstanceOf(lock);
  return locks_[lock];
}

uint32_t HistoryBuilder::InstanceOf(uint32_t lock) {
  LockState& state = locks_[lock];
  if (state.instance == kNever) {
    state.instance = history_.instances();
    state.first_unconsumed = 0;
    state.request = state.arrivals = Point{};
    history_.instances_.push_back({lock, state.generation});
    history_.triggers_.emplace_back();
    history_.sections_of_instance_.emplace_back();
  }
  return state.instance;
}

NodeId HistoryBuilder::NodeFor(const LockState& lock, const LockEvent& event) const {
  return NodeOf(LockClassId{lock.lock_class}, event.subclass);
}

bool HistoryBuilder::IsNested(const LockEvent& event, const LockState& lock, NodeId node, uint64_t order_key) const {
  if (event.nest != kNoIndex) return true;
  const LockClassOptions& options = symbols_.class_row(lock.lock_class).options;
  if (options.no_check_recursion) return true;
  if (!options.ordered_by_key) return false;
  const std::vector<Held>& held = tasks_[event.task].held;
  return std::all_of(held.begin(), held.end(),
                     [&](const Held& h) { return h.held.node != node || h.order_key < order_key; });
}

void HistoryBuilder::Acquire(const LockEvent& event, uint32_t index) {
  LockState& lock = locks_[event.object];
  TaskState& task = tasks_[event.task];
  const uint32_t instance = lock.instance;
  const NodeId node = NodeFor(lock, event);
  const uint64_t order_key = (event.flags & kFlagOrderKey) != 0 ? event.argument : lock.order_key;
  if (event.op == EventOp::kRequest && pairs_[index] == kInner) return;
  const auto own = std::find_if(task.held.begin(), task.held.end(),
                                [&](const Held& held) { return held.held.instance == instance; });
  const bool inner = own != task.held.end();
  const bool recursive = symbols_.lock_row(event.object).recursive ||
                         (event.mode == Mode::kSharedRecursive && inner && !own->held.exclusive());
  const bool waits = !event.trylock() && (event.flags & (kFlagTimed | kFlagUnchecked)) == 0 &&
                     !symbols_.class_row(lock.lock_class).options.no_validate;
  if (waits && !(inner && recursive)) {
    const bool backs_off = task.ww_class == lock.lock_class;
    const bool nested = backs_off || IsNested(event, lock, node, order_key);
    Want(event, index, WaitsFor::kLock, instance, node, event.mode, nested, backs_off);
  }
  if (event.op == EventOp::kRequest || inner) return;
  const uint32_t section = static_cast<uint32_t>(history_.sections_.size());
  const Point point = history_.order_.Here(event.task);
  const bool sync = (event.flags & kFlagSync) != 0;
  history_.sections_.push_back({instance, index, event.mode == Mode::kExclusive, point, sync ? point : Point{}});
  history_.sections_of_task_[event.task].push_back(section);
  history_.sections_of_instance_[instance].push_back(section);
  const uint32_t release = pairs_[index];
  pairs_[index] = section;
  if (sync) return;
  lock.active.push_back(section);
  const Held held{{instance, node, event.mode}, section, release, order_key};
  TaskState& releaser = release == kNever ? task : tasks_[events_[release].task];
  (&releaser == &task ? task.held : releaser.handed).push_back(held);
  releaser.changed = true;
}

void HistoryBuilder::Release(const LockEvent& event, uint32_t index) {
  if (pairs_[index] == kNever || pairs_[index] == kInner) return;
  const uint32_t acquire_event = pairs_[index];
  const uint32_t id = pairs_[acquire_event];
  Section& section = history_.sections_[id];
  if (section.acquire.task != event.task) {
    history_.order_.After(event.task, section.acquire, OrderCause::kHandOver, index);
  }
  const auto tries = tries_before_release_.find(acquire_event);
  if (tries != tries_before_release_.end()) {
    for (const Point& point : tries->second) history_.order_.After(event.task, point, OrderCause::kRead, index);
    tries_before_release_.erase(tries);
  }
  section.release = history_.order_.Here(event.task);
  TaskState& task = tasks_[event.task];
  std::vector<Held>& held = section.acquire.task == event.task ? task.held : task.handed;
  std::erase_if(held, [&](const Held& h) { return h.section == id; });
  std::erase(locks_[event.object].active, id);
  task.changed = true;
}

// The trylock fails again if it comes after the same acquisitions and before their releases.
void HistoryBuilder::TryFailed(const LockEvent& event, uint32_t index) {
  for (const uint32_t id : locks_[event.object].active) {
    const Section& section = history_.sections_[id];
    if (!section.exclusive && event.mode != Mode::kExclusive) continue;
    history_.order_.After(event.task, section.acquire, OrderCause::kRead, index);
  }
  const Point point = history_.order_.Here(event.task);
  for (const uint32_t id : locks_[event.object].active) {
    const Section& section = history_.sections_[id];
    if (!section.exclusive && event.mode != Mode::kExclusive) continue;
    tries_before_release_[section.acquire_event].push_back(point);
  }
}

void HistoryBuilder::Consume(LockState* lock, uint32_t instance, const Point& consumer) {
  std::vector<Trigger>& triggers = history_.triggers_[instance];
  for (; lock->first_unconsumed < triggers.size(); ++lock->first_unconsumed) {
    triggers[lock->first_unconsumed].consumer = consumer;
  }
}

void HistoryBuilder::ReplayEvent(const LockEvent& event, uint32_t index) {
  LockState& lock = locks_[event.object];
  const uint32_t instance = lock.instance;
  std::vector<Trigger>& triggers = history_.triggers_[instance];
  const NodeId node = NodeFor(lock, event);
  const bool waits = (event.flags & (kFlagTimed | kFlagUnchecked)) == 0;
  switch (event.op) {
    case EventOp::kEventRequest:
      lock.request = history_.order_.Here(event.task);
      Consume(&lock, instance, lock.request);
      break;
    case EventOp::kEventTrigger:
      history_.order_.After(event.task, lock.request, OrderCause::kEvent, index);
      triggers.push_back({history_.order_.Here(event.task), index, {}});
      break;
    case EventOp::kEventWait:
    case EventOp::kEventBlocked:
      // A wait that returned untriggered found the event set from the start: it never blocks.
      if (waits && (event.op == EventOp::kEventBlocked || !triggers.empty())) {
        Want(event, index, WaitsFor::kEvent, instance, node, Mode::kExclusive, false);
      }
      if (event.op == EventOp::kEventWait && !triggers.empty()) {
        history_.order_.After(event.task, triggers.back().point, OrderCause::kEvent, index);
      }
      break;
    case EventOp::kArrive:
      triggers.push_back({history_.order_.Here(event.task), index, {}});
      break;
    case EventOp::kDepart:
      Want(event, index, WaitsFor::kBarrier, instance, node, Mode::kExclusive, false);
      for (; lock.first_unconsumed < triggers.size(); ++lock.first_unconsumed) {
        // One point that comes after all arrivals so far: those before it are known already.
        history_.order_.After(event.task, triggers[lock.first_unconsumed].point, OrderCause::kBarrier, index);
      }
      if (lock.arrivals.position != 0) {
        history_.order_.After(event.task, lock.arrivals, OrderCause::kBarrier, index);
      }
      lock.arrivals = history_.order_.Here(event.task);
      break;
    case EventOp::kDown: Down(event, index); break;
    case EventOp::kUp: triggers.push_back({history_.order_.Here(event.task), index, {}}); break;
    default: break;
  }
}

// A counting semaphore: the n-th down took what was there at first, or the up of that number.
void HistoryBuilder::Down(const LockEvent& event, uint32_t index) {
  LockState& lock = locks_[event.object];
  const uint32_t count = symbols_.lock_row(event.object).count;
  std::vector<Trigger>& triggers = history_.triggers_[lock.instance];
  const uint32_t number = lock.downs++;
  const bool waits = !event.trylock() && (event.flags & kFlagTimed) == 0;
  if (count == 0 && waits) {
    Want(event, index, WaitsFor::kEvent, lock.instance, NodeFor(lock, event), Mode::kExclusive, false);
  }
  if (number < count || number - count >= triggers.size()) return;
  Trigger& trigger = triggers[number - count];
  history_.order_.After(event.task, trigger.point, OrderCause::kSemaphore, index);
  trigger.consumer = history_.order_.Here(event.task);
}

void HistoryBuilder::ReplayTask(const LockEvent& event, uint32_t index) {
  if (event.object == event.task) return;
  if (event.op == EventOp::kFork) {
    TaskState& child = tasks_[event.object];
    history_.order_.After(event.object, history_.order_.Here(event.task), OrderCause::kFork, index, /*next=*/true);
    if (child.join_event == kNever) return;
    const TaskState& parent = tasks_[event.task];
    child.inherited = parent.inherited;
    for (const Held& held : parent.held) {
      if (held.release_event > child.join_event) child.inherited.push_back(held.held);
    }
    child.changed = true;
    return;
  }
  Want(event, index, WaitsFor::kTaskEnd, event.object, NodeId{}, Mode::kExclusive, false);
  if (event.op == EventOp::kJoin) {
    history_.order_.After(event.task, history_.order_.Here(event.object), OrderCause::kJoin, index);
  }
}

void HistoryBuilder::Want(const LockEvent& event, uint32_t index, WaitsFor kind, uint32_t object, NodeId node,
                          Mode mode, bool nested, bool backs_off) {
  TaskState& task = tasks_[event.task];
  const uint32_t held = LockSetOf(&task);
  const auto [found, is_new] =
      node_ids_.try_emplace(NodeKey(event.task, kind, object, Index(node), mode, held, nested),
                            static_cast<uint32_t>(history_.nodes_.size()));
  if (is_new) history_.nodes_.push_back({event.task, kind, object, node, mode, held, nested, backs_off, {}});
  const Point here = history_.order_.Here(event.task);
  history_.nodes_[found->second].occurrences.push_back({here.position, here.row, index, task.handed_id});
}

uint32_t HistoryBuilder::LockSetOf(TaskState* task) {
  if (!task->changed) return task->lock_set;
  task->changed = false;
  LockSet set(task->inherited);
  task->handed_id = kNoIndex;
  if (!task->handed.empty()) {
    task->handed_id = static_cast<uint32_t>(history_.handed_sections_.size());
    history_.handed_sections_.emplace_back();
  }
  for (const Held& held : task->held) set.push_back(held.held);
  for (const Held& held : task->handed) {
    set.push_back(held.held);
    history_.handed_sections_.back().push_back(held.section);
  }
  std::sort(set.begin(), set.end(),
            [](const HeldInstance& a, const HeldInstance& b) { return a.instance < b.instance; });
  task->lock_set = Intern(std::move(set));
  return task->lock_set;
}

uint32_t HistoryBuilder::Intern(LockSet set) {
  std::string key;
  key.reserve(set.size() * 9);
  for (const HeldInstance& held : set) {
    for (int shift = 0; shift < 32; shift += 8) key.push_back(static_cast<char>(held.instance >> shift));
    for (int shift = 0; shift < 32; shift += 8) key.push_back(static_cast<char>(Index(held.node) >> shift));
    key.push_back(static_cast<char>(held.mode));
  }
  const auto [found, is_new] =
      lock_set_ids_.try_emplace(std::move(key), static_cast<uint32_t>(history_.lock_sets_.size()));
  if (is_new) history_.lock_sets_.push_back(std::move(set));
  return found->second;
}

}  // namespace ordeal::lockdep
