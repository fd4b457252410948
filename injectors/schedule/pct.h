// Probabilistic concurrency testing: tasks run by random priority, and at depth-1 random moments the running task drops
// to the bottom. Finds a bug of depth d with probability at least 1 / (n k^(d-1)) for n tasks and k decisions.
//
// k is learned: the most scheduling decisions that any run so far had (run 0 has no change points but those in its first
// decision). Decisions are counted, not steps: a change point in a stretch where only one task can run would have no
// effect before the next decision, and counting decisions lets it land there.
// A task that is picked 200 times in a row while others could run is demoted below all change-point values, so that spin
// loops end. Choices other than schedule are uniform.
//
// Thread-safety: none; one source serves one run at a time.
// Invariants:    the priorities of one run are distinct; the run is a function of (seed, run, decisions_max() at its start).
// Cost:          Choose is O(candidates). Nothing is allocated after construction.
// Example:
//   Pct source(seed, /*depth=*/3);
//   for (uint64_t run = 0; run < 1000; ++run) runner.Run(source, run);
#ifndef ORDEAL_INJECTORS_SCHEDULE_PCT_H_
#define ORDEAL_INJECTORS_SCHEDULE_PCT_H_

#include <array>
#include <cstdint>

#include "harness/choice/choice_source.h"
#include "harness/choice/prng.h"

namespace ordeal {

inline constexpr int kPctDepthMax = 16;
inline constexpr int kPctFairnessSteps = 200;  // consecutive picks of one task before it is demoted

class Pct final : public ChoiceSource {
 public:
  // depth 1..kPctDepthMax; 1 has no change points.
  Pct(uint64_t seed, int depth);

  int Choose(const ChoicePoint& point) override;
  void BeginRun(uint64_t run) override;
  void EndRun(uint64_t steps) override;
  bool WantsCandidates() const override { return true; }

  // The learned k.
  uint64_t decisions_max() const { return decisions_max_; }

 private:
  static constexpr int kTasks = 64;  // the scheduler's bound on tasks of one run

  int64_t& PriorityOf(TaskId task);
  int Highest(const ChoicePoint& point);
  void DrawChangePoints();

  const uint64_t seed_;
  const int depth_;
  uint64_t decisions_max_ = 1;

  // Of the current run.
  Prng prng_;
  uint64_t decisions_ = 0;
  uint64_t seen_ = 0;          // bit t: priority_[t] is drawn
  int64_t next_demoted_ = -1;  // fairness demotions go down from here
  TaskId last_ = kNoTask;
  int in_a_row_ = 0;
  int next_change_ = 0;
  std::array<int64_t, kTasks> priority_{};
  std::array<uint64_t, kPctDepthMax> change_at_{};   // ascending; depth_ - 1 are used
  std::array<int64_t, kPctDepthMax> change_to_{};    // the low value that goes with it
};

}  // namespace ordeal

#endif  // ORDEAL_INJECTORS_SCHEDULE_PCT_H_
