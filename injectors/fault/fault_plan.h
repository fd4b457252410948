// A fault plan: answers the fault choices (allocation, I/O error, I/O delay, reader steal) itself and passes every other
// choice to the strategy that it wraps.
//
// Each run has its own subset of faults: a site (kind of fault, task, object) is first *activated* for the run with one
// probability, and only an activated site then *fires*, with another, at each visit. So some runs have failing
// allocations in one task alone, some have slow I/O and nothing else, some have no fault at all; with one probability
// for all, every run would be the same average mess.
//
// Seeds: the plan draws from DeriveSeed(DeriveSeed(seed, 0xfa), run), a stream of its own: turning a fault on or off does
// not change what the strategy draws. Whether a site is activated depends on (seed, run, site) alone, not on the visits.
//
// Thread-safety: none; one source serves one run at a time.
// Cost:          Choose is two draws for a fault point, one switch and a virtual call for others. Nothing is allocated.
// Example:
//   RandomWalk walk(seed);
//   FaultPlan source(seed, &walk);
//   runner.Run(source, run);
#ifndef ORDEAL_INJECTORS_FAULT_FAULT_PLAN_H_
#define ORDEAL_INJECTORS_FAULT_FAULT_PLAN_H_

#include <cstdint>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "harness/choice/choice_source.h"
#include "harness/choice/fault_set.h"
#include "harness/choice/prng.h"

namespace ordeal {

struct FaultEntry {
  const char* name;  // of `--faults`
  ChoiceKind kind;
  uint32_t activated_percent;  // a site takes part in a run
  uint32_t fires_percent;      // an activated site fires at a visit
  const char* summary;
};

// The faults, their default probabilities and what they mean.
absl::Span<const FaultEntry> Faults();
// nullptr when no fault has that name.
const FaultEntry* FindFault(absl::string_view name);

class FaultPlan final : public ChoiceSource {
 public:
  struct Probability {
    uint32_t activated_percent = 0;  // 0..100
    uint32_t fires_percent = 0;      // 0..100
  };

  // `strategy` is not owned. Probabilities are those of Faults() until Set changes them.
  FaultPlan(uint64_t seed, ChoiceSource* strategy);
  // `kind` must be one of Faults().
  void Set(ChoiceKind kind, Probability probability);

  int Choose(const ChoicePoint& point) override;
  void BeginRun(uint64_t run) override;
  void EndRun(uint64_t steps) override { strategy_->EndRun(steps); }
  bool WantsCandidates() const override { return strategy_->WantsCandidates(); }
  absl::Status status() const override { return strategy_->status(); }

 private:
  static constexpr int kFaults = static_cast<int>(AllFaults().size());
  static int IndexOf(ChoiceKind kind);  // -1: not a fault

  const uint64_t seed_;
  ChoiceSource* const strategy_;
  Probability probability_[kFaults];
  uint64_t run_seed_ = 0;
  Prng prng_;
};

}  // namespace ordeal

#endif  // ORDEAL_INJECTORS_FAULT_FAULT_PLAN_H_
