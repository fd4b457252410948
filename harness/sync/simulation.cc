#include "harness/sync/simulation.h"

namespace ordeal {

namespace {

// In the validator: 0 is the context outside any task.
uint32_t ContextId(uint16_t task) { return task + uint32_t{1}; }

}  // namespace

Simulation::Simulation(SchedulerOptions options, lockdep::ValidatorOptions validator)
    : scheduler_(options), validator_(validator), main_context_("main") {
  grades_ = validator.grade_online;
  if (grades_) ObserveSpawns();
}

void Simulation::ObserveSpawns() {
  scheduler_.set_spawn_observer([this](TaskId parent, TaskId child) { ObserveSpawn(parent, child); });
}

// What is spawned outside any task, after others have ended, comes after them; what is spawned first comes after nothing.
void Simulation::ObserveSpawn(TaskId parent, TaskId child) {
  lockdep::TaskContext& context = NewContext(Index(parent));
  bool first = !grades_ && parent == kNoTask;
  if (parent == kNoTask) {
    for (uint16_t task = 0; task < Index(child); ++task) {
      if (scheduler_.task_state(TaskId{task}) != TaskState::kEnded) continue;
      validator_.Join(context, ContextId(task));
      first = false;
    }
  }
  if (!first) validator_.Fork(context, ContextId(Index(child)));
}

void Simulation::StartFollowingEvents() {
  follows_events_ = true;
  if (!grades_) ObserveSpawns();
  for (size_t i = 0; i < contexts_used_; ++i) validator_.RememberAcquisitions(*contexts_[i]);
}

void Simulation::BeginRun(ChoiceRecorder* choices) {
  scheduler_.BeginRun(choices);
  validator_.BeginRun();
  main_context_.Reset("main");
  contexts_used_ = 0;
}

void Simulation::EndRun() {
  for (size_t i = 0; i < contexts_used_; ++i) {
    if (contexts_[i]->held().empty()) continue;
    const TaskId task{static_cast<uint16_t>(i)};
    if (scheduler_.task_state(task) == TaskState::kEnded) validator_.TaskExit(*contexts_[i]);
  }
  scheduler_.EndRun();
}

lockdep::TaskContext& Simulation::NewContext(uint16_t task) {
  if (TaskId{task} == kNoTask) return main_context_;
  for (; contexts_used_ <= task; ++contexts_used_) {
    if (contexts_used_ == contexts_.size()) contexts_.push_back(std::make_unique<lockdep::TaskContext>());
    const uint16_t next = static_cast<uint16_t>(contexts_used_);
    contexts_[contexts_used_]->Reset(scheduler_.task_name(TaskId{next}), ContextId(next));
    if (follows_events_) validator_.RememberAcquisitions(*contexts_[contexts_used_]);
  }
  return *contexts_[task];
}

}  // namespace ordeal
