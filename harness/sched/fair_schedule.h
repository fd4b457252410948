// A run that is let go on fairly: its first choices are those of a recording; from there every task that can run gets its turn, the
// one that waited longest first, and nothing goes wrong any more. What never ends under such a schedule is a livelock; what does
// was starved by the schedule.
//
// Thread-safety: none; one source serves one run at a time.
// Invariants:    the prefix is answered as it was recorded; after it every other choice is 0.
// Example:
//   FairContinuation fair(recorder.recorded(), scheduler.livelock().choices_before);
//   const RunResult result = runner.Run(fair);
#ifndef ORDEAL_HARNESS_SCHED_FAIR_SCHEDULE_H_
#define ORDEAL_HARNESS_SCHED_FAIR_SCHEDULE_H_

#include <array>
#include <vector>

#include "absl/types/span.h"
#include "harness/choice/choice_source.h"
#include "harness/choice/recording.h"
#include "harness/sched/scheduler.h"

namespace ordeal {

class FairContinuation final : public ChoiceSource {
 public:
  FairContinuation(absl::Span<const RecordedChoice> recorded, uint64_t prefix);

  int Choose(const ChoicePoint& point) override;
  void BeginRun(uint64_t run) override;
  bool WantsCandidates() const override { return true; }

 private:
  std::vector<RecordedChoice> prefix_;
  size_t next_ = 0;
  uint64_t turn_ = 0;
  std::array<uint64_t, kTasksMax> last_turn_{};
};

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_SCHED_FAIR_SCHEDULE_H_
