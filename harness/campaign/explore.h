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
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "harness/corpus/corpus_entry.h"
#include "harness/scenario/scenario.h"

namespace ordeal {

struct ExploreOptions {
  std::string strategy = "random";
  uint64_t seed = 1;
  uint64_t first_run = 0;
  uint64_t schedules_max = 10'000;  // 0: no bound
  double seconds_max = 0;           // 0: no bound
  uint64_t findings_max = 1;        // stop after that many distinct ones; 0: no bound
};

struct UniqueFinding {
  Finding finding;
  std::vector<Finding> later;  // what the same run reported after it
  CorpusEntry entry;           // of the first run that had it
  uint64_t first_run = 0;
  uint64_t count = 0;          // runs that had it first
  bool replays = false;        // the entry was replayed at once, with the same finding and trace
  std::string replay_problem;  // why not
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
};

// Called now and then with the result so far.
using ExploreObserver = std::function<void(const ExploreResult&)>;

absl::StatusOr<ExploreResult> Explore(const Registry& registry, const ScenarioSpec& spec, const ExploreOptions& options,
                                      const ExploreObserver& observer = nullptr);

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_CAMPAIGN_EXPLORE_H_
