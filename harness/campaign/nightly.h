// The main job: every scenario on every file system, with every strategy and fault set, for a given time.
//
// Canaries first: each known bug is switched on once and must be found, else the campaign cannot be trusted. Then the
// cells (scenario, file system, strategy, faults) take turns, all bugs off, until the time is over. A finding on a historical
// file system is *known* if a hole of that protocol explains its kind; every other finding is new.
//
// Thread-safety: none; one process, one thread.
// Invariants:    everything found is saved under DIR/findings; DIR/report.md and DIR/report.json are replaced atomically.
// Example:
//   ASSIGN_OR_RETURN(const NightlyReport report, RunNightly(registry, {.seconds = 120, .directory = "out"}, progress));
//   return report.ok() ? 0 : 1;
#ifndef ORDEAL_HARNESS_CAMPAIGN_NIGHTLY_H_
#define ORDEAL_HARNESS_CAMPAIGN_NIGHTLY_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "harness/campaign/explore.h"
#include "harness/campaign/progress.h"

namespace ordeal {

struct NightlyOptions {
  double seconds = 8 * 3600;
  std::string directory = "nightly-out";
  uint64_t seed = 1;
  uint64_t confirm_schedules = 200;  // directed ones for each new lock cycle; 0: confirm nothing
};

// One known bug, switched on.
struct CanaryResult {
  std::string bug;       // "B01"
  std::string slug;
  std::string scenario;  // empty: no scenario is known to find it
  std::string filesystem;
  bool found = false;
  uint64_t schedules = 0;
  std::string signature;
};

// One experiment of the campaign, all its turns added up.
struct CellResult {
  ScenarioSpec spec;
  std::string strategy;
  uint64_t schedules = 0;
  uint64_t steps = 0;
  uint64_t inconclusive = 0;
  uint64_t findings = 0;  // distinct signatures
  double seconds = 0;
};

struct NightlyFinding {
  UniqueFinding found;
  std::vector<std::string> known_as;  // inherent bugs of the protocol that may explain it; empty: new
  std::string file;                   // relative to the report's folder
  std::string confirmation_file;      // likewise; of a lock cycle that was confirmed
};

// A lock cycle whose halves occurred only in different schedules of one turn.
struct NightlyAcross {
  AcrossSchedules across;
  ScenarioSpec spec;
  std::vector<std::string> known_as;
  std::string confirmation_file;  // "" if it was not confirmed
};

struct NightlyReport {
  NightlyOptions options;
  std::string started;  // UTC
  double seconds = 0;
  bool canaries_complete = true;  // false: the time was over before all had their turn
  std::vector<CanaryResult> canaries;
  std::vector<CellResult> cells;
  std::vector<NightlyFinding> findings;  // in order of discovery; one a (scenario, file system, signature)
  std::vector<NightlyAcross> across;     // likewise; none that is among the findings

  uint64_t schedules() const;
  uint64_t found_canaries() const;
  uint64_t missed_canaries() const;  // had a scenario and their turn, and were not found
  uint64_t new_findings() const;
  uint64_t unrepeatable() const;  // findings that did not replay
  bool ok() const { return missed_canaries() == 0 && new_findings() == 0 && unrepeatable() == 0; }
};

absl::StatusOr<NightlyReport> RunNightly(const Registry& registry, const NightlyOptions& options, Progress& progress);

// The two renderings of a report.
std::string RenderMarkdown(const NightlyReport& report);
std::string RenderJson(const NightlyReport& report);

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_CAMPAIGN_NIGHTLY_H_
