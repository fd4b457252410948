// Fails each fault point of a schedule once, systematically: run after run the first, second ... point that the schedule asks,
// with each way to misbehave that the point offers, until a run reaches no such point (the kernel's fail-nth, for every kind of
// fault). Then the next schedule of the strategy. The runs before it took the same path up to the failed point. What a failure
// leads to (kIoTorn: how much of a failing write reached the device) is gone through with the point that failed.
//
// Thread-safety: none; one source serves one run at a time.
// Invariants:    in each run at most one fault point, and what it leads to, is answered with something else than 0; run n of (seed,
//                strategy, schedules) is always the same; exhausted() is true once every point of every schedule has had its turn.
// Cost:          (fault points + 1) runs a schedule and option.
// Example:
//   FailNth source(&strategy, {.schedules = 10});
//   for (uint64_t run = 0; !source.exhausted(); ++run) runner.Run(source, run);
//   out << source.coverage().ToString();
#ifndef ORDEAL_INJECTORS_FAULT_FAIL_NTH_H_
#define ORDEAL_INJECTORS_FAULT_FAIL_NTH_H_

#include <cstdint>
#include <map>
#include <string>

#include "harness/choice/choice_source.h"
#include "harness/choice/fault_set.h"

namespace ordeal {

struct FaultCoverage {
  uint64_t schedules = 0;  // of the strategy that have been gone through
  bool complete = false;   // all that were asked for
  uint64_t runs = 0;
  std::map<ChoiceKind, uint64_t> failed;  // fault points that failed once, by kind
  uint64_t points_max = 0;                // of one schedule

  // "every fault point of 10 schedules has failed once: 57 runs, 41 points (allocation 30, io-error 11)".
  std::string ToString() const;
};

class FailNth final : public ChoiceSource {
 public:
  struct Options {
    uint64_t schedules = 1;  // of the strategy
  };
  // `strategy` is not owned; it answers everything that is no fault.
  FailNth(ChoiceSource* strategy, Options options) : strategy_(strategy), options_(options) {}

  int Choose(const ChoicePoint& point) override;
  void BeginRun(uint64_t run) override;
  void EndRun(uint64_t steps) override;
  bool WantsCandidates() const override { return strategy_->WantsCandidates(); }
  absl::Status status() const override { return strategy_->status(); }
  bool exhausted() const override { return schedule_ >= options_.schedules; }

  const FaultCoverage& coverage() const { return coverage_; }

 private:
  ChoiceSource* const strategy_;
  const Options options_;
  // What this run fails: the point_-th fault point, with answer option_.
  uint64_t schedule_ = 0;
  uint64_t point_ = 0;
  int option_ = 1;
  int consequence_ = 0;  // and the answer to the question that only the failure raises
  // Of this run.
  uint64_t seen_ = 0;
  int options_of_point_ = 0;  // 0: the run has not reached it
  ChoiceKind kind_of_point_ = ChoiceKind::kAllocation;
  int options_of_consequence_ = 0;  // 0: there was no such question
  FaultCoverage coverage_;
};

}  // namespace ordeal

#endif  // ORDEAL_INJECTORS_FAULT_FAIL_NTH_H_
