// The deterministic scheduler: runs the tasks of one schedule as fibers on one thread and asks the choice source which
// one goes on at every point.
//
// Before a task touches shared state it declares the operation (Point); that is where others may run. If only one task can
// run, nothing is asked. The decision is taken in the yielding fiber, which switches straight to the next one.
// A task is foreground (the run is over when all of them have ended) or daemon (device, kswapd: may be blocked at the end).
// Time is virtual: one step is kStepNs; when nothing can run, the clock jumps to the next timer.
// A task that retries says so (NoteRetry) and then waits until everybody else who can run has run: a schedule that lets it spin
// while the task that it needs never runs is nobody's bug.
//
// Thread-safety: none; one scheduler a thread.
// Invariants:    exactly one fiber runs; a blocked task is in no run queue; a run is a function of tasks and choices:
//                trace_hash() is equal in every process and build.
// Cost:          a point that switches: the choice, about 5 ns of bookkeeping and one fcontext switch.
// Lock order:    none; it has no locks.
// Example:
//   Scheduler scheduler;
//   scheduler.BeginRun(&choices);
//   scheduler.Spawn("writer", [&] { scheduler.Point(OperationKind::kWrite, x); value = 1; });
//   scheduler.Spawn("reader", [&] { scheduler.Point(OperationKind::kRead, x); seen = value; });
//   const RunEnd end = scheduler.Run();
//   scheduler.EndRun();
#ifndef ORDEAL_HARNESS_SCHED_SCHEDULER_H_
#define ORDEAL_HARNESS_SCHED_SCHEDULER_H_

#include <bit>
#include <cstdint>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "harness/choice/choice_point.h"
#include "harness/choice/fault_set.h"
#include "harness/choice/recording.h"
#include "harness/sched/fiber.h"
#include "harness/sched/retry.h"
#include "harness/sched/wait_for_graph.h"

namespace ordeal {

inline constexpr int kTasksMax = 64;         // of one run, ended ones included
inline constexpr int64_t kStepNs = 1000;     // virtual time of one scheduling step
inline constexpr int kSpuriousWakesMax = 3;  // of one wait

enum class TaskKind : uint8_t { kForeground, kDaemon };

enum class TaskState : uint8_t { kRunnable, kBlocked, kEnded, kHalted };  // kHalted: see Scheduler::Halt

// How a run ended.
enum class RunEndKind : uint8_t {
  kCompleted,   // every foreground task ended
  kDeadlock,    // deadlock() says who waits for whom
  kStepLimit,   // options.steps_max reached: inconclusive
  kLivelock,    // livelock() says who retries; no NoteProgress for options.idle_steps_max steps if nobody says that it does
  kStopped,     // the choice source stopped the run, or a task called Stop
  kStarvation,  // starvation() says who was passed over, by whom
};
const char* RunEndKindName(RunEndKind kind);

struct RunEnd {
  RunEndKind kind = RunEndKind::kCompleted;
  uint64_t steps = 0;
  uint64_t trace_hash = 0;
};

struct SchedulerOptions {
  uint64_t steps_max = 200'000;
  uint64_t idle_steps_max = 50'000;  // livelock watchdog
  uint32_t retry_repeats_max = 500;  // livelock: so often one task retries in one state while no operation completes
  uint32_t retries_max = 0;          // of one operation for one reason; one more is in excessive_retries(). 0: no bound
  uint32_t bypasses_max = 0;         // of one waiter; one more is starvation. 0: not counted
  size_t stack_bytes = 128 * 1024;   // of one fiber, without its guard page
  bool keep_trace = false;           // record every step for trace()
};

// One step of a run, kept when options.keep_trace.
struct TraceStep {
  uint64_t step = 0;
  TaskId task = kNoTask;
  DeclaredOperation operation;
  std::string note;  // from NoteTrace; empty for plain steps
  lockdep::Site site;         // where it was declared; unset for notes
  uint32_t operation_id = 0;  // of a note: the operation of a history that it begins or ends; 0: none
};

// One waiter was passed over by later arrivals too often, as a value.
struct Starvation {
  struct Passer {
    TaskId task = kNoTask;
    std::string task_name;
    uint32_t times = 0;
  };
  Deadlock::Waiter waiter;
  uint32_t bypasses = 0;
  std::vector<Passer> passers;    // who has passed it since it began to wait, in order of first time
  uint64_t choices_before = 0;    // choices that the run had made when it was passed first
};

class Scheduler {
 public:
  explicit Scheduler(SchedulerOptions options = {});
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  // --- one run: BeginRun, Spawn..., Run (more Spawn and Run if wanted), EndRun ---

  void BeginRun(ChoiceRecorder* choices);
  // `name` must outlive the run. The body is copied into the task (at most 96 bytes, else capture a pointer).
  template <typename Body>
  TaskId Spawn(const char* name, Body body, TaskKind kind = TaskKind::kForeground) {
    static_assert(sizeof(Body) <= sizeof(Task::body), "capture less, or a pointer");
    Task& task = NewTask(name, kind);
    new (task.body) Body(std::move(body));
    task.run_body = [](Task& t) { (*std::launder(reinterpret_cast<Body*>(t.body)))(); };
    task.drop_body = std::is_trivially_destructible_v<Body>
                         ? nullptr
                         : +[](Task& t) { std::launder(reinterpret_cast<Body*>(t.body))->~Body(); };
    return task.id;
  }
  // Runs until every foreground task has ended or the run fails. Callable again after further Spawns.
  RunEnd Run();
  // Unwinds what is still alive (blocked tasks see a TaskUnwind exception pass through; releases do nothing then).
  void EndRun();

  // Called at each Spawn with the spawning task (kNoTask: none) and the new one. For observers; it must not touch the run.
  void set_spawn_observer(std::function<void(TaskId parent, TaskId child)> observer) {
    spawn_observer_ = std::move(observer);
  }

  // With options.keep_trace: called at each step, after the task has declared its operation, and when the run ends.
  void set_step_observer(std::function<void(bool run_ended)> observer) { step_observer_ = std::move(observer); }

  // A label for reports, by creation ordinal. `name` must outlive the run. `waitable`: what acquiring the object, or waiting
  // for it, may block on; it must live as long as tasks declare such operations.
  ObjectId NewObject(const char* name, uint32_t number = 0, const Waitable* waitable = nullptr) {
    objects_.push_back({name, number, waitable});
    return ObjectId{static_cast<uint32_t>(objects_.size() - 1)};
  }
  std::string ObjectName(ObjectId object) const;  // "folio 3"
  // Null if it has none. Ask only about an object of an operation that a live task has declared.
  const Waitable* object_waitable(ObjectId object) const { return objects_[Index(object)].waitable; }

  // --- called by the running task ---

  TaskId current() const { return TaskId{static_cast<uint16_t>(current_)}; }
  bool in_task() const { return current_ != Index(kNoTask); }
  int tasks() const { return tasks_used_; }
  TaskState task_state(TaskId task) const { return tasks_[Index(task)]->state; }
  TaskId task_parent(TaskId task) const { return tasks_[Index(task)]->parent; }  // kNoTask: spawned outside any task
  // What the task declared last.
  const DeclaredOperation& declared(TaskId task) const { return tasks_[Index(task)]->next; }
  const char* task_name(TaskId task) const { return tasks_[Index(task)]->name; }
  // What a blocked task waits for; null for a task that can run, has ended or will wake by its timer.
  const Wait* blocked_on(TaskId task) const {
    const Task& t = *tasks_[Index(task)];
    const bool stuck = t.state == TaskState::kBlocked && (timers_ >> Index(task) & 1) == 0;
    return stuck ? &t.wait : nullptr;
  }

  // Declares the next operation and lets others run first, if the choice says so. `site` is for timelines.
  // Outside any task (construction, final checks) it does nothing.
  [[gnu::always_inline]] void Point(OperationKind kind, ObjectId object, lockdep::Site site = lockdep::Site::Here()) {
    if (__builtin_expect(running_ == nullptr, 0)) return;
    Task& task = *running_;
    task.next = {kind, object};
    trace_hash_ = MixStep(trace_hash_, current_, kind, object);
    if (__builtin_expect(++steps_ >= alarm_, 0)) Alarm(site);
    const uint64_t others = runnable_ & ~(uint64_t{1} << current_);
    if (others == 0) return;
    const int answer = Ask(std::popcount(others) + 1, true);
    if (answer == 0) return;
    SwitchTo(*tasks_[static_cast<size_t>(NthOf(others, answer - 1))]);
  }

  // Blocks the current task until Wake. `wait` says on what; the wait-for graph is searched at once and a cycle ends the
  // run here (the call does not return then).
  void Block(const Wait& wait);
  // The same without a call, for the primitives that block most.
  [[gnu::always_inline]] void BlockInline(const Wait& wait) {
    if (__builtin_expect(unwinding_, 0)) return BlockWhileUnwinding();
    if (__builtin_expect(running_ == nullptr, 0)) return BlockOutsideTask();
    Task& self = *running_;
    const uint64_t bit = uint64_t{1} << current_;
    self.state = TaskState::kBlocked;
    self.wait = wait;
    runnable_ &= ~bit;
    const bool owner_runs = wait.owner != kNoTask && (runnable_ & (uint64_t{1} << Index(wait.owner))) != 0;
    if (__builtin_expect(!owner_runs, 0) && wait.waitable != nullptr && (timers_ & bit) == 0 && EndOnWaitCycle(self)) {
      return;
    }
    LeaveCurrent();
  }
  // Blocks until Wake or `now + delay_ns`; true if it was woken.
  bool BlockFor(const Wait& wait, int64_t delay_ns);
  // Makes a blocked task runnable. No effect on one that is not blocked.
  void Wake(TaskId task) {
    Task& t = *tasks_[Index(task)];
    if (t.state != TaskState::kBlocked) return;
    const uint64_t bit = uint64_t{1} << Index(task);
    t.state = TaskState::kRunnable;
    runnable_ |= bit;
    timers_ &= ~bit;
  }
  void Sleep(int64_t delay_ns);
  // Blocks until Wake or, as a fault (ChoiceKind::kSignal), until a signal comes: at once, or after a while. False: it has come;
  // the task may have been woken just before, which the caller looks at.
  bool BlockKillable(const Wait& wait);
  // For a wait that re-tests its condition: as Block, but it may, as a fault (ChoiceKind::kSpuriousWake), end without a Wake.
  // `spurious_left` bounds how often; set it to kSpuriousWakesMax when the wait begins. False: nobody woke the task.
  bool BlockRetesting(const Wait& wait, int* spurious_left);
  // These tasks never run again in this run: the machine they run on has died. What they hold stays held; EndRun unwinds them.
  // Does not return if the current task is one of them, or if no foreground task is left (the run has then completed).
  void Halt(absl::Span<const TaskId> tasks);
  // For who changed the edges between blocked tasks, although nobody blocks: ends the run if a cycle of waits has closed.
  void EndIfDeadlocked();

  // A choice other than which task runs. options >= 2; with fewer, 0 without asking.
  int Choose(ChoiceKind kind, int options, ObjectId object) {
    if (options < 2) return 0;
    const int answer = choices_->Choose({kind, options, current(), object, {}});
    if (__builtin_expect(choices_->stopped(), 0)) StopFromChoice();
    return answer;
  }

  // The same for a fault: asked only if it is on, else 0 (nothing goes wrong).
  int ChooseFault(ChoiceKind kind, int options, ObjectId object) {
    return __builtin_expect(faults_.Has(kind), 0) ? Choose(kind, options, object) : 0;
  }
  // BeginRun switches all off.
  void set_faults(const FaultSet& faults) { faults_ = faults; }
  const FaultSet& faults() const { return faults_; }

  // Would blocking on it close a cycle of waiting tasks? For locks that rather give up.
  bool WouldDeadlock(const Wait& wait);

  // The current operation completed: re-arms the livelock watchdog and closes its retry counts.
  void NoteProgress() {
    progress_step_ = steps_;
    if (__builtin_expect(retries_.any_open(), 0)) CloseRetries();
  }
  // The current task's operation begins (a part) again. `state`: a hash of what decided that, without counters and times. Others
  // run before it goes on. Ends the run as a livelock if the state repeats too often.
  void NoteRetry(RetryReason reason, uint64_t state = 0, lockdep::Site site = lockdep::Site::Here());
  // The current task begins to wait: nobody has passed it.
  void BeginBypassCount() {
    if (__builtin_expect(counts_bypasses(), 0) && running_ != nullptr) ClearBypasses(*running_);
  }
  // Of a waiter: `passer`, who arrived later, was served before it.
  void NoteBypass(TaskId waiter, TaskId passer) {
    if (__builtin_expect(counts_bypasses(), 0)) CountBypass(waiter, passer);
  }
  bool counts_bypasses() const { return options_.bypasses_max != 0; }
  // Ends the run as kStopped (a finding that makes going on pointless). Does not return when called by a task.
  void Stop();
  // Adds to the step's trace line, when traces are kept.
  void NoteTrace(absl::string_view note, uint32_t operation_id = 0);
  bool keeps_trace() const { return options_.keep_trace; }

  // True while EndRun unwinds: releases and signals must do nothing.
  bool unwinding() const { return unwinding_; }

  int64_t now_ns() const { return static_cast<int64_t>(steps_) * kStepNs + clock_skipped_ns_; }
  uint64_t steps() const { return steps_; }
  uint64_t trace_hash() const { return trace_hash_; }
  // Folds a value into the trace hash: results of operations, so that a divergence of data shows too.
  void MixTrace(uint64_t value) { trace_hash_ = (trace_hash_ ^ value) * 0xff51afd7ed558ccdu + 1; }

  // --- after a run that ended badly ---

  const Deadlock& deadlock() const { return deadlock_; }
  const Livelock& livelock() const { return livelock_; }
  const Starvation& starvation() const { return starvation_; }
  // Of operations that have completed, and of those under way when the run ended. After Run.
  const RetryStatistics& retries() const { return retries_.statistics(); }
  // The first retry of each operation beyond options.retries_max.
  const std::vector<Retrier>& excessive_retries() const { return excessive_retries_; }
  const std::vector<TraceStep>& trace() const { return trace_; }
  // Every live task and what it waits for, one a line.
  std::string DescribeTasks() const;

 private:
  struct Task {
    Fiber fiber;
    TaskId id{};
    TaskId parent = kNoTask;
    TaskState state = TaskState::kEnded;
    TaskKind kind = TaskKind::kForeground;
    bool started = false;
    const char* name = "";
    DeclaredOperation next;
    Wait wait;
    int64_t wake_at_ns = -1;  // timer; -1 none
    bool timed_out = false;
    uint64_t behind = 0;  // of a task that yielded: bit t: task t runs before it does
    uint32_t bypasses = 0;
    std::vector<Starvation::Passer> passers;
    uint64_t passed_at_choice = 0;
    void (*run_body)(Task&) = nullptr;
    void (*drop_body)(Task&) = nullptr;
    Scheduler* scheduler = nullptr;
    alignas(16) unsigned char body[96];
  };
  struct Object {
    const char* name;
    uint32_t number;
    const Waitable* waitable;
  };
  static uint64_t MixStep(uint64_t hash, int task, OperationKind kind, ObjectId object) {
    const uint64_t word = (static_cast<uint64_t>(object) << 16) ^ (static_cast<uint64_t>(task) << 8) ^
                          static_cast<uint64_t>(kind);
    hash = (hash ^ word) * 0xff51afd7ed558ccdu;
    return hash ^ (hash >> 29);
  }

  Task& NewTask(const char* name, TaskKind kind);
  // Asks which of `options` enabled tasks runs next.
  int Ask(int options, bool current_can_run) {
    if (__builtin_expect(choices_->wants_candidates(), 0)) return AskWithCandidates(options, current_can_run);
    const ObjectId object = running_ == nullptr ? kNoObject : running_->next.object;
    const int answer = choices_->Choose({ChoiceKind::kSchedule, options, current(), object, {}});
    if (__builtin_expect(choices_->stopped(), 0)) StopFromChoice();
    return answer;
  }
  int AskWithCandidates(int options, bool current_can_run);
  // The n-th set bit, from 0. The usual small n without a branch on it: half of them would be mispredicted.
  static int NthOf(uint64_t mask, int n) {
    const uint64_t second = mask & (mask - 1);
    if (second == 0) return std::countr_zero(mask);
    const uint64_t third = second & (second - 1);
    const uint64_t from[4] = {mask, second, third, third & (third - 1)};
    if (__builtin_expect(n < 4, 1)) return std::countr_zero(from[n]);
    mask = from[3];
    for (; n > 3; --n) mask &= mask - 1;
    return std::countr_zero(mask);
  }
  int ChooseNext() {
    const int options = std::popcount(runnable_);
    return options == 1 ? std::countr_zero(runnable_) : NthOf(runnable_, Ask(options, false));
  }
  // From the running task to `next`; returns when this one is continued, or throws TaskUnwind.
  [[gnu::always_inline]] void SwitchTo(Task& next) {
    Task& self = *running_;
    running_ = &next;
    current_ = Index(next.id);
    Fiber::Switch(self.fiber, next.fiber);
    if (__builtin_expect(unwinding_, 0)) ThrowUnlessReleasing(self);
  }
  void ThrowUnlessReleasing(Task& task);
  void SwitchToMain(RunEndKind kind);
  Deadlock::Waiter DescribeWaiter(const Task& task) const;
  void Alarm(lockdep::Site site);
  void StopFromChoice();
  // The current task cannot go on: runs another, or ends the run.
  [[gnu::always_inline]] void LeaveCurrent() {
    if (__builtin_expect(runnable_ == 0, 0) && !WaitForTimer()) return;
    Task& next = *tasks_[static_cast<size_t>(ChooseNext())];
    if (&next != running_) SwitchTo(next);  // else its own timer fired
  }
  bool WaitForTimer();
  void BlockWhileUnwinding();
  void BlockOutsideTask();
  bool EndOnWaitCycle(const Task& self);
  std::vector<TaskId> FindAnyWaitCycle() const;
  bool FireNextTimer();         // jumps the clock; false when there is no timer
  void JumpClock(const Wait& wait);
  void CloseRetries();
  void YieldToOthers();
  void LetYieldedRun();
  void EndYield(uint64_t tasks);
  void ClearBypasses(Task& task);
  void CountBypass(TaskId waiter, TaskId passer);
  void EndOnRepetition();
  void FireDueTimers();
  void RearmAlarm();
  void RecordDeadlock(const std::vector<TaskId>& cycle, const std::vector<TaskId>& knot = {});
  void KeepTraceStep(lockdep::Site site);
  static void TaskEntry(void* task);
  void EndTask(Task& task);

  SchedulerOptions options_;
  std::function<void(TaskId, TaskId)> spawn_observer_;
  std::function<void(bool)> step_observer_;
  std::vector<std::unique_ptr<Task>> tasks_;  // pooled; the first tasks_used_ belong to the run
  int tasks_used_ = 0;
  int foreground_live_ = 0;
  uint64_t runnable_ = 0;  // bit i: task i can run
  uint64_t timers_ = 0;    // bit i: task i has a timer
  uint64_t yielded_ = 0;   // bit i: task i could run, but lets others run first; not in runnable_
  Task* running_ = nullptr;
  int current_ = Index(kNoTask);
  ChoiceRecorder* choices_ = nullptr;
  FaultSet faults_;
  Fiber main_;
  StackPool stacks_;
  uint64_t steps_ = 0;
  uint64_t alarm_ = 0;  // next step at which Alarm must look
  uint64_t progress_step_ = 0;
  int64_t clock_skipped_ns_ = 0;
  uint64_t trace_hash_ = 0;
  RunEndKind end_kind_ = RunEndKind::kCompleted;
  bool unwinding_ = false;
  bool in_run_ = false;
  Deadlock deadlock_;
  Livelock livelock_;
  Starvation starvation_;
  RetryBook retries_;
  std::vector<Retrier> excessive_retries_;
  bool starved_ = false;  // the run ends at the next point
  std::vector<Object> objects_;
  std::vector<TraceStep> trace_;
};

// Passes through a task that EndRun unwinds, from the point at which it is suspended. Never catch it. A task suspended in a
// release or a signal (which destructors do) is continued without it and sees it at its next other point.
struct TaskUnwind {};

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_SCHED_SCHEDULER_H_
