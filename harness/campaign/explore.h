// Runs many schedules of one experiment and collects the distinct findings, each with the corpus entry that replays it.
//
// Thread-safety: none. One exploration a thread; campaigns on many cores are many processes with their own seeds.
// Invariants:    schedule n depends on (specification, strategy, seed, n) and, for strategies that learn, on the schedules
//                before it; the clock only decides when to stop. Findings are told apart by signature.
// Cost:          per schedule what Runner costs, plus a clock read each 32 schedules.
// Example:
//   ASSIGN_OR_RETURN(const ExploreResult result, Explore(registry, spec, {.seed = 7, .schedules_max = 10'000}));
//   for (const UniqueFinding& found : result.findings) WriteCorpusEntry(path, found.entry);
#ifndef ORDEAL_HARNESS_CAMPAIGN_EXPLORE_H_
#define ORDEAL_HARNESS_CAMPAIGN_EXPLORE_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "harness/campaign/confirm.h"
#include "harness/corpus/corpus_entry.h"
#include "harness/scenario/scenario.h"
#include "injectors/fault/fault_plan.h"

namespace ordeal {

struct ExploreOptions {
  std::string strategy = "random";
  uint64_t seed = 1;
  uint64_t first_run = 0;
  uint64_t schedules_max = 10'000;  // 0: no bound
  double seconds_max = 0;           // 0: no bound
  uint64_t findings_max = 1;        // stop after that many distinct ones; 0: no bound
  std::string until;                // stop at a finding whose signature has this in it; empty: at none
  // Fail every fault point of the first fail_nth schedules once, instead of faults at random; 0: at random. schedules_max does
  // not count then.
  uint64_t fail_nth = 0;
  std::vector<std::pair<ChoiceKind, FaultPlan::Probability>> fault_probabilities;  // instead of those of Faults()
  uint64_t confirm_schedules = 200;  // directed ones for each new lock cycle; 0: confirm nothing
};

struct UniqueFinding {
  Finding finding;
  std::vector<Finding> later;  // what the same run reported after it
  CorpusEntry entry;           // of the first run that had it
  uint64_t first_run = 0;
  uint64_t count = 0;          // runs that had it first
  bool replays = false;        // the entry was replayed at once, with the same finding and trace
  std::string replay_problem;  // why not
  // Of a lock cycle (CanBeConfirmed) that this run showed without blocking on it.
  std::optional<lockdep::Violation> violation;
  std::optional<Confirmation> confirmation;  // if it was asked for
};

// A lock cycle whose halves occurred only in different schedules: no run of its own shows it.
struct AcrossSchedules {
  lockdep::Violation violation;
  Finding finding;
  std::optional<Confirmation> confirmation;
};

struct ExploreResult {
  ScenarioSpec spec;
  std::string strategy;
  uint64_t seed = 0;
  uint64_t schedules = 0;
  uint64_t steps = 0;
  uint64_t inconclusive = 0;  // schedules that hit the step limit
  uint64_t trace_digest = 0;  // of the trace hashes of all schedules, in order: equal in every process and build
  double seconds = 0;
  std::vector<UniqueFinding> findings;  // in order of discovery
  std::string fault_coverage;           // of fail_nth, in words
  std::vector<AcrossSchedules> across;  // what all schedules together show, and no finding above
  bool quiet() const { return findings.empty() && across.empty(); }
};

// Tries to confirm a finding that is a lock cycle and has not been tried; nothing otherwise. The finding's details tell the
// outcome; `NameConfirmation` adds the file that replays it.
absl::Status ConfirmFinding(const Registry& registry, const ConfirmOptions& options, UniqueFinding* found);
absl::Status ConfirmAcross(const Registry& registry, const ScenarioSpec& spec, const ConfirmOptions& options,
                           AcrossSchedules* across);
// Once the confirmation's entry has been saved in `file`: the details name it.
void NameConfirmation(const std::string& file, UniqueFinding* found);
void NameConfirmation(const std::string& file, AcrossSchedules* across);

// Called now and then with the result so far.
using ExploreObserver = std::function<void(const ExploreResult&)>;

absl::StatusOr<ExploreResult> Explore(const Registry& registry, const ScenarioSpec& spec, const ExploreOptions& options,
                                      const ExploreObserver& observer = nullptr);

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_CAMPAIGN_EXPLORE_H_
