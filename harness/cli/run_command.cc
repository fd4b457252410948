#include <algorithm>
#include <cstdio>
#include <optional>
#include <utility>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "harness/campaign/explore.h"
#include "harness/campaign/grouped.h"
#include "harness/campaign/progress.h"
#include "harness/cli/arguments.h"
#include "harness/cli/commands.h"
#include "harness/cli/exit_status.h"
#include "harness/cli/paint.h"
#include "harness/corpus/corpus_file.h"
#include "lockdep/support/status_macros.h"

namespace ordeal {
namespace {

constexpr uint64_t kSchedulesDefault = 10'000;

struct Plan {
  ScenarioSpec spec;
  ExploreOptions options;
};

absl::StatusOr<Plan> MakePlan(const Registry& registry, const RunArguments& arguments) {
  Plan plan;
  plan.spec.scenario = arguments.scenario;
  plan.spec.filesystem = arguments.filesystem;
  plan.spec.bugs = SplitList(arguments.bugs);
  ASSIGN_OR_RETURN(plan.spec, registry.Resolve(std::move(plan.spec)));
  if (arguments.faults.empty()) {
    plan.spec.faults = registry.FindScenario(plan.spec.scenario)->default_faults;
  } else {
    ASSIGN_OR_RETURN(FaultArguments faults, ParseFaults(arguments.faults));
    plan.spec.faults = faults.set;
    plan.options.fault_probabilities = std::move(faults.probabilities);
  }
  plan.options.strategy = arguments.strategy;
  ASSIGN_OR_RETURN(plan.options.seed, ParseCount("--seed", arguments.seed, 0));
  plan.options.schedules_max = arguments.time.empty() ? kSchedulesDefault : 0;
  if (!arguments.schedules.empty()) {
    ASSIGN_OR_RETURN(plan.options.schedules_max, ParseCount("--schedules", arguments.schedules, 1));
  }
  if (!arguments.time.empty()) {
    ASSIGN_OR_RETURN(plan.options.seconds_max, ParseDuration("--time", arguments.time));
  }
  if (arguments.fail_nth) {
    if (arguments.faults.empty()) plan.spec.faults = FaultSet::All();
    if (plan.spec.faults.empty()) {
      return absl::InvalidArgumentError("--fail-nth has nothing to fail with --faults=none; name faults, or leave it out for all");
    }
    plan.options.fail_nth = arguments.schedules.empty() ? 1 : plan.options.schedules_max;
  }
  plan.options.findings_max = arguments.keep_going ? 0 : 1;
  if (arguments.no_confirm) plan.options.confirm_schedules = 0;
  return plan;
}

std::string Experiment(const ScenarioSpec& spec) {
  std::string text = spec.scenario;
  if (!spec.filesystem.empty()) absl::StrAppend(&text, " on ", spec.filesystem);
  if (!spec.bugs.empty()) absl::StrAppend(&text, " with ", absl::StrJoin(spec.bugs, ", "));
  const std::vector<std::string> faults = FaultNames(spec.faults);
  if (!faults.empty()) absl::StrAppend(&text, ", faults ", absl::StrJoin(faults, " "));
  return text;
}

std::string Totals(const ExploreResult& result) {
  const double rate = result.seconds > 0 ? static_cast<double>(result.schedules) / result.seconds : 0;
  std::string text = absl::StrFormat("%s schedule%s in %.2f s (%s/s)", Grouped(result.schedules),
                                     result.schedules == 1 ? "" : "s", result.seconds,
                                     Grouped(static_cast<uint64_t>(rate)));
  if (result.inconclusive > 0) absl::StrAppend(&text, ", ", Grouped(result.inconclusive), " hit the step limit");
  return text;
}

void PrintIndented(const std::string& text) {
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    if (!line.empty()) {
      std::printf("  %.*s\n", static_cast<int>(line.size()), line.data());
    } else {
      std::printf("\n");
    }
  }
}

std::string WithoutTrailingNewlines(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

// For a command that can be pasted into a shell.
std::string Quoted(const std::string& path) {
  constexpr absl::string_view kPlain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._-+=:,@%";
  if (!path.empty() && path.find_first_not_of(kPlain.data()) == std::string::npos) return path;
  return absl::StrCat("'", absl::StrReplaceAll(path, {{"'", "'\\''"}}), "'");
}

// The files of one result: of each finding, and of the confirmation that it has.
struct SavedFiles {
  std::vector<std::string> findings;
  std::vector<std::string> confirmations;  // "" without one
  std::vector<std::string> across;         // likewise
  absl::Status error;                      // why some could not be saved: they are "" above
};

void PrintConfirmation(const std::optional<Confirmation>& confirmation, const std::string& file,
                       const std::string& program, const Paint& paint) {
  if (!confirmation.has_value()) return;
  if (!confirmation->confirmed) {
    std::printf("  %s %s\n", paint.Bold("not confirmed:").c_str(), confirmation->reason.c_str());
    return;
  }
  std::printf("  %s the tasks really block: %s\n", paint.Red(confirmation->reason + ":").c_str(),
              confirmation->deadlock->signature.c_str());
  if (file.empty()) return;
  std::printf("  %s   %s\n  %s  %s replay %s --verbose\n", paint.Bold("saved").c_str(), file.c_str(),
              paint.Bold("replay").c_str(), Quoted(program).c_str(), Quoted(file).c_str());
}

void PrintSites(const Finding& finding, const Paint& paint) {
  if (finding.sites.empty()) return;
  std::printf("  %s\n", paint.Bold("where").c_str());
  std::vector<std::string> sites = finding.sites;
  std::sort(sites.begin(), sites.end());
  sites.erase(std::unique(sites.begin(), sites.end()), sites.end());
  for (const std::string& site : sites) std::printf("    %s\n", site.c_str());
}

void PrintAcross(const ExploreResult& result, const AcrossSchedules& across, const std::string& file,
                 const std::string& program, const Paint& paint) {
  std::printf("%s %s\n", paint.Red("FOUND").c_str(), paint.Bold(across.finding.summary).c_str());
  std::printf("  in %s; its halves occur in different schedules, and none of those that were run has both\n\n",
              Experiment(result.spec).c_str());
  PrintIndented(WithoutTrailingNewlines(across.finding.details));
  std::printf("\n");
  PrintSites(across.finding, paint);
  PrintConfirmation(across.confirmation, file, program, paint);
  std::printf("\n");
}

void PrintFinding(const ExploreResult& result, const UniqueFinding& found, const std::string& file,
                  const std::string& confirmation_file, const std::string& program, const Paint& paint) {
  std::printf("%s %s\n", paint.Red("FOUND").c_str(), paint.Bold(found.finding.summary).c_str());
  std::printf("  in %s; strategy %s, seed %llu, schedule %llu\n\n", Experiment(result.spec).c_str(),
              result.strategy.c_str(), static_cast<unsigned long long>(result.seed),
              static_cast<unsigned long long>(found.first_run));
  PrintIndented(WithoutTrailingNewlines(found.finding.details));
  std::printf("\n");
  PrintSites(found.finding, paint);
  for (const Finding& later : found.later) std::printf("  the same run also has: %s\n", later.summary.c_str());
  if (result.findings.size() > 1 || found.count > 1) {
    std::printf("  seen in %s schedules\n", Grouped(found.count).c_str());
  }
  const std::string choices = absl::StrFormat("%d of %s choices differ from the calm run",
                                              found.entry.choices.deviations.size(), Grouped(found.entry.choices.choices));
  if (file.empty()) {
    std::printf("  %s\n", choices.c_str());
  } else {
    std::printf("  %s   %s  (%s)\n", paint.Bold("saved").c_str(), file.c_str(), choices.c_str());
    std::printf("  %s  %s replay %s --verbose\n", paint.Bold("replay").c_str(), Quoted(program).c_str(),
                Quoted(file).c_str());
  }
  PrintConfirmation(found.confirmation, confirmation_file, program, paint);
  if (!found.replays) {
    std::printf("  %s %s\n", paint.Red("does not replay:").c_str(), found.replay_problem.c_str());
  }
  std::printf("\n");
}

// null for a finding that is no lock cycle, or was not tried.
nlohmann::ordered_json ConfirmationJson(const std::optional<Confirmation>& confirmation, const std::string& file) {
  if (!confirmation.has_value()) return nullptr;
  return {{"confirmed", confirmation->confirmed},
          {"grade", lockdep::GradeName(confirmation->grade)},
          {"reason", confirmation->reason},
          {"schedules", confirmation->schedules},
          {"instances", confirmation->instances},
          {"deadlock", confirmation->deadlock.has_value() ? confirmation->deadlock->signature : std::string()},
          {"file", file}};
}

nlohmann::ordered_json ResultJson(const ExploreResult& result, const SavedFiles& files) {
  nlohmann::ordered_json json{{"scenario", result.spec.scenario},
                              {"filesystem", result.spec.filesystem},
                              {"bugs", result.spec.bugs},
                              {"faults", FaultNames(result.spec.faults)},
                              {"strategy", result.strategy},
                              {"seed", result.seed},
                              {"schedules", result.schedules},
                              {"steps", result.steps},
                              {"inconclusive", result.inconclusive},
                              {"trace_digest", absl::StrFormat("0x%016x", result.trace_digest)},
                              {"seconds", result.seconds}};
  if (!result.fault_coverage.empty()) json["fault_coverage"] = result.fault_coverage;
  json["findings"] = nlohmann::ordered_json::array();
  for (size_t i = 0; i < result.findings.size(); ++i) {
    const UniqueFinding& found = result.findings[i];
    json["findings"].push_back({{"kind", FindingKindName(found.finding.kind)},
                                {"signature", found.finding.signature},
                                {"summary", found.finding.summary},
                                {"details", found.finding.details},
                                {"sites", found.finding.sites},
                                {"run", found.first_run},
                                {"count", found.count},
                                {"replays", found.replays},
                                {"trace_hash", absl::StrFormat("0x%016x", found.entry.trace_hash)},
                                {"file", files.findings[i]},
                                {"confirmation", ConfirmationJson(found.confirmation, files.confirmations[i])}});
  }
  json["across_schedules"] = nlohmann::ordered_json::array();
  for (size_t i = 0; i < result.across.size(); ++i) {
    const AcrossSchedules& across = result.across[i];
    json["across_schedules"].push_back({{"signature", across.finding.signature},
                                        {"summary", across.finding.summary},
                                        {"details", across.finding.details},
                                        {"sites", across.finding.sites},
                                        {"confirmation", ConfirmationJson(across.confirmation, files.across[i])}});
  }
  return json;
}

absl::StatusOr<std::string> SaveFinding(const RunArguments& arguments, const UniqueFinding& found) {
  if (arguments.no_save) return std::string();
  std::string file = absl::StrCat(arguments.save, "/", CorpusFileName(found.entry));
  RETURN_IF_ERROR(WriteCorpusEntry(file, found.entry));
  return file;
}

// Saves the entry of a confirmed cycle and names it in the finding; "" if there is none or nothing is saved.
template <typename Found>
absl::StatusOr<std::string> SaveConfirmation(const RunArguments& arguments, Found* found) {
  if (arguments.no_save || !found->confirmation.has_value() || !found->confirmation->confirmed) return std::string();
  const CorpusEntry& entry = *found->confirmation->entry;
  const std::string file = absl::StrCat(arguments.save, "/", CorpusFileName(entry));
  RETURN_IF_ERROR(WriteCorpusEntry(file, entry));
  NameConfirmation(file, found);
  return file;
}

// What cannot be saved is printed all the same: hours may have gone into it.
SavedFiles Save(const RunArguments& arguments, ExploreResult* result) {
  SavedFiles files;
  const auto keep = [&](absl::StatusOr<std::string> file, std::vector<std::string>* list) {
    files.error.Update(file.status());
    list->push_back(file.ok() ? *std::move(file) : "");
  };
  for (UniqueFinding& found : result->findings) {
    keep(SaveFinding(arguments, found), &files.findings);
    keep(SaveConfirmation(arguments, &found), &files.confirmations);
  }
  for (AcrossSchedules& across : result->across) keep(SaveConfirmation(arguments, &across), &files.across);
  return files;
}

void PrintResult(const ExploreResult& result, const SavedFiles& files, const RunArguments& arguments) {
  const Paint paint;
  for (size_t i = 0; i < result.findings.size(); ++i) {
    PrintFinding(result, result.findings[i], files.findings[i], files.confirmations[i], arguments.program, paint);
  }
  for (size_t i = 0; i < result.across.size(); ++i) {
    PrintAcross(result, result.across[i], files.across[i], arguments.program, paint);
  }
  if (result.quiet()) {
    std::printf("%s in %s: %s, strategy %s, seed %llu\n", paint.Green("nothing found").c_str(),
                Experiment(result.spec).c_str(), Totals(result).c_str(), result.strategy.c_str(),
                static_cast<unsigned long long>(result.seed));
  } else {
    const size_t findings = result.findings.size() + result.across.size();
    std::printf("%d distinct finding%s: %s%s\n", static_cast<int>(findings), findings == 1 ? "" : "s",
                Totals(result).c_str(),
                arguments.keep_going ? "" : "; stopped at the first, --keep-going looks for more");
  }
  if (!result.fault_coverage.empty()) std::printf("%s\n", result.fault_coverage.c_str());
}

absl::StatusOr<int> Run(const Registry& registry, const RunArguments& arguments) {
  ASSIGN_OR_RETURN(const Plan plan, MakePlan(registry, arguments));
  if (!arguments.no_save) RETURN_IF_ERROR(CheckFolder(arguments.save));
  Progress progress(arguments.json);
  ASSIGN_OR_RETURN(ExploreResult result,
                   Explore(registry, plan.spec, plan.options, [&](const ExploreResult& so_far) {
                     progress.Update([&] {
                       return absl::StrCat(Totals(so_far), ", ", so_far.findings.size(), " findings");
                     });
                   }));
  progress.Clear();
  const SavedFiles files = Save(arguments, &result);
  if (arguments.json) {
    std::printf("%s\n", ResultJson(result, files).dump(2, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
  } else {
    PrintResult(result, files, arguments);
  }
  RETURN_IF_ERROR(files.error);
  return result.quiet() ? kExitQuiet : kExitFindings;
}

}  // namespace

int RunCommand(const Registry& registry, const RunArguments& arguments) {
  const absl::StatusOr<int> status = Run(registry, arguments);
  return status.ok() ? *status : Fail(status.status());
}

}  // namespace ordeal
