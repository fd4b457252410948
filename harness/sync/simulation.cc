#include "harness/sync/simulation.h"

namespace ordeal {

Simulation::Simulation(SchedulerOptions options) : scheduler_(options), main_context_("main") {}

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
    contexts_[contexts_used_]->Reset(scheduler_.task_name(TaskId{static_cast<uint16_t>(contexts_used_)}));
  }
  return *contexts_[task];
}

}  // namespace ordeal
