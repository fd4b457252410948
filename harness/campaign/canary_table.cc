#include "harness/campaign/canary_table.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "harness/campaign/explore.h"
#include "harness/campaign/known_holes.h"
#include "harness/campaign/stopwatch.h"
#include "harness/corpus/corpus_file.h"
#include "harness/corpus/minimise.h"
#include "lockdep/support/status_macros.h"

namespace ordeal {
namespace {

constexpr const char* kStrategies[] = {"random", "pct:3"};
constexpr uint64_t kTwinSchedules = 3000;
constexpr uint64_t kOtherFindingsMax = 5;  // a historical protocol has other holes: so many distinct findings are looked at
constexpr const char* kCleanScenarios[] = {"operations-mix", "cluster-mix"};

bool Contains(const std::vector<std::string>& list, const std::string& name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

// One scenario and strategy over the seeds.
struct Attempt {
  CanaryRow row;
  std::optional<CorpusEntry> entry;  // of the first seed that found it
};

// More seeds first, then fewer schedules.
bool Better(const CanaryRow& a, const CanaryRow& b) {
  const bool a_all = a.found == a.seeds;
  const bool b_all = b.found == b.seeds;
  if (a_all != b_all) return a_all;
  if (a.found != b.found) return a.found > b.found;
  return a.median < b.median;
}

class TableMaker {
 public:
  TableMaker(const Registry& registry, const CanaryTableOptions& options, Progress& progress)
      : registry_(registry), progress_(progress) {
    table_.options = options;
  }

  absl::StatusOr<CanaryTable> Make() {
    for (const BugEntry& bug : registry_.bugs()) {
      if (table_.options.seeds == 0) break;
      std::vector<std::string> filesystems = bug.filesystems;
      if (registry_.IsScenarioSwitch(bug.id)) filesystems.push_back("");
      for (const std::string& filesystem : filesystems) RETURN_IF_ERROR(AddSwitch(bug, filesystem));
      for (const FileSystemType& type : registry_.filesystems()) RETURN_IF_ERROR(AddHole(bug, type.name));
    }
    if (table_.options.clean_schedules > 0) {
      for (const FileSystemType& type : registry_.filesystems()) RETURN_IF_ERROR(AddClean(type));
    }
    return std::move(table_);
  }

 private:
  absl::Status AddSwitch(const BugEntry& bug, const std::string& filesystem) {
    std::optional<Attempt> best;
    for (const ScenarioEntry& scenario : registry_.scenarios()) {
      if (!Contains(scenario.bugs, bug.id)) continue;
      if (filesystem.empty() ? !scenario.filesystems.empty() : !Contains(scenario.filesystems, filesystem)) continue;
      RETURN_IF_ERROR(Try(scenario, filesystem, {.bug = bug.id, .slug = bug.slug, .filesystem = filesystem}, "", &best));
    }
    if (!best.has_value()) best = Attempt{{.bug = bug.id, .slug = bug.slug, .filesystem = filesystem}, {}};
    return Keep(std::move(*best));
  }

  // Nothing if no scenario shows it there.
  absl::Status AddHole(const BugEntry& bug, const std::string& filesystem) {
    std::optional<Attempt> best;
    for (const ScenarioEntry& scenario : registry_.scenarios()) {
      for (const ProtocolHole& hole : scenario.holes) {
        if (hole.bug != bug.id || hole.filesystem != filesystem) continue;
        const CanaryRow row{.bug = bug.id, .slug = bug.slug, .filesystem = filesystem, .twin = hole.twin};
        RETURN_IF_ERROR(Try(scenario, hole.twin, row, hole.signature, &best));
      }
    }
    return best.has_value() ? Keep(std::move(*best)) : absl::OkStatus();
  }

  // With each strategy, if the twin (a file system without the bug) is silent under all of them: a saved run's clean twin is
  // explored by any. *best: the better of it and these.
  absl::Status Try(const ScenarioEntry& scenario, const std::string& twin, const CanaryRow& row,
                   const std::string& signature, std::optional<Attempt>* best) {
    for (const char* strategy : kStrategies) {
      ASSIGN_OR_RETURN(const bool silent, TwinIsSilent(scenario, twin, strategy));
      if (!silent) return absl::OkStatus();
    }
    for (const char* strategy : kStrategies) {
      ASSIGN_OR_RETURN(Attempt attempt, TryAll(scenario, row, signature, strategy, SchedulesWorthTrying(*best)));
      if (!best->has_value() || Better(attempt.row, (*best)->row)) *best = std::move(attempt);
    }
    return absl::OkStatus();
  }

  absl::Status Keep(Attempt attempt) {
    CanaryRow& row = attempt.row;
    if (attempt.entry.has_value() && !table_.options.corpus.empty()) RETURN_IF_ERROR(Save(*attempt.entry, &row));
    progress_.Line(absl::StrFormat("%-5s %-36s %-20s %s", row.bug, row.slug, row.filesystem,
                                   row.scenario.empty() ? std::string("no scenario")
                                   : row.found == 0 ? std::string("MISSED")
                                                    : absl::StrFormat("%d of %d seeds, median %d, %s", row.found,
                                                                      row.seeds, row.median, row.strategy)));
    table_.canaries.push_back(std::move(row));
    return absl::OkStatus();
  }

  // Without any switch. On a historical file system a hole of its own may be found instead: that would prove nothing.
  absl::StatusOr<bool> TwinIsSilent(const ScenarioEntry& scenario, const std::string& filesystem,
                                    const std::string& strategy) {
    const auto [known, is_new] = silent_twins_.try_emplace({scenario.name, filesystem, strategy}, true);
    if (!is_new) return known->second;
    ExploreOptions options{.strategy = strategy, .schedules_max = kTwinSchedules};
    options.seconds_max = table_.options.seconds_max;
    options.confirm_schedules = 0;
    ASSIGN_OR_RETURN(const ExploreResult result,
                     Explore(registry_, {scenario.name, filesystem, {}, scenario.default_faults}, options));
    known->second = result.quiet();
    return known->second;
  }

  // What needs far more than the best so far cannot have the smaller median.
  uint64_t SchedulesWorthTrying(const std::optional<Attempt>& best) const {
    const bool all = best.has_value() && best->row.found == best->row.seeds && best->row.found > 0;
    return all ? std::min(table_.options.schedules_max, 2 * best->row.median + 20) : table_.options.schedules_max;
  }

  // `signature`: of the findings that count, in part.
  absl::StatusOr<Attempt> TryAll(const ScenarioEntry& scenario, const CanaryRow& row, const std::string& signature,
                                 const char* strategy, uint64_t schedules_max) {
    Attempt attempt{.row = row, .entry = {}};
    attempt.row.scenario = scenario.name;
    attempt.row.strategy = strategy;
    const std::vector<std::string> bugs = row.twin.empty() ? std::vector<std::string>{row.bug} : std::vector<std::string>{};
    std::vector<uint64_t> schedules;
    const Stopwatch watch;
    for (uint64_t seed = 1; seed <= table_.options.seeds; ++seed) {
      if (watch.Seconds() > table_.options.seconds_max) break;
      ExploreOptions options{.strategy = strategy, .seed = seed, .schedules_max = schedules_max};
      options.seconds_max = table_.options.seconds_max;
      options.confirm_schedules = 0;
      options.until = signature;
      if (!signature.empty()) options.findings_max = kOtherFindingsMax;
      ASSIGN_OR_RETURN(ExploreResult result,
                       Explore(registry_, {scenario.name, row.filesystem, bugs, scenario.default_faults}, options));
      ++attempt.row.seeds;
      const auto found = std::find_if(result.findings.begin(), result.findings.end(), [&](const UniqueFinding& one) {
        return absl::StrContains(one.finding.signature, signature);
      });
      if (found == result.findings.end()) continue;
      schedules.push_back(found->first_run + 1);
      if (attempt.entry.has_value()) continue;
      attempt.entry = std::move(found->entry);
      attempt.row.finding = FindingKindName(found->finding.kind);
    }
    attempt.row.found = schedules.size();
    if (schedules.empty()) return attempt;
    std::sort(schedules.begin(), schedules.end());
    attempt.row.median = schedules[schedules.size() / 2];
    attempt.row.max = schedules.back();
    return attempt;
  }

  absl::Status Save(const CorpusEntry& entry, CanaryRow* row) {
    ASSIGN_OR_RETURN(const Minimised small, Minimise(registry_, entry, {}));
    const std::string folder = row->filesystem.empty() ? "locks" : row->filesystem;
    row->file = absl::StrCat(folder, "/", CorpusFileName(small.entry));
    row->deviations = small.after.deviations;
    return WriteCorpusEntry(absl::StrCat(table_.options.corpus, "/", row->file), small.entry);
  }

  absl::Status AddClean(const FileSystemType& type) {
    for (const char* name : kCleanScenarios) {
      const ScenarioEntry* scenario = registry_.FindScenario(name);
      if (scenario != nullptr && Contains(scenario->filesystems, type.name)) return Soak(name, type);
    }
    return absl::OkStatus();
  }

  absl::Status Soak(const char* scenario, const FileSystemType& type) {
    CleanRow row{.filesystem = type.name, .scenario = scenario, .nodes = type.nodes};
    row.known_holes = type.inherent_bugs;
    const Stopwatch watch;
    for (const char* strategy : kStrategies) {
      ExploreOptions options{.strategy = strategy, .seed = 1};
      options.schedules_max = table_.options.clean_schedules / std::size(kStrategies);
      options.findings_max = 0;
      options.confirm_schedules = 0;
      const auto show = [&](const ExploreResult& result) {
        progress_.Update([&] {
          return absl::StrFormat("clean %-20s %-8s %d schedules", type.name, strategy, result.schedules);
        });
      };
      const ScenarioSpec spec{scenario, type.name, {}, FaultSet::All()};
      ASSIGN_OR_RETURN(const ExploreResult result, Explore(registry_, spec, options, show));
      row.by_strategy.push_back({strategy, result.schedules});
      row.schedules += result.schedules;
      row.steps += result.steps;
      row.inconclusive += result.inconclusive;
      for (const UniqueFinding& found : result.findings) AddFinding(spec, found.finding, found.count, &row);
      for (const AcrossSchedules& across : result.across) AddFinding(spec, across.finding, 0, &row);
    }
    row.seconds = watch.Seconds();
    progress_.Line(absl::StrFormat("clean %-20s %d schedules, %d findings %s", type.name, row.schedules,
                                   row.findings.size(), row.findings.empty() ? "" : row.findings.front().signature));
    table_.clean.push_back(std::move(row));
    return absl::OkStatus();
  }

  void AddFinding(const ScenarioSpec& spec, const Finding& finding, uint64_t runs, CleanRow* row) {
    for (CleanRow::Finding& known : row->findings) {
      if (known.signature == finding.signature) {
        known.runs += runs;
        return;
      }
    }
    row->findings.push_back({finding.signature, runs, HolesThatExplain(registry_, spec, finding.kind)});
  }

  const Registry& registry_;
  Progress& progress_;
  std::map<std::tuple<std::string, std::string, std::string>, bool> silent_twins_;  // scenario, file system, strategy
  CanaryTable table_;
};

}  // namespace

bool CanaryTable::ok() const {
  const bool all_found = std::all_of(canaries.begin(), canaries.end(),
                                     [](const CanaryRow& row) { return row.scenario.empty() || row.found > 0; });
  const bool silent = std::all_of(clean.begin(), clean.end(), [](const CleanRow& row) {
    return std::none_of(row.findings.begin(), row.findings.end(),
                        [](const CleanRow::Finding& finding) { return finding.holes.empty(); });
  });
  return all_found && silent;
}

absl::StatusOr<CanaryTable> MakeCanaryTable(const Registry& registry, const CanaryTableOptions& options,
                                            Progress& progress) {
  return TableMaker(registry, options, progress).Make();
}

}  // namespace ordeal
