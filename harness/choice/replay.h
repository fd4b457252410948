// Reads recorded choices back and stops the run at the first point that does not match what was recorded.
//
// Two forms: a dense recording (every choice) and the sparse form of corpus files (only the answers that differ from 0,
// by ordinal, with hash checkpoints over the questions in between).
// Invariants:    never answers a point that differs from the recorded one in kind, options, task or object.
// Thread-safety: none; one replay serves one run.
// Example:
//   ReplaySource replay(recorder.recorded());
//   ... run ...
//   RETURN_IF_ERROR(replay.Finished());   // also fails when the run asked less than was recorded
#ifndef ORDEAL_HARNESS_CHOICE_REPLAY_H_
#define ORDEAL_HARNESS_CHOICE_REPLAY_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "harness/choice/choice_source.h"
#include "harness/choice/recording.h"

namespace ordeal {

// The sparse form of a recording.
struct SparseRecording {
  struct Deviation {
    uint64_t ordinal = 0;   // which choice of the run, from 0
    RecordedChoice choice;  // answer != 0
  };
  struct Checkpoint {
    uint64_t ordinal = 0;  // after that many choices ...
    uint64_t hash = 0;     // ... the questions so far hash to this
  };
  uint64_t choices = 0;  // total number asked
  std::vector<Deviation> deviations;    // ascending ordinals
  std::vector<Checkpoint> checkpoints;  // ascending ordinals; the last one is at `choices`
};
// Every choice of `recorded`, with a checkpoint each `checkpoint_every` choices (>= 1) and one at the end.
SparseRecording MakeSparse(absl::Span<const RecordedChoice> recorded, uint64_t checkpoint_every = 64);

class ReplaySource final : public ChoiceSource {
 public:
  explicit ReplaySource(absl::Span<const RecordedChoice> dense);
  explicit ReplaySource(SparseRecording sparse);

  int Choose(const ChoicePoint& point) override;
  void BeginRun(uint64_t run) override;
  // FailedPrecondition "choice 17: recorded schedule of 3, task 2, object 5; the run asked io-error of 2, task ...".
  absl::Status status() const override { return status_; }
  // status(), or an error when recorded choices are left over.
  absl::Status Finished() const;

 private:
  int ChooseDense(const ChoicePoint& point);
  int ChooseSparse(const ChoicePoint& point);
  int Stop(absl::Status status);

  bool dense_form_ = false;
  std::vector<RecordedChoice> dense_;
  SparseRecording sparse_;
  uint64_t ordinal_ = 0;
  size_t next_deviation_ = 0;
  size_t next_checkpoint_ = 0;
  uint64_t hash_ = kQuestionHashSeed;
  absl::Status status_;
};

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_CHOICE_REPLAY_H_
