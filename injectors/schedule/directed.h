// The directed schedule: makes a lock cycle that the validator predicted close, so that the tasks really block on each other.
//
// A task *stands at* an edge A -> B of the cycle when it holds A and has declared that it acquires B next. Such a task is
// held there, while the others run at random. As soon as the held tasks would block on each other if each took its next step (the
// wait-for graph over what they have declared has a cycle), exactly those are let go, and the deadlock is real. If nobody else can
// run, or nothing has come of holding for long, the task held longest is let go for one step.
//
// Runs differ: run 0 holds every task that stands at an edge; later ones let one in eight pass, so that another instance
// of the same locks gets its turn. Choices other than schedule are 0; wrap the source in a fault plan or in another source
// that answers them.
//
// Thread-safety: none; one source serves one run at a time.
// Invariants:    a task is held only while another can run: holding delays, and never ends a run.
//                A run is a function of (cycle, seed, run) and of the scenario.
// Cost:          Choose is O(candidates * held locks); while a task is held, a search of the wait-for graph.
// Algorithm:     Joshi, Park, Sen, Naik, "A randomized dynamic program analysis technique for detecting real deadlocks"
//                (PLDI 2009), which knows its tasks and locks by where they were created and lets random ones go.
// Example:
//   Directed source(runner.sim().scheduler(), seed, [&](const Candidate& task) { return StandsAtAnEdge(task); });
//   for (uint64_t run = 0; run < 200; ++run) runner.Run(source, run);
#ifndef ORDEAL_INJECTORS_SCHEDULE_DIRECTED_H_
#define ORDEAL_INJECTORS_SCHEDULE_DIRECTED_H_

#include <array>
#include <cstdint>
#include <functional>
#include <vector>

#include "harness/choice/choice_source.h"
#include "harness/choice/prng.h"
#include "harness/sched/scheduler.h"

namespace ordeal {

inline constexpr int kDirectedPatienceDecisions = 2000;  // without a newly held task, before one is let go

class Directed final : public ChoiceSource {
 public:
  // True if the task stands at an edge of the cycle.
  using StandsAtEdge = std::function<bool(const Candidate& task)>;

  // `scheduler` (not owned) is the one that asks.
  Directed(const Scheduler& scheduler, uint64_t seed, StandsAtEdge stands_at_edge);

  int Choose(const ChoicePoint& point) override;
  void BeginRun(uint64_t run) override;
  bool WantsCandidates() const override { return true; }

  // Of the run: how often a task was held, and let go without a cycle.
  uint64_t held() const { return held_count_; }
  uint64_t let_go() const { return let_go_count_; }

 private:
  enum class Role : uint8_t {
    kFree,
    kHeld,     // stands at an edge and waits for the others
    kClosing,  // part of the cycle that is being closed
    kPassing,  // let go; free again once its declared operation has changed
  };
  struct TaskRow {
    Role role = Role::kFree;
    uint64_t since = 0;       // kHeld: when it was held
    DeclaredOperation at;     // what it had declared when it got its role
  };

  void Update(const ChoicePoint& point);
  void FindClosingCycle(const ChoicePoint& point);
  int PickClosing(const ChoicePoint& point) const;
  int PickFree(const ChoicePoint& point);
  int LetLongestGo(const ChoicePoint& point);
  TaskRow& Row(TaskId task) { return rows_[Index(task)]; }
  const TaskRow& Row(TaskId task) const { return rows_[Index(task)]; }

  const Scheduler& scheduler_;
  const uint64_t seed_;
  const StandsAtEdge stands_at_edge_;

  // Of the current run.
  Prng prng_;
  uint64_t run_ = 0;
  uint64_t decisions_ = 0;
  uint64_t last_news_ = 0;  // the decision at which a task was held or let go
  uint64_t held_count_ = 0;
  uint64_t let_go_count_ = 0;
  std::array<TaskRow, kTasksMax> rows_;
  std::array<Wait, kTasksMax> would_wait_;  // scratch: what each held task would wait for
};

}  // namespace ordeal

#endif  // ORDEAL_INJECTORS_SCHEDULE_DIRECTED_H_
