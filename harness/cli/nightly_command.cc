#include <cstdio>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "harness/campaign/canary_table.h"
#include "harness/campaign/nightly.h"
#include "harness/cli/arguments.h"
#include "harness/cli/commands.h"
#include "harness/cli/exit_status.h"
#include "harness/cli/paint.h"
#include "harness/corpus/corpus_file.h"
#include "lockdep/support/status_macros.h"

namespace ordeal {
namespace {

absl::StatusOr<int> Canaries(const Registry& registry, const NightlyArguments& arguments) {
  CanaryTableOptions options;
  ASSIGN_OR_RETURN(options.seeds, ParseCount("--seeds", arguments.seeds, 0));
  ASSIGN_OR_RETURN(options.clean_schedules, ParseCount("--clean", arguments.clean, 0));
  options.corpus = arguments.corpus;
  if (arguments.directory.empty()) return absl::InvalidArgumentError("--dir is empty");
  RETURN_IF_ERROR(CheckFolder(arguments.directory));
  if (!arguments.corpus.empty()) RETURN_IF_ERROR(CheckFolder(arguments.corpus));
  Progress progress(arguments.json);
  ASSIGN_OR_RETURN(const CanaryTable table, MakeCanaryTable(registry, options, progress));
  progress.Clear();
  std::fputs(arguments.json ? RenderJson(table).c_str() : RenderMarkdown(table).c_str(), stdout);
  std::fflush(stdout);
  RETURN_IF_ERROR(WriteFileAtomically(absl::StrCat(arguments.directory, "/canaries.md"), RenderMarkdown(table)));
  RETURN_IF_ERROR(WriteFileAtomically(absl::StrCat(arguments.directory, "/canaries.json"), RenderJson(table)));
  return table.ok() ? kExitQuiet : kExitFindings;
}

absl::StatusOr<int> Nightly(const Registry& registry, const NightlyArguments& arguments) {
  NightlyOptions options;
  ASSIGN_OR_RETURN(options.seconds, ParseDuration("--time", arguments.time));
  ASSIGN_OR_RETURN(options.seed, ParseCount("--seed", arguments.seed, 0));
  if (arguments.directory.empty()) return absl::InvalidArgumentError("--dir is empty");
  RETURN_IF_ERROR(CheckFolder(arguments.directory));
  options.directory = arguments.directory;
  if (arguments.no_confirm) options.confirm_schedules = 0;
  Progress progress(arguments.json);
  ASSIGN_OR_RETURN(const NightlyReport report, RunNightly(registry, options, progress));
  progress.Clear();
  const int status = report.ok() ? kExitQuiet : kExitFindings;
  if (arguments.json) {
    std::fputs(RenderJson(report).c_str(), stdout);
    return status;
  }
  const Paint paint;
  absl::PrintF("%s: %d schedules in %.0f s; %d findings, %d new; canaries: %d of %d found, %d missed%s\n",
               report.ok() ? paint.Green("ok") : paint.Red("NOT OK"), report.schedules(), report.seconds,
               report.findings.size(), report.new_findings(), report.found_canaries(), report.canaries.size(),
               report.missed_canaries(), report.canaries_complete ? "" : " (the time was too short for all)");
  std::error_code error;
  const std::filesystem::path folder = std::filesystem::absolute(options.directory, error);
  std::printf("report: %s/report.md\n", error ? options.directory.c_str() : folder.lexically_normal().c_str());
  return status;
}

}  // namespace

int NightlyCommand(const Registry& registry, const NightlyArguments& arguments) {
  const absl::StatusOr<int> status = arguments.canaries ? Canaries(registry, arguments) : Nightly(registry, arguments);
  return status.ok() ? *status : Fail(status.status());
}

}  // namespace ordeal
