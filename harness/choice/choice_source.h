// The one door through which anything undetermined enters a run: strategies, fault plans and replays are choice sources.
//
// Invariants:    an answer is in [0, point.options) or kStopRun; the same source state gives the same answers.
// Thread-safety: none; one source serves one run at a time.
// Example:
//   RandomWalk source(seed);
//   ChoiceRecorder choices;
//   choices.Begin(&source);
//   ... run ...
//   SaveCorpusEntry(choices.recorded());
#ifndef ORDEAL_HARNESS_CHOICE_CHOICE_SOURCE_H_
#define ORDEAL_HARNESS_CHOICE_CHOICE_SOURCE_H_

#include "absl/status/status.h"
#include "harness/choice/choice_point.h"

namespace ordeal {

class ChoiceSource {
 public:
  // The answer of a source that cannot go on (a replay that diverged). The run stops; status() says why.
  static constexpr int kStopRun = -1;

  virtual ~ChoiceSource() = default;
  virtual int Choose(const ChoicePoint& point) = 0;
  // Called once before each run; `run` counts from 0. Strategies reseed here, so that run n of seed s is always the same.
  virtual void BeginRun(uint64_t run) {}
  // Called after each run with its number of scheduling steps (PCT learns the length from it).
  virtual void EndRun(uint64_t steps) {}
  // True when Choose reads point.candidates; the scheduler then fills them, which costs a few ns a candidate.
  virtual bool WantsCandidates() const { return false; }
  // True when every run that it has to offer has been made; most offer runs without end.
  virtual bool exhausted() const { return false; }
  virtual absl::Status status() const { return absl::OkStatus(); }
};

// The calm sequential run: 0 everywhere.
class QuietSource final : public ChoiceSource {
 public:
  int Choose(const ChoicePoint&) override { return 0; }
};

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_CHOICE_CHOICE_SOURCE_H_
