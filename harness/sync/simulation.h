// What every primitive of a scenario needs: the scheduler that runs its tasks and the validator that is told of each lock.
//
// Thread-safety: none; one simulation a thread. Reused for many runs (BeginRun .. EndRun), so that a run allocates little.
// Invariants:    task_context(t) holds exactly the locks that task t owns.
// Example:
//   Simulation sim;
//   sim.BeginRun(&choices);
//   Mutex mutex(sim, sim.Class("A"));
//   sim.scheduler().Spawn("writer", [&] { mutex.Lock(); mutex.Unlock(); });
//   const RunEnd end = sim.scheduler().Run();
//   sim.EndRun();
#ifndef ORDEAL_HARNESS_SYNC_SIMULATION_H_
#define ORDEAL_HARNESS_SYNC_SIMULATION_H_

#include <memory>
#include <vector>

#include "harness/sched/scheduler.h"
#include "lockdep/runtime/validator.h"

namespace ordeal {

class Simulation {
 public:
  // `validator.grade_online`: forks are told to the validator too, so that it grades each cycle of a run.
  explicit Simulation(SchedulerOptions options = {}, lockdep::ValidatorOptions validator = {});
  Simulation(const Simulation&) = delete;
  Simulation& operator=(const Simulation&) = delete;

  void BeginRun(ChoiceRecorder* choices);
  // Reports locks that ended tasks still hold (validator().violations() is complete after this), then unwinds the rest.
  void EndRun();

  Scheduler& scheduler() { return scheduler_; }
  lockdep::Validator& validator() { return validator_; }

  lockdep::LockClassId Class(absl::string_view name, lockdep::LockClassOptions options = {}) {
    return validator_.RegisterClass(name, options);
  }
  // Of the running task; outside any task, of the "main" context (construction, final checks).
  lockdep::TaskContext& context() {
    const uint16_t task = Index(scheduler_.current());
    if (__builtin_expect(task >= contexts_used_, 0)) return NewContext(task);
    return *contexts_[task];
  }
  // Of any task; null if it has not yet touched a lock in this run.
  const lockdep::TaskContext* context_of(TaskId task) const {
    return Index(task) < contexts_used_ ? contexts_[Index(task)].get() : nullptr;
  }
  // From now on, in this run and later ones, what tasks acquire is remembered for what they wake up without owing it. Not the
  // default: common guard locks are not considered, and page cache operations rely on them.
  void FollowEvents() {
    if (!follows_events_) StartFollowingEvents();
  }

 private:
  lockdep::TaskContext& NewContext(uint16_t task);
  void StartFollowingEvents();
  void ObserveSpawns();
  void ObserveSpawn(TaskId parent, TaskId child);

  Scheduler scheduler_;
  lockdep::Validator validator_;
  lockdep::TaskContext main_context_;
  std::vector<std::unique_ptr<lockdep::TaskContext>> contexts_;  // pooled; the first contexts_used_ belong to the run
  size_t contexts_used_ = 0;
  bool grades_ = false;
  bool follows_events_ = false;
};

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_SYNC_SIMULATION_H_
