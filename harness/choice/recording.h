// What was asked and answered in one run, in order, and the recorder that every question passes through.
//
// Invariants:    recorded()[i] is the i-th choice of the run; answer < options.
// Thread-safety: none; one recorder serves one run at a time.
// Cost:          Choose adds a 12-byte append to the source's answer; nothing is allocated once the buffer has grown.
// Example:
//   ChoiceRecorder choices;
//   choices.Begin(&source);
//   if (choices.Choose({.kind = ChoiceKind::kAllocation, .options = 2}) == 1) return nullptr;  // fails
#ifndef ORDEAL_HARNESS_CHOICE_RECORDING_H_
#define ORDEAL_HARNESS_CHOICE_RECORDING_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "harness/choice/choice_point.h"
#include "harness/choice/choice_source.h"

namespace ordeal {

// One question and its answer. `expected` fields are what a replay compares before it answers.
struct RecordedChoice {
  uint32_t object = 0;
  uint16_t answer = 0;
  uint16_t options = 0;
  uint16_t task = 0;
  ChoiceKind kind = ChoiceKind::kSchedule;

  bool Matches(const ChoicePoint& point) const {
    return kind == point.kind && options == point.options && task == Index(point.task) &&
           object == Index(point.object);
  }
  friend bool operator==(const RecordedChoice& a, const RecordedChoice& b) {
    return a.object == b.object && a.answer == b.answer && a.options == b.options && a.task == b.task &&
           a.kind == b.kind;
  }
};
// "schedule of 3, task 2, object 17, answer 1".
std::string ToString(const RecordedChoice& choice);

// Folds one question (not its answer) into a drift-detecting hash; start with kQuestionHashSeed. Stable across
// processes, builds and versions: corpus files store it.
inline constexpr uint64_t kQuestionHashSeed = 0x9e3779b97f4a7c15u;
uint64_t MixQuestion(uint64_t hash, const RecordedChoice& choice);

class ChoiceRecorder {
 public:
  ChoiceRecorder();
  ChoiceRecorder(const ChoiceRecorder&) = delete;
  ChoiceRecorder& operator=(const ChoiceRecorder&) = delete;

  // Forgets the last run and answers from `source` (not owned) from now on.
  void Begin(ChoiceSource* source);

  // Asks the source and records. After the source stopped the run: 0, nothing recorded, stopped() is true.
  int Choose(const ChoicePoint& point) {
    if (__builtin_expect(next_ == end_, 0)) Grow();
    const int answer = source_->Choose(point);
    if (__builtin_expect(static_cast<unsigned>(answer) >= static_cast<unsigned>(point.options), 0)) {
      return Refuse(point, answer);
    }
    *next_++ = RecordedChoice{Index(point.object), static_cast<uint16_t>(answer),
                              static_cast<uint16_t>(point.options), Index(point.task), point.kind};
    return answer;
  }

  absl::Span<const RecordedChoice> recorded() const {
    return absl::Span<const RecordedChoice>(buffer_.data(), static_cast<size_t>(next_ - buffer_.data()));
  }
  size_t size() const { return static_cast<size_t>(next_ - buffer_.data()); }
  bool stopped() const { return stopped_; }
  bool wants_candidates() const { return wants_candidates_; }
  ChoiceSource* source() const { return source_; }

 private:
  void Grow();
  int Refuse(const ChoicePoint& point, int answer);

  std::vector<RecordedChoice> buffer_;
  RecordedChoice* next_ = nullptr;
  RecordedChoice* end_ = nullptr;
  ChoiceSource* source_ = nullptr;
  bool stopped_ = false;
  bool wants_candidates_ = false;
};

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_CHOICE_RECORDING_H_
