#include "harness/choice/replay.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace ordeal {

SparseRecording MakeSparse(absl::Span<const RecordedChoice> recorded, uint64_t checkpoint_every) {
  SparseRecording sparse;
  sparse.choices = recorded.size();
  uint64_t hash = kQuestionHashSeed;
  for (uint64_t i = 0; i < recorded.size(); ++i) {
    if (recorded[i].answer != 0) sparse.deviations.push_back({i, recorded[i]});
    hash = MixQuestion(hash, recorded[i]);
    const uint64_t asked = i + 1;
    if (asked % checkpoint_every == 0 || asked == recorded.size()) sparse.checkpoints.push_back({asked, hash});
  }
  return sparse;
}

ReplaySource::ReplaySource(absl::Span<const RecordedChoice> dense)
    : dense_form_(true), dense_(dense.begin(), dense.end()) {}

ReplaySource::ReplaySource(SparseRecording sparse) : sparse_(std::move(sparse)) {}

void ReplaySource::BeginRun(uint64_t) {
  ordinal_ = 0;
  next_deviation_ = 0;
  next_checkpoint_ = 0;
  hash_ = kQuestionHashSeed;
  status_ = absl::OkStatus();
}

int ReplaySource::Stop(absl::Status status) {
  if (status_.ok()) status_ = std::move(status);
  return kStopRun;
}

int ReplaySource::Choose(const ChoicePoint& point) {
  if (!status_.ok()) return kStopRun;
  return dense_form_ ? ChooseDense(point) : ChooseSparse(point);
}

int ReplaySource::ChooseDense(const ChoicePoint& point) {
  if (ordinal_ >= dense_.size()) {
    return Stop(absl::FailedPreconditionError(
        absl::StrCat("choice ", ordinal_, ": the recording ends here; the run asked ", ToString(point))));
  }
  const RecordedChoice& expected = dense_[ordinal_];
  if (!expected.Matches(point)) {
    return Stop(absl::FailedPreconditionError(absl::StrCat("choice ", ordinal_, ": recorded ", ToString(expected),
                                                           "; the run asked ", ToString(point))));
  }
  ++ordinal_;
  return expected.answer;
}

int ReplaySource::ChooseSparse(const ChoicePoint& point) {
  if (ordinal_ >= sparse_.choices) {
    return Stop(absl::FailedPreconditionError(
        absl::StrCat("choice ", ordinal_, ": the recording ends here; the run asked ", ToString(point))));
  }
  RecordedChoice asked{Index(point.object), 0, static_cast<uint16_t>(point.options), Index(point.task), point.kind};
  if (next_deviation_ < sparse_.deviations.size() && sparse_.deviations[next_deviation_].ordinal == ordinal_) {
    const RecordedChoice& expected = sparse_.deviations[next_deviation_].choice;
    if (!expected.Matches(point)) {
      return Stop(absl::FailedPreconditionError(absl::StrCat("choice ", ordinal_, ": recorded ", ToString(expected),
                                                             "; the run asked ", ToString(point))));
    }
    asked.answer = expected.answer;
    ++next_deviation_;
  }
  hash_ = MixQuestion(hash_, asked);
  ++ordinal_;
  if (next_checkpoint_ < sparse_.checkpoints.size() &&
      sparse_.checkpoints[next_checkpoint_].ordinal == ordinal_) {
    const uint64_t from = next_checkpoint_ == 0 ? 0 : sparse_.checkpoints[next_checkpoint_ - 1].ordinal;
    if (sparse_.checkpoints[next_checkpoint_].hash != hash_) {
      return Stop(absl::FailedPreconditionError(
          absl::StrCat("choices ", from, " to ", ordinal_ - 1, ": the run's questions differ from the recorded ones ",
                       "(checkpoint hash mismatch); the last one asked was ", ToString(point))));
    }
    ++next_checkpoint_;
  }
  return asked.answer;
}

absl::Status ReplaySource::Finished() const {
  if (!status_.ok()) return status_;
  const uint64_t recorded = dense_form_ ? dense_.size() : sparse_.choices;
  if (ordinal_ != recorded) {
    return absl::FailedPreconditionError(
        absl::StrCat("the run ended after ", ordinal_, " choices; ", recorded, " were recorded"));
  }
  return absl::OkStatus();
}

}  // namespace ordeal
