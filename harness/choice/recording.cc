#include "harness/choice/recording.h"

#include "absl/strings/str_cat.h"
#include "lockdep/support/check.h"

namespace ordeal {

std::string ToString(const RecordedChoice& choice) {
  const ChoicePoint question{choice.kind, choice.options, TaskId{choice.task}, ObjectId{choice.object}};
  return absl::StrCat(ToString(question), ", answer ", choice.answer);
}

uint64_t MixQuestion(uint64_t hash, const RecordedChoice& choice) {
  const uint64_t word = (static_cast<uint64_t>(choice.object) << 32) ^
                        (static_cast<uint64_t>(choice.options) << 24) ^
                        (static_cast<uint64_t>(choice.task) << 8) ^ static_cast<uint64_t>(choice.kind);
  hash = (hash ^ word) * 0xff51afd7ed558ccdu;
  return hash ^ (hash >> 33);
}

ChoiceRecorder::ChoiceRecorder() : buffer_(1024) {
  next_ = buffer_.data();
  end_ = buffer_.data() + buffer_.size();
}

void ChoiceRecorder::Begin(ChoiceSource* source) {
  source_ = source;
  next_ = buffer_.data();
  stopped_ = false;
  wants_candidates_ = source->WantsCandidates();
}

void ChoiceRecorder::Grow() {
  const size_t used = size();
  buffer_.resize(buffer_.size() * 2);
  next_ = buffer_.data() + used;
  end_ = buffer_.data() + buffer_.size();
}

int ChoiceRecorder::Refuse(const ChoicePoint& point, int answer) {
  LD_CHECK(answer == ChoiceSource::kStopRun,
           absl::StrCat("a choice source answered ", answer, " to ", ToString(point)));
  stopped_ = true;
  return 0;
}

}  // namespace ordeal
