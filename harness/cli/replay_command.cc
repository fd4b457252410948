#include <cstdio>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "harness/campaign/lock_trace.h"
#include "harness/cli/commands.h"
#include "harness/cli/exit_status.h"
#include "harness/cli/paint.h"
#include "harness/corpus/corpus_file.h"
#include "harness/corpus/corpus_replay.h"
#include "lockdep/support/status_macros.h"
#include "lockdep/trace/trace_reader.h"

namespace ordeal {
namespace {

struct FileReplay {
  std::string file;
  CorpusEntry entry;
  ReplayOutcome outcome;
  std::string problem;  // empty: the same, twice
};

// Each entry runs twice: what differs between two runs of one process can never be trusted to be the same in two.
absl::StatusOr<FileReplay> ReplayFile(const Registry& registry, const std::string& file, bool keep_trace) {
  ASSIGN_OR_RETURN(CorpusEntry entry, ReadCorpusEntry(file));
  absl::StatusOr<ReplayOutcome> first = ReplayEntry(registry, entry, keep_trace);
  if (!first.ok()) {
    const std::string message(first.status().message());
    return absl::Status(first.status().code(), absl::StrCat(file, ": ", message));
  }
  ASSIGN_OR_RETURN(const ReplayOutcome second, ReplayEntry(registry, entry));
  FileReplay replay{.file = file, .entry = std::move(entry), .outcome = *std::move(first)};
  replay.problem = replay.outcome.explanation;
  if (replay.problem.empty() && second.trace_hash != replay.outcome.trace_hash) {
    replay.outcome.verdict = ReplayVerdict::kOtherTrace;
    replay.problem = absl::StrFormat("two runs of this process differ: trace hash 0x%016x, then 0x%016x",
                                     replay.outcome.trace_hash, second.trace_hash);
  }
  return replay;
}

void PrintReplay(const FileReplay& replay, bool verbose, const Paint& paint) {
  const std::string verdict = ReplayVerdictName(replay.outcome.verdict);
  const std::string expected = replay.entry.finding ? replay.entry.finding->signature : std::string("nothing found");
  std::printf("%s  %s  trace 0x%016llx  %s\n",
              replay.problem.empty() ? paint.Green(verdict).c_str() : paint.Red(verdict).c_str(), replay.file.c_str(),
              static_cast<unsigned long long>(replay.outcome.trace_hash), expected.c_str());
  if (!replay.problem.empty()) std::printf("  %s\n", replay.problem.c_str());
  if (!verbose) return;
  std::printf("\n  %6s  %-20s %s\n", "step", "task", "operation");
  for (const std::string& line : replay.outcome.trace) std::printf("  %s\n", line.c_str());
  for (const Finding& finding : replay.outcome.findings) {
    std::printf("\n%s\n\n%s\n", paint.Bold(finding.summary).c_str(), finding.details.c_str());
    for (const std::string& site : finding.sites) std::printf("  %s\n", site.c_str());
  }
  std::printf("\n");
}

nlohmann::ordered_json ReplayJson(const FileReplay& replay, bool verbose) {
  nlohmann::ordered_json json{
      {"file", replay.file},
      {"verdict", ReplayVerdictName(replay.outcome.verdict)},
      {"problem", replay.problem},
      {"expected", replay.entry.finding ? replay.entry.finding->signature : std::string()},
      {"found", replay.outcome.findings.empty() ? std::string() : replay.outcome.findings.front().signature},
      {"trace_hash", absl::StrFormat("0x%016x", replay.outcome.trace_hash)},
      {"steps", replay.outcome.steps}};
  if (verbose) json["trace"] = replay.outcome.trace;
  return json;
}

absl::Status WriteLockTrace(const Registry& registry, const std::vector<std::string>& files, const std::string& out) {
  if (files.size() != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("--lock-trace is the trace of one run, and there are ", files.size(), " files; name one"));
  }
  ASSIGN_OR_RETURN(const CorpusEntry entry, ReadCorpusEntry(files[0]));
  const absl::StatusOr<lockdep::Trace> trace = LockTraceOf(registry, entry);
  if (!trace.ok()) return absl::Status(trace.status().code(), absl::StrCat(files[0], ": ", std::string(trace.status().message())));
  return WriteFileAtomically(out, lockdep::FormatTrace(*trace));
}

absl::StatusOr<int> Replay(const Registry& registry, const ReplayArguments& arguments) {
  ASSIGN_OR_RETURN(const std::vector<std::string> files, ListCorpusFiles(arguments.paths));
  if (!arguments.lock_trace.empty()) RETURN_IF_ERROR(WriteLockTrace(registry, files, arguments.lock_trace));
  const Paint paint;
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  int same = 0;
  int unreadable_status = 0;
  for (const std::string& file : files) {
    const absl::StatusOr<FileReplay> replay = ReplayFile(registry, file, arguments.verbose);
    if (!replay.ok()) {  // the other files are replayed all the same
      unreadable_status = std::max(unreadable_status, Fail(replay.status()));
      continue;
    }
    same += replay->problem.empty();
    if (arguments.json) {
      json.push_back(ReplayJson(*replay, arguments.verbose));
    } else {
      PrintReplay(*replay, arguments.verbose, paint);
    }
  }
  if (arguments.json) {
    std::printf("%s\n", json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
  } else {
    std::printf("%d of %d replayed, twice, with the recorded finding and trace\n", same, static_cast<int>(files.size()));
  }
  if (unreadable_status != 0) return unreadable_status;
  return same == static_cast<int>(files.size()) ? kExitQuiet : kExitFindings;
}

}  // namespace

int ReplayCommand(const Registry& registry, const ReplayArguments& arguments) {
  const absl::StatusOr<int> status = Replay(registry, arguments);
  return status.ok() ? *status : Fail(status.status());
}

}  // namespace ordeal
