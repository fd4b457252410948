#include "harness/campaign/nightly.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "harness/campaign/known_holes.h"
#include "harness/corpus/corpus_file.h"
#include "lockdep/support/status_macros.h"

namespace ordeal {
namespace {

constexpr uint64_t kCanarySchedulesMax = 20'000;
constexpr double kCanarySecondsMax = 20;
constexpr double kCanaryShare = 0.3;  // of the whole time, for all canaries together
constexpr double kTurnSecondsMax = 5;
constexpr double kTurnSecondsMin = 0.02;
constexpr const char* kStrategies[] = {"random", "pct:3"};

bool Contains(const std::vector<std::string>& list, const std::string& item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

class Campaign {
 public:
  Campaign(const Registry& registry, const NightlyOptions& options, Progress& progress)
      : registry_(registry), progress_(progress) {
    report_.options = options;
    report_.started = UtcNow();
  }

  absl::StatusOr<NightlyReport> Run() {
    // An unwritable folder is noticed now, not after the night.
    RETURN_IF_ERROR(WriteReport());
    RETURN_IF_ERROR(RunCanaries());
    PlanCells();
    RETURN_IF_ERROR(RunCells());
    RETURN_IF_ERROR(WriteReport());
    return std::move(report_);
  }

 private:
  double Left() const { return report_.options.seconds - watch_.Seconds(); }

  absl::Status WriteReport() {
    report_.seconds = watch_.Seconds();
    const std::string& directory = report_.options.directory;
    RETURN_IF_ERROR(WriteFileAtomically(absl::StrCat(directory, "/report.md"), RenderMarkdown(report_)));
    return WriteFileAtomically(absl::StrCat(directory, "/report.json"), RenderJson(report_));
  }

  // --- canaries ---

  absl::Status RunCanaries() {
    for (const BugEntry& bug : registry_.bugs()) {
      if (!HasSwitch(bug)) continue;
      std::vector<std::string> filesystems = bug.filesystems;
      if (filesystems.empty()) filesystems.push_back("");
      for (const std::string& filesystem : filesystems) {
        if (watch_.Seconds() > report_.options.seconds * kCanaryShare) {
          report_.canaries_complete = false;
          return absl::OkStatus();
        }
        RETURN_IF_ERROR(RunCanary(bug, filesystem));
      }
    }
    return absl::OkStatus();
  }

  // False for a hole of a historical file system alone: no switch turns it on, so no canary can be asked for it.
  bool HasSwitch(const BugEntry& bug) const {
    return !bug.filesystems.empty() || registry_.IsScenarioSwitch(bug.id);
  }

  absl::Status RunCanary(const BugEntry& bug, const std::string& filesystem) {
    CanaryResult canary{.bug = bug.id, .slug = bug.slug, .filesystem = filesystem};
    for (const ScenarioEntry& scenario : registry_.scenarios()) {
      if (canary.found || !Contains(scenario.bugs, bug.id)) continue;
      if (!filesystem.empty() && !Contains(scenario.filesystems, filesystem)) continue;
      canary.scenario = scenario.name;
      for (const char* strategy : kStrategies) {
        if (canary.found) break;
        ExploreOptions options{.strategy = strategy, .seed = report_.options.seed};
        options.schedules_max = kCanarySchedulesMax;
        options.seconds_max = kCanarySecondsMax;
        options.confirm_schedules = 0;  // found is found
        ASSIGN_OR_RETURN(const ExploreResult result,
                         Explore(registry_, {scenario.name, filesystem, {bug.id}, scenario.default_faults}, options));
        canary.schedules += result.schedules;
        if (result.findings.empty()) continue;
        canary.found = true;
        canary.signature = result.findings.front().finding.signature;
      }
    }
    const std::string name = bug.slug == bug.id ? bug.id : absl::StrCat(bug.id, " ", bug.slug);
    progress_.Line(absl::StrFormat("canary %-42s %-9s %s", name, filesystem,
                                   canary.scenario.empty() ? std::string("no scenario here finds it")
                                   : canary.found ? absl::StrCat("found in schedule ", canary.schedules)
                                                  : absl::StrCat("MISSED in ", canary.schedules, " schedules")));
    report_.canaries.push_back(std::move(canary));
    return absl::OkStatus();
  }

  // --- cells ---

  void PlanCells() {
    const FaultSet all = FaultSet::All();
    for (const ScenarioEntry& scenario : registry_.scenarios()) {
      std::vector<std::string> filesystems = scenario.filesystems;
      if (filesystems.empty()) filesystems.push_back("");
      for (const std::string& filesystem : filesystems) {
        for (const char* strategy : kStrategies) {
          AddCell({scenario.name, filesystem, {}, scenario.default_faults}, strategy);
          if (!(scenario.default_faults == all)) AddCell({scenario.name, filesystem, {}, all}, strategy);
        }
      }
    }
  }
  void AddCell(ScenarioSpec spec, const char* strategy) {
    report_.cells.push_back({.spec = std::move(spec), .strategy = strategy});
  }

  absl::Status RunCells() {
    for (uint64_t round = 0; Left() > 0 && !report_.cells.empty(); ++round) {
      const double turn = std::clamp(Left() / static_cast<double>(report_.cells.size()), kTurnSecondsMin, kTurnSecondsMax);
      for (CellResult& cell : report_.cells) {
        if (Left() <= 0 && round > 0) break;  // each cell has at least one turn, however short the time
        RETURN_IF_ERROR(RunTurn(turn, &cell));
      }
      RETURN_IF_ERROR(WriteReport());
    }
    return absl::OkStatus();
  }

  absl::Status RunTurn(double seconds, CellResult* cell) {
    ExploreOptions options{.strategy = cell->strategy, .seed = report_.options.seed, .first_run = cell->schedules};
    options.schedules_max = 0;
    options.seconds_max = seconds;
    options.findings_max = 0;
    options.confirm_schedules = 0;  // Keep does it, once for each that is new to the night
    const uint64_t before = report_.schedules();
    ASSIGN_OR_RETURN(ExploreResult result,
                     Explore(registry_, cell->spec, options, [&](const ExploreResult& so_far) {
                       progress_.Update([&] { return Line(*cell, before + so_far.schedules); });
                     }));
    cell->schedules += result.schedules;
    cell->steps += result.steps;
    cell->inconclusive += result.inconclusive;
    cell->seconds += result.seconds;
    for (UniqueFinding& found : result.findings) RETURN_IF_ERROR(Keep(std::move(found), cell));
    for (AcrossSchedules& across : result.across) RETURN_IF_ERROR(KeepAcross(std::move(across), cell));
    return absl::OkStatus();
  }

  std::string Line(const CellResult& cell, uint64_t schedules) const {
    const double percent = 100 * watch_.Seconds() / report_.options.seconds;
    return absl::StrFormat("%3.0f %%  %d schedules, %d findings (%d new)  %s %s %s", percent, schedules,
                           report_.findings.size(), report_.new_findings(), cell.spec.scenario,
                           cell.spec.filesystem, cell.strategy);
  }

  absl::Status Keep(UniqueFinding found, CellResult* cell) {
    for (NightlyFinding& known : report_.findings) {
      if (known.found.finding.signature == found.finding.signature &&
          known.found.entry.spec.scenario == cell->spec.scenario &&
          known.found.entry.spec.filesystem == cell->spec.filesystem) {
        known.found.count += found.count;
        return absl::OkStatus();
      }
    }
    ++cell->findings;
    NightlyFinding kept{.found = std::move(found)};
    kept.known_as = HolesThatExplain(registry_, cell->spec, kept.found.finding.kind);
    kept.file = absl::StrCat("findings/", CorpusFileName(kept.found.entry));
    RETURN_IF_ERROR(WriteCorpusEntry(absl::StrCat(report_.options.directory, "/", kept.file), kept.found.entry));
    if (kept.found.replays) {
      RETURN_IF_ERROR(ConfirmFinding(registry_, confirm_options(), &kept.found));
      ASSIGN_OR_RETURN(kept.confirmation_file, SaveConfirmation(&kept.found));
    }
    progress_.Line(absl::StrCat(kept.known_as.empty() ? "NEW    " : "known  ", kept.found.finding.signature, "  (",
                                cell->spec.scenario, cell->spec.filesystem.empty() ? "" : " on ", cell->spec.filesystem,
                                ")"));
    report_.findings.push_back(std::move(kept));
    return WriteReport();  // whoever interrupts the night finds what was found
  }

  ConfirmOptions confirm_options() const { return {report_.options.confirm_schedules, report_.options.seed}; }

  // "" if it was not confirmed.
  template <typename Found>
  absl::StatusOr<std::string> SaveConfirmation(Found* found) {
    if (!found->confirmation.has_value() || !found->confirmation->confirmed) return std::string();
    const CorpusEntry& entry = *found->confirmation->entry;
    const std::string file = absl::StrCat("findings/", CorpusFileName(entry));
    RETURN_IF_ERROR(WriteCorpusEntry(absl::StrCat(report_.options.directory, "/", file), entry));
    NameConfirmation(file, found);
    return file;
  }

  absl::Status KeepAcross(AcrossSchedules across, CellResult* cell) {
    const auto same = [&](const Finding& known, const ScenarioSpec& spec) {
      return known.signature == across.finding.signature && spec.scenario == cell->spec.scenario &&
             spec.filesystem == cell->spec.filesystem;
    };
    for (const NightlyFinding& known : report_.findings) {
      if (same(known.found.finding, known.found.entry.spec)) return absl::OkStatus();
    }
    for (const NightlyAcross& known : report_.across) {
      if (same(known.across.finding, known.spec)) return absl::OkStatus();
    }
    ++cell->findings;
    NightlyAcross kept{.across = std::move(across), .spec = cell->spec};
    kept.known_as = HolesThatExplain(registry_, cell->spec, kept.across.finding.kind);
    RETURN_IF_ERROR(ConfirmAcross(registry_, cell->spec, confirm_options(), &kept.across));
    ASSIGN_OR_RETURN(kept.confirmation_file, SaveConfirmation(&kept.across));
    progress_.Line(absl::StrCat(kept.known_as.empty() ? "NEW    " : "known  ", kept.across.finding.signature,
                                "  across schedules  (", cell->spec.scenario,
                                cell->spec.filesystem.empty() ? "" : " on ", cell->spec.filesystem, ")"));
    report_.across.push_back(std::move(kept));
    return WriteReport();
  }

  const Registry& registry_;
  Progress& progress_;
  const Stopwatch watch_;
  NightlyReport report_;
};

}  // namespace

uint64_t NightlyReport::schedules() const {
  uint64_t sum = 0;
  for (const CellResult& cell : cells) sum += cell.schedules;
  for (const CanaryResult& canary : canaries) sum += canary.schedules;
  return sum;
}

uint64_t NightlyReport::found_canaries() const {
  return static_cast<uint64_t>(
      std::count_if(canaries.begin(), canaries.end(), [](const CanaryResult& canary) { return canary.found; }));
}

uint64_t NightlyReport::missed_canaries() const {
  return static_cast<uint64_t>(std::count_if(canaries.begin(), canaries.end(), [](const CanaryResult& canary) {
    return !canary.found && !canary.scenario.empty();
  }));
}

uint64_t NightlyReport::new_findings() const {
  const auto is_new = [](const auto& finding) { return finding.known_as.empty(); };
  return static_cast<uint64_t>(std::count_if(findings.begin(), findings.end(), is_new) +
                               std::count_if(across.begin(), across.end(), is_new));
}

uint64_t NightlyReport::unrepeatable() const {
  return static_cast<uint64_t>(std::count_if(findings.begin(), findings.end(), [](const NightlyFinding& finding) {
    return !finding.found.replays;
  }));
}

absl::StatusOr<NightlyReport> RunNightly(const Registry& registry, const NightlyOptions& options, Progress& progress) {
  return Campaign(registry, options, progress).Run();
}

}  // namespace ordeal
