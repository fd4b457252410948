#include "harness/sched/scheduler.h"

#include <exception>
#include <iterator>
#include <limits>

#include "absl/strings/str_cat.h"
#include "lockdep/support/check.h"

namespace ordeal {
namespace {

constexpr uint64_t kTraceHashSeed = 0x6a09e667f3bcc909u;
constexpr uint64_t Bit(TaskId task) { return uint64_t{1} << Index(task); }
// How far the clock may jump when a timer is set: a millisecond, a tick of a slow machine, a long suspend.
constexpr int64_t kClockJumpsNs[] = {0, 1'000'000, 100'000'000, 10'000'000'000};

}  // namespace

const char* RunEndKindName(RunEndKind kind) {
  switch (kind) {
    case RunEndKind::kCompleted: return "completed";
    case RunEndKind::kDeadlock: return "deadlock";
    case RunEndKind::kStepLimit: return "step-limit";
    case RunEndKind::kLivelock: return "livelock";
    case RunEndKind::kStopped: return "stopped";
    case RunEndKind::kStarvation: return "starvation";
  }
  return "unknown";
}

Scheduler::Scheduler(SchedulerOptions options) : options_(options), stacks_(options.stack_bytes) {
  main_.AdoptThreadStack();
  objects_.reserve(256);
}

Scheduler::~Scheduler() {
  if (in_run_) EndRun();
}

void Scheduler::BeginRun(ChoiceRecorder* choices) {
  LD_CHECK(!in_run_, "BeginRun without the EndRun of the run before");
  in_run_ = true;
  choices_ = choices;
  faults_ = {};
  tasks_used_ = 0;
  foreground_live_ = 0;
  runnable_ = 0;
  timers_ = 0;
  yielded_ = 0;
  steps_ = 0;
  progress_step_ = 0;
  clock_skipped_ns_ = 0;
  trace_hash_ = kTraceHashSeed;
  end_kind_ = RunEndKind::kCompleted;
  unwinding_ = false;
  starved_ = false;
  retries_.BeginRun();
  excessive_retries_.clear();
  objects_.clear();
  objects_.push_back({"no object", 0, nullptr});
  if (options_.keep_trace) trace_.clear();
  RearmAlarm();
}

Scheduler::Task& Scheduler::NewTask(const char* name, TaskKind kind) {
  LD_CHECK(in_run_, "Spawn outside a run");
  LD_CHECK(tasks_used_ < kTasksMax, absl::StrCat("a run may have at most ", kTasksMax, " tasks; spawning ", name));
  if (static_cast<size_t>(tasks_used_) == tasks_.size()) {
    tasks_.push_back(std::make_unique<Task>());
    tasks_.back()->id = TaskId{static_cast<uint16_t>(tasks_used_)};
    tasks_.back()->scheduler = this;
  }
  Task& task = *tasks_[static_cast<size_t>(tasks_used_++)];
  task.state = TaskState::kRunnable;
  task.kind = kind;
  task.parent = current();
  task.started = false;
  task.name = name;
  task.next = {};
  task.timed_out = false;
  ClearBypasses(task);
  task.fiber.Prepare(stacks_.Take(), &Scheduler::TaskEntry, &task);
  runnable_ |= Bit(task.id);
  if (kind == TaskKind::kForeground) ++foreground_live_;
  if (spawn_observer_) spawn_observer_(current(), task.id);
  return task;
}

void Scheduler::TaskEntry(void* argument) {
  Task& task = *static_cast<Task*>(argument);
  task.started = true;
  try {
    task.run_body(task);
  } catch (const TaskUnwind&) {
    // EndRun: the task's destructors have run; that is all it was for.
  }
  task.scheduler->EndTask(task);
}

// Nothing can run: the next timer, or the end of the run. True if the run goes on.
bool Scheduler::WaitForTimer() {
  if (yielded_ != 0) EndYield(yielded_);
  while (runnable_ == 0) {
    if (FireNextTimer()) continue;
    RecordDeadlock(FindAnyWaitCycle());
    SwitchToMain(RunEndKind::kDeadlock);
    return false;
  }
  return true;
}

void Scheduler::EndTask(Task& task) {
  if (task.drop_body != nullptr) task.drop_body(task);
  task.state = TaskState::kEnded;
  runnable_ &= ~Bit(task.id);
  // Still running on it: the pool hands it out at the earliest after the switch below, since only Spawn takes stacks.
  stacks_.Return(task.fiber.stack());
  if (task.kind == TaskKind::kForeground) --foreground_live_;
  if (foreground_live_ == 0 || unwinding_) SwitchToMain(end_kind_);
  LeaveCurrent();
  LD_CHECK(false, absl::StrCat("ended task ", task.name, " was continued"));
}

RunEnd Scheduler::Run() {
  LD_CHECK(in_run_ && running_ == nullptr, "Run outside a run, or from a task");
  end_kind_ = RunEndKind::kCompleted;
  if (yielded_ != 0) EndYield(yielded_);
  if (foreground_live_ > 0) {
    while (runnable_ == 0 && FireNextTimer()) {
    }
    if (runnable_ == 0) {
      RecordDeadlock(FindAnyWaitCycle());
      end_kind_ = RunEndKind::kDeadlock;
    } else {
      const int first = ChooseNext();
      if (choices_->stopped()) {
        end_kind_ = RunEndKind::kStopped;
      } else {
        running_ = tasks_[static_cast<size_t>(first)].get();
        current_ = first;
        Fiber::Switch(main_, running_->fiber);
      }
    }
  }
  if (starved_ && end_kind_ == RunEndKind::kCompleted) end_kind_ = RunEndKind::kStarvation;
  for (int i = 0; i < tasks_used_ && retries_.any_open(); ++i) {
    if (retries_.IsOpen(TaskId{static_cast<uint16_t>(i)})) retries_.Close(TaskId{static_cast<uint16_t>(i)});
  }
  return {end_kind_, steps_, trace_hash_};
}

void Scheduler::EndRun() {
  LD_CHECK(in_run_ && running_ == nullptr, "EndRun outside a run, or from a task");
  unwinding_ = true;
  runnable_ = 0;
  alarm_ = 0;  // every point of an unwinding task is looked at
  for (int i = 0; i < tasks_used_; ++i) {
    Task& task = *tasks_[static_cast<size_t>(i)];
    if (task.state == TaskState::kEnded) continue;
    if (!task.started) {
      if (task.drop_body != nullptr) task.drop_body(task);
      task.state = TaskState::kEnded;
      stacks_.Return(task.fiber.stack());
      continue;
    }
    running_ = &task;
    current_ = i;
    Fiber::Switch(main_, task.fiber);
    LD_CHECK(task.state == TaskState::kEnded, absl::StrCat("task ", task.name, " blocked while being unwound"));
  }
  in_run_ = false;
}

void Scheduler::ThrowUnlessReleasing(Task& task) {
  const OperationKind kind = task.next.kind;
  const bool releasing = kind == OperationKind::kRelease || kind == OperationKind::kSignal;
  const bool blocked = task.state == TaskState::kBlocked;
  task.state = TaskState::kRunnable;
  if ((releasing && !blocked) || std::uncaught_exceptions() > 0) return;
  throw TaskUnwind{};
}

void Scheduler::SwitchToMain(RunEndKind kind) {
  end_kind_ = kind;
  if (step_observer_ && options_.keep_trace && !unwinding_) step_observer_(/*run_ended=*/true);
  Task& self = *running_;
  running_ = nullptr;
  current_ = Index(kNoTask);
  Fiber::Switch(self.fiber, main_, self.state == TaskState::kEnded);
  if (unwinding_) ThrowUnlessReleasing(self);
}

int Scheduler::AskWithCandidates(int options, bool current_can_run) {
  Candidate candidates[kTasksMax];
  int count = 0;
  uint64_t mask = runnable_;
  if (current_can_run) {
    candidates[count++] = {running_->id, running_->next};
    mask &= ~Bit(running_->id);
  }
  for (; mask != 0; mask &= mask - 1) {
    const Task& task = *tasks_[static_cast<size_t>(std::countr_zero(mask))];
    candidates[count++] = {task.id, task.next};
  }
  const ObjectId object = running_ == nullptr ? kNoObject : running_->next.object;
  const int answer = choices_->Choose({ChoiceKind::kSchedule, options, current(), object,
                                       absl::Span<const Candidate>(candidates, static_cast<size_t>(count))});
  if (choices_->stopped()) StopFromChoice();
  return answer;
}

void Scheduler::StopFromChoice() {
  if (running_ != nullptr && !unwinding_) SwitchToMain(RunEndKind::kStopped);
}

void Scheduler::Stop() {
  if (running_ != nullptr && !unwinding_) SwitchToMain(RunEndKind::kStopped);
}

void Scheduler::Block(const Wait& wait) { BlockInline(wait); }

void Scheduler::BlockWhileUnwinding() {
  if (std::uncaught_exceptions() == 0) throw TaskUnwind{};
}

void Scheduler::BlockOutsideTask() {
  LD_CHECK(false, "only a task can block; this is construction or a final check");
}

// Ends the run if `self`, which has just blocked, closes a cycle. Returns then only to unwind.
bool Scheduler::EndOnWaitCycle(const Task& self) {
  const auto wait_of = [this](TaskId id) { return blocked_on(id); };
  std::vector<TaskId> cycle;
  std::vector<TaskId> knot;
  if (!FindWaitCycle(self.id, wait_of, &cycle, &knot)) return false;
  RecordDeadlock(cycle, knot);
  SwitchToMain(RunEndKind::kDeadlock);
  return true;
}

// The first, in order of creation, that a blocked task is part of.
std::vector<TaskId> Scheduler::FindAnyWaitCycle() const {
  const auto wait_of = [this](TaskId id) { return blocked_on(id); };
  std::vector<TaskId> cycle;
  for (int i = 0; i < tasks_used_; ++i) {
    const TaskId task{static_cast<uint16_t>(i)};
    const Wait* wait = blocked_on(task);
    if (wait != nullptr && wait->waitable != nullptr && FindWaitCycle(task, wait_of, &cycle)) return cycle;
  }
  return {};
}

void Scheduler::EndIfDeadlocked() {
  if (running_ == nullptr || unwinding_) return;
  const std::vector<TaskId> cycle = FindAnyWaitCycle();
  if (cycle.empty()) return;
  RecordDeadlock(cycle);
  SwitchToMain(RunEndKind::kDeadlock);
}

void Scheduler::Halt(absl::Span<const TaskId> tasks) {
  if (unwinding_) return;
  for (const TaskId id : tasks) {
    Task& task = *tasks_[Index(id)];
    if (task.state == TaskState::kEnded || task.state == TaskState::kHalted) continue;
    if (task.state == TaskState::kBlocked) task.next = {};  // EndRun continues it in no release or signal, but in a wait
    task.state = TaskState::kHalted;
    runnable_ &= ~Bit(id);
    timers_ &= ~Bit(id);
    yielded_ &= ~Bit(id);
    if (task.kind == TaskKind::kForeground) --foreground_live_;
  }
  if (running_ == nullptr) return;
  if (foreground_live_ == 0) {
    SwitchToMain(end_kind_);
  } else if (running_->state == TaskState::kHalted) {
    LeaveCurrent();
  }
}

bool Scheduler::BlockFor(const Wait& wait, int64_t delay_ns) {
  if (unwinding_) {
    Block(wait);
    return false;
  }
  Task& self = *running_;
  self.wake_at_ns = now_ns() + delay_ns;
  JumpClock(wait);
  self.timed_out = false;
  timers_ |= Bit(self.id);
  RearmAlarm();
  Block(wait);
  return !self.timed_out;
}

void Scheduler::Sleep(int64_t delay_ns) { BlockFor({.kind = OperationKind::kYield}, delay_ns); }

// As a fault: then timers are due before those whom they wait for have done a thing.
void Scheduler::JumpClock(const Wait& wait) {
  const int jump = ChooseFault(ChoiceKind::kClockJump, static_cast<int>(std::size(kClockJumpsNs)), wait.object);
  if (jump == 0) return;
  clock_skipped_ns_ += kClockJumpsNs[jump];
  FireDueTimers();
}

bool Scheduler::FireNextTimer() {
  int64_t earliest = std::numeric_limits<int64_t>::max();
  for (uint64_t mask = timers_; mask != 0; mask &= mask - 1) {
    earliest = std::min(earliest, tasks_[static_cast<size_t>(std::countr_zero(mask))]->wake_at_ns);
  }
  if (timers_ == 0) return false;
  if (earliest > now_ns()) clock_skipped_ns_ += earliest - now_ns();
  FireDueTimers();
  return true;
}

void Scheduler::FireDueTimers() {
  for (uint64_t mask = timers_; mask != 0; mask &= mask - 1) {
    Task& task = *tasks_[static_cast<size_t>(std::countr_zero(mask))];
    if (task.wake_at_ns > now_ns()) continue;
    task.timed_out = true;
    Wake(task.id);
  }
  RearmAlarm();
}

void Scheduler::RearmAlarm() {
  alarm_ = std::min(options_.steps_max, progress_step_ + options_.idle_steps_max);
  for (uint64_t mask = timers_; mask != 0; mask &= mask - 1) {
    const int64_t wait_ns = tasks_[static_cast<size_t>(std::countr_zero(mask))]->wake_at_ns - now_ns();
    const uint64_t steps = wait_ns <= 0 ? 1 : static_cast<uint64_t>((wait_ns + kStepNs - 1) / kStepNs);
    alarm_ = std::min(alarm_, steps_ + steps);
  }
  if (options_.keep_trace || yielded_ != 0 || starved_) alarm_ = 0;
}

void Scheduler::Alarm(lockdep::Site site) {
  if (unwinding_) {
    ThrowUnlessReleasing(*running_);
    return;
  }
  if (options_.keep_trace) KeepTraceStep(site);
  if (steps_ >= options_.steps_max) {
    SwitchToMain(RunEndKind::kStepLimit);
    return;
  }
  if (steps_ - progress_step_ >= options_.idle_steps_max) {
    livelock_ = {};
    livelock_.choices_before = choices_->size();
    SwitchToMain(RunEndKind::kLivelock);
    return;
  }
  if (starved_) {
    SwitchToMain(RunEndKind::kStarvation);
    return;
  }
  if (yielded_ != 0) LetYieldedRun();
  FireDueTimers();
}

void Scheduler::KeepTraceStep(lockdep::Site site) {
  trace_.push_back({steps_, current(), running_->next, std::string(), site});
  if (step_observer_) step_observer_(/*run_ended=*/false);
}

void Scheduler::NoteTrace(absl::string_view note, uint32_t operation_id) {
  if (!options_.keep_trace) return;
  trace_.push_back(
      {steps_, current(), {OperationKind::kYield, kNoObject}, std::string(note.data(), note.size()), {}, operation_id});
}

std::string Scheduler::ObjectName(ObjectId object) const {
  if (Index(object) >= objects_.size()) return absl::StrCat("object ", Index(object));
  const Object& named = objects_[Index(object)];
  return named.number == 0 ? std::string(named.name) : absl::StrCat(named.name, " ", named.number);
}

Deadlock::Waiter Scheduler::DescribeWaiter(const Task& task) const {
  const Waitable* waitable = task.wait.waitable;
  Deadlock::Waiter waiter = {task.id, task.name, ObjectName(task.wait.object), task.wait.kind, task.wait.site,
                             waitable == nullptr ? std::nullopt : waitable->lock_class(), {}};
  if (waitable == nullptr || task.state != TaskState::kBlocked) return waiter;
  Blockers blockers;
  waitable->AppendBlockers(task.id, &blockers);
  if (blockers.any() && blockers.tasks().size() > 1) waiter.any_of.assign(blockers.tasks().begin(), blockers.tasks().end());
  return waiter;
}

void Scheduler::RecordDeadlock(const std::vector<TaskId>& cycle, const std::vector<TaskId>& knot) {
  deadlock_ = {};
  deadlock_.is_cycle = !cycle.empty();
  for (const TaskId task : cycle) deadlock_.cycle.push_back(DescribeWaiter(*tasks_[Index(task)]));
  for (const TaskId task : knot) deadlock_.knot.push_back(DescribeWaiter(*tasks_[Index(task)]));
  for (int i = 0; i < tasks_used_; ++i) {
    const Task& task = *tasks_[static_cast<size_t>(i)];
    if (task.state == TaskState::kBlocked) deadlock_.blocked.push_back(DescribeWaiter(task));
  }
}

std::string Scheduler::DescribeTasks() const {
  std::string text;
  for (int i = 0; i < tasks_used_; ++i) {
    const Task& task = *tasks_[static_cast<size_t>(i)];
    if (task.state == TaskState::kEnded || task.state == TaskState::kHalted) continue;
    absl::StrAppend(&text, "task ", i, " ", task.name);
    if (task.state == TaskState::kBlocked) {
      const absl::string_view verb = OperationKindName(task.wait.kind);
      absl::StrAppend(&text, " blocked in ", verb, " of ", ObjectName(task.wait.object), " at ",
                      task.wait.site.ToString(), "\n");
    } else {
      const absl::string_view verb = OperationKindName(task.next.kind);
      absl::StrAppend(&text, " can run; next ", verb, " of ", ObjectName(task.next.object), "\n");
    }
  }
  return text;
}

}  // namespace ordeal
