#include "harness/campaign/lock_trace.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "harness/choice/replay.h"
#include "lockdep/support/status_macros.h"

namespace ordeal {

using lockdep::EventOp;
using lockdep::HeldLock;
using lockdep::kNoIndex;
using lockdep::LockEvent;

LockTraceRecorder::LockTraceRecorder(Simulation& sim) : sim_(sim), main_(trace_.symbols.Task("main")) {
  sim_.scheduler().set_step_observer([this](bool run_ended) { AtStep(run_ended); });
}

LockTraceRecorder::~LockTraceRecorder() { sim_.scheduler().set_step_observer(nullptr); }

void LockTraceRecorder::Append(EventOp op, uint32_t task, uint32_t object, uint8_t flags) {
  LockEvent event;
  event.op = op;
  event.task = task;
  event.object = object;
  event.flags = flags;
  trace_.events.push_back(event);
}

// A task that was spawned since the last step. It has not run yet.
void LockTraceRecorder::AddTask(TaskId task) {
  const TaskId parent = sim_.scheduler().task_parent(task);
  const std::string role = sim_.scheduler().task_name(task);
  const uint32_t symbol = trace_.symbols.Task(absl::StrCat(role, ".", Index(task)));
  trace_.symbols.SetRole(symbol, role);
  uint32_t forker = main_;
  if (parent == kNoTask) {  // outside any task: what has ended has been waited for
    for (const TaskRow& other : tasks_) {
      if (other.ended) Append(EventOp::kJoin, main_, other.symbol);
    }
  } else {
    CatchUp(parent, /*declared_is_done=*/true);
    forker = tasks_[Index(parent)].symbol;
  }
  Append(EventOp::kFork, forker, symbol);
  tasks_.emplace_back().symbol = symbol;
}

// The current task has declared its next operation, or the run is over. What others did before they blocked comes first.
void LockTraceRecorder::AtStep(bool run_ended) {
  const Scheduler& scheduler = sim_.scheduler();
  run_ended_ = run_ended;
  const TaskId current = scheduler.current();
  while (static_cast<int>(tasks_.size()) < scheduler.tasks()) AddTask(TaskId{static_cast<uint16_t>(tasks_.size())});
  // A lock that was handed over is released before it is acquired.
  for (uint16_t i = 0; i < tasks_.size(); ++i) {
    const lockdep::TaskContext* context = sim_.context_of(TaskId{i});
    if (context != nullptr && !tasks_[i].ended) DropReleased(*context, &tasks_[i]);
  }
  for (uint16_t i = 0; i < tasks_.size(); ++i) {
    const TaskId task{i};
    if (task != current) CatchUp(task, scheduler.task_state(task) != TaskState::kRunnable);
  }
  if (current == kNoTask) return;
  CatchUp(current, true);
  if (!run_ended) Declare(current);
}

// `declared_is_done`: the task has gone on from its last step (and perhaps blocked in it).
void LockTraceRecorder::CatchUp(TaskId task, bool declared_is_done) {
  TaskRow& row = tasks_[Index(task)];
  if (row.ended) return;
  const TaskState state = sim_.scheduler().task_state(task);
  const bool blocked = state == TaskState::kBlocked;
  if (const lockdep::TaskContext* context = sim_.context_of(task)) {
    DropReleased(*context, &row);
    AddAcquired(*context, blocked, &row);
  }
  if (declared_is_done && row.pending) FinishDeclared(blocked, &row);
  if (state != TaskState::kEnded) return;
  row.ended = true;
  Append(EventOp::kTaskExit, row.symbol, kNoIndex);
}

void LockTraceRecorder::DropReleased(const lockdep::TaskContext& context, TaskRow* row) {
  for (size_t i = row->held.size(); i-- > 0;) {
    const auto same = [&](const HeldLock& held) { return held.map == row->held[i].map; };
    const HeldLock* still = std::find_if(context.held().begin(), context.held().end(), same);
    if (still == context.held().end()) {
      const bool triggered = row->held[i].owed && row->pending && row->object == row->held[i].lock;
      row->triggers_owed |= triggered;
      if (!triggered) Append(row->held[i].owed ? EventOp::kDisown : EventOp::kRelease, row->symbol, row->held[i].lock);
      row->held.erase(row->held.begin() + static_cast<long>(i));
    } else if (still->mode() != row->held[i].mode) {
      Append(EventOp::kDowngrade, row->symbol, row->held[i].lock);
      trace_.events.back().mode = row->held[i].mode = still->mode();
    }
  }
}

// The lock that a blocked task wants is on its stack already.
void LockTraceRecorder::AddAcquired(const lockdep::TaskContext& context, bool blocked, TaskRow* row) {
  for (const HeldLock& held : context.held()) {
    const auto same = [&](const Held& known) { return known.map == held.map; };
    if (std::any_of(row->held.begin(), row->held.end(), same)) continue;
    const bool is_event = sim_.validator().classes().at(lockdep::ClassOf(held.node())).options.is_event;
    if (is_event && !held.owed()) continue;  // waited for: FinishDeclared writes it
    const bool wanted = blocked && !held.owed() && row->declared == OperationKind::kAcquire && &held == &context.held().back();
    if (wanted && row->requested) continue;
    const uint32_t lock = LockOf(held);
    Append(held.owed() ? EventOp::kOwe : wanted ? EventOp::kRequest : EventOp::kAcquire, row->symbol, lock,
           held.trylock() && !held.owed() ? lockdep::kFlagTrylock : 0);
    LockEvent& event = trace_.events.back();
    event.mode = held.mode();
    event.subclass = static_cast<uint8_t>(lockdep::SubclassOf(held.node()));
    if (held.site.line != 0) event.site = trace_.symbols.SiteIndex(held.site.ToString());
    if (!wanted) row->held.push_back({held.map, lock, held.mode(), held.owed() && is_event});
    if (held.owed()) continue;
    row->requested = wanted;
    row->pending = false;
  }
}

// Operations that leave nothing held.
void LockTraceRecorder::FinishDeclared(bool blocked, TaskRow* row) {
  switch (row->declared) {
    case OperationKind::kWait:
      if (row->is_event) {
        if (blocked && !run_ended_) return;  // it may yet return
        Append(blocked ? EventOp::kEventBlocked : EventOp::kEventWait, row->symbol, row->object);
      } else {
        if (blocked && row->requested) return;
        Append(blocked ? EventOp::kRequest : EventOp::kAcquire, row->symbol, row->object, lockdep::kFlagSync);
      }
      row->requested = blocked;
      row->pending = blocked;
      return;
    case OperationKind::kSignal:
      if (row->triggers_owed) Append(EventOp::kEventTrigger, row->symbol, row->object);
      break;
    case OperationKind::kTryAcquire: Append(EventOp::kTryFailed, row->symbol, row->object); break;
    default: break;
  }
  row->pending = false;
}

void LockTraceRecorder::Declare(TaskId task) {
  TaskRow& row = tasks_[Index(task)];
  const DeclaredOperation& declared = sim_.scheduler().declared(task);
  row.declared = declared.kind;
  row.requested = false;
  row.pending = false;
  row.triggers_owed = false;
  if (declared.kind != OperationKind::kWait && declared.kind != OperationKind::kSignal &&
      declared.kind != OperationKind::kTryAcquire) {
    return;
  }
  const Waitable* waitable = sim_.scheduler().object_waitable(declared.object);
  if (waitable == nullptr || !waitable->lock_class().has_value()) return;
  const std::string name = sim_.scheduler().ObjectName(declared.object);
  row.object = trace_.symbols.FindLock(name);
  if (row.object == kNoIndex) row.object = NewLock(name, *waitable->lock_class(), 0);
  row.is_event = sim_.validator().classes().at(*waitable->lock_class()).options.is_event;
  row.pending = true;
}

uint32_t LockTraceRecorder::LockOf(const HeldLock& held) {
  std::string name = held.map->InstanceName();
  if (name.empty()) name = sim_.validator().classes().at(held.map->lock_class).name;
  const auto [known, is_new] = locks_.try_emplace({held.map, name}, 0);
  if (!is_new) return known->second;
  // Several locks may have one name; a trace tells them apart.
  std::string unique = name;
  const auto taken = [&](const std::string& candidate) {
    const uint32_t lock = trace_.symbols.FindLock(candidate);
    return lock != kNoIndex && std::any_of(locks_.begin(), locks_.end(), [&](const auto& other) {
             return other.second == lock && other.first.second == name && other.first.first != held.map;
           });
  };
  for (int number = 2; taken(unique); ++number) unique = absl::StrCat(name, "#", number);
  return known->second = NewLock(unique, held.map->lock_class, held.map->order_key);
}

uint32_t LockTraceRecorder::NewLock(const std::string& name, lockdep::LockClassId lock_class, uint64_t order_key) {
  const lockdep::LockClass& known = sim_.validator().classes().at(lock_class);
  const uint32_t symbol = trace_.symbols.Class(known.name);
  trace_.symbols.DeclareClass(symbol, known.name, known.options);
  return trace_.symbols.DeclareLock(name, symbol, order_key);
}

absl::StatusOr<lockdep::Trace> LockTraceOf(const Registry& registry, const CorpusEntry& entry) {
  ASSIGN_OR_RETURN(ScenarioSpec spec, registry.Resolve(entry.spec));
  const ScenarioEntry* scenario = registry.FindScenario(spec.scenario);
  Runner runner(*scenario, std::move(spec), {.scheduler = {.keep_trace = true}, .validator = {}});
  LockTraceRecorder recorder(runner.sim());
  ReplaySource replay(entry.choices);
  runner.Run(replay);
  RETURN_IF_ERROR(replay.Finished());
  return recorder.Take();
}

}  // namespace ordeal
