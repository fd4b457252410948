// The proof that the tool finds what it claims to find: every known bug switched on, for many seeds and each strategy, and how
// many schedules that took; and every file system with its bugs off, for many schedules of the operations mix with all faults.
//
// Thread-safety: none; one process, one thread.
// Invariants:    the figures are counts of schedules, not times: they depend on options and code alone.
// Example:
//   ASSIGN_OR_RETURN(const CanaryTable table, MakeCanaryTable(registry, {.seeds = 20}, progress));
//   out << RenderMarkdown(table);
#ifndef ORDEAL_HARNESS_CAMPAIGN_CANARY_TABLE_H_
#define ORDEAL_HARNESS_CAMPAIGN_CANARY_TABLE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "harness/campaign/progress.h"
#include "harness/scenario/scenario.h"

namespace ordeal {

struct CanaryTableOptions {
  uint64_t seeds = 20;                 // 1 .. seeds; 0: no bugs
  uint64_t schedules_max = 20'000;     // of one seed
  double seconds_max = 20;             // of one (bug, file system, scenario, strategy); later seeds are left out
  uint64_t clean_schedules = 100'000;  // of each file system; 0: none
  std::string corpus;                  // folder for one minimised run a bug and file system; empty: none
};

// One bug on one file system with the scenario and strategy that find it soonest: a switch, or a hole of a historical protocol.
struct CanaryRow {
  std::string bug;
  std::string slug;
  std::string filesystem;  // empty: its scenario needs none
  std::string twin;        // of a hole: the protocol that closed it; empty: of a switch, the same file system without it
  std::string scenario;    // empty: no scenario here is known to find it while its twin without the switch is silent
  std::string strategy;
  std::string finding;     // kind: "deadlock"
  uint64_t seeds = 0;      // that were tried
  uint64_t found = 0;      // of them
  uint64_t median = 0;     // schedules until found, over the seeds that found it
  uint64_t max = 0;
  std::string file;        // of the minimised run
  uint64_t deviations = 0;  // of it
};

// One file system without any switch, with every fault of FaultSet::All().
struct CleanRow {
  struct Strategy {
    std::string name;
    uint64_t schedules = 0;
  };
  struct Finding {
    std::string signature;
    uint64_t runs = 0;  // that had it first; 0: it is seen across schedules only
    std::vector<std::string> holes;  // of a protocol as it was, which explain it; empty: nothing does
  };

  std::string filesystem;
  std::string scenario;
  int nodes = 1;
  uint64_t schedules = 0;  // of all strategies
  std::vector<Strategy> by_strategy;
  uint64_t steps = 0;
  uint64_t inconclusive = 0;             // schedules that hit the step limit
  std::vector<Finding> findings;         // told apart by signature
  std::vector<std::string> known_holes;  // of a protocol as it was
  double seconds = 0;
};

struct CanaryTable {
  CanaryTableOptions options;
  std::vector<CanaryRow> canaries;
  std::vector<CleanRow> clean;

  bool ok() const;  // every bug with a scenario was found, known holes explain every finding without one
};

absl::StatusOr<CanaryTable> MakeCanaryTable(const Registry& registry, const CanaryTableOptions& options,
                                            Progress& progress);

// canary_report.cc; columns are aligned, so that it can be read in a terminal too.
std::string RenderMarkdown(const CanaryTable& table);
std::string RenderJson(const CanaryTable& table);

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_CAMPAIGN_CANARY_TABLE_H_
