// The scheduler's part in liveness: retries, fair yields and bypasses (scheduler.h). None of it is on the path of a run in which
// nobody retries and bypasses are not counted.
//
// A task that retries yields as in Musuvathi, Qadeer, "Fair stateless model checking" (PLDI 2008): it is not scheduled again until
// everybody who could run at that moment has taken a step or cannot run any more. It is taken out of runnable_ for that long, and
// every step raises the alarm, so that points do not pay for it.

#include <algorithm>
#include <bit>

#include "absl/strings/str_cat.h"
#include "harness/sched/scheduler.h"

namespace ordeal {
namespace {

constexpr uint64_t Bit(TaskId task) { return uint64_t{1} << Index(task); }
constexpr int64_t kSignalDelayNs = 20 * kStepNs;
constexpr int64_t kSpuriousDelayNs = 3 * kStepNs;

}  // namespace

bool Scheduler::WouldDeadlock(const Wait& wait) {
  if (unwinding_ || running_ == nullptr || wait.waitable == nullptr) return false;
  const TaskId self = running_->id;
  const auto wait_of = [&](TaskId task) { return task == self ? &wait : blocked_on(task); };
  std::vector<TaskId> cycle;
  return FindWaitCycle(self, wait_of, &cycle);
}

void Scheduler::CloseRetries() {
  if (in_task() && retries_.IsOpen(current())) retries_.Close(current());
}

void Scheduler::NoteRetry(RetryReason reason, uint64_t state, lockdep::Site site) {
  if (running_ == nullptr) return;
  Point(OperationKind::kYield, kNoObject, site);
  if (unwinding_) return;
  if (options_.keep_trace) NoteTrace(absl::StrCat("retries: ", RetryReasonName(reason)));
  const TaskId self = current();
  const uint32_t repeats = retries_.Note(self, reason, state, site, progress_step_, choices_->size());
  const uint32_t count = retries_.CountOf(self, reason);
  if (options_.retries_max != 0 && count == options_.retries_max + 1) {
    excessive_retries_.push_back({self, task_name(self), reason, site, count});
  }
  if (repeats > options_.retry_repeats_max) return EndOnRepetition();
  YieldToOthers();
}

// Those who repeat a state half as often belong to it: they take turns.
void Scheduler::EndOnRepetition() {
  livelock_ = retries_.Repeaters(progress_step_, options_.retry_repeats_max / 2 + 1);
  for (Retrier& retrier : livelock_.retriers) retrier.task_name = task_name(retrier.task);
  SwitchToMain(RunEndKind::kLivelock);
}

void Scheduler::YieldToOthers() {
  const uint64_t self = Bit(running_->id);
  const uint64_t others = (runnable_ | yielded_) & ~self;
  if (others == 0) return;
  running_->behind = others;
  yielded_ |= self;
  runnable_ &= ~self;
  alarm_ = 0;
  LeaveCurrent();
}

// The current task has taken a step.
void Scheduler::LetYieldedRun() {
  uint64_t free = 0;
  for (uint64_t rest = yielded_; rest != 0; rest &= rest - 1) {
    Task& task = *tasks_[static_cast<size_t>(std::countr_zero(rest))];
    task.behind &= (runnable_ | yielded_) & ~Bit(running_->id);
    if (task.behind == 0) free |= Bit(task.id);
  }
  EndYield(free);
}

void Scheduler::EndYield(uint64_t tasks) {
  yielded_ &= ~tasks;
  runnable_ |= tasks;
}

bool Scheduler::BlockKillable(const Wait& wait) {
  const int signal = ChooseFault(ChoiceKind::kSignal, 3, wait.object);
  if (signal == 1) return false;
  if (signal == 2) return BlockFor(wait, kSignalDelayNs);
  BlockInline(wait);
  return true;
}

bool Scheduler::BlockRetesting(const Wait& wait, int* spurious_left) {
  if (*spurious_left > 0 && ChooseFault(ChoiceKind::kSpuriousWake, 2, wait.object) == 1) {
    --*spurious_left;
    return BlockFor(wait, kSpuriousDelayNs);
  }
  BlockInline(wait);
  return true;
}

void Scheduler::ClearBypasses(Task& task) {
  task.bypasses = 0;
  task.passers.clear();
}

void Scheduler::CountBypass(TaskId waiter, TaskId passer) {
  if (starved_ || unwinding_ || waiter == passer) return;
  Task& task = *tasks_[Index(waiter)];
  if (++task.bypasses == 1) task.passed_at_choice = choices_->size();
  const auto known = std::find_if(task.passers.begin(), task.passers.end(),
                                  [passer](const Starvation::Passer& p) { return p.task == passer; });
  if (known == task.passers.end()) {
    task.passers.push_back({passer, passer == kNoTask ? "nobody" : task_name(passer), 1});
  } else {
    ++known->times;
  }
  if (task.bypasses <= options_.bypasses_max) return;
  starvation_ = {DescribeWaiter(task), task.bypasses, task.passers, task.passed_at_choice};
  starved_ = true;
  alarm_ = 0;
}

}  // namespace ordeal
