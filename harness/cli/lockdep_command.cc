#include "harness/cli/lockdep_command.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "harness/cli/exit_status.h"
#include "harness/cli/judge_trace.h"
#include "harness/cli/lockdep_output.h"
#include "harness/corpus/corpus_file.h"
#include "lockdep/exam/selftest.h"
#include "lockdep/preload/launcher.h"
#include "lockdep/report/proc_revalidation.h"
#include "lockdep/report/violation_json.h"
#include "lockdep/support/status_macros.h"

namespace ordeal {
namespace {

using lockdep::TraceFormat;

constexpr int64_t kProcFileBytesMax = int64_t{256} << 20;

struct LockdepArguments {
  std::string trace;
  std::string format;
  std::string proc;
  std::string json;  // "true": the flag without a file
  std::string dot;
  std::string svg;
  std::string record;
  bool queued_rwlocks = false;
  bool grade = false;
  bool strict_nesting = false;
  bool posix_rwlocks = false;
  bool backtraces = false;
  std::string unexpected;
  bool after_dashes = false;  // the program was named behind "--"
  std::vector<std::string> program;
};

bool JsonToStdout(const LockdepArguments& arguments) { return arguments.json == "true"; }

ViolationFiles FilesOf(const LockdepArguments& arguments) {
  return {JsonToStdout(arguments) ? std::string() : arguments.json, arguments.dot, arguments.svg};
}

void Print(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }

absl::Status CheckReadable(const std::string& path) {
  std::error_code error;
  if (path != "-" && std::filesystem::is_directory(path, error)) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": is a folder; name a file"));
  }
  return absl::OkStatus();
}

// --- the kernel's self test ---

absl::StatusOr<int> RunSelftest(const LockdepArguments& arguments) {
  if (!arguments.json.empty() || !arguments.dot.empty() || !arguments.svg.empty() || arguments.grade) {
    return absl::InvalidArgumentError(
        "--format=selftest prints one verdict a line; --json, --dot, --svg and --grade are for traces");
  }
  const lockdep::SelfTestOptions options{arguments.queued_rwlocks};
  if (arguments.trace == "-") {
    RETURN_IF_ERROR(lockdep::RunSelfTestFile(std::cin, "standard input", options, std::cout));
  } else {
    std::ifstream in(arguments.trace, std::ios::binary);
    if (!in) return absl::NotFoundError(absl::StrCat(arguments.trace, ": cannot open: ", std::strerror(errno)));
    const absl::Status status = lockdep::RunSelfTestFile(in, arguments.trace, options, std::cout);
    std::cout.flush();
    RETURN_IF_ERROR(status);
  }
  std::cout.flush();
  return std::cout.good() ? absl::StatusOr<int>(kExitQuiet) : absl::UnavailableError("cannot write to standard output");
}

// --- a trace ---

std::string TraceTotals(const TraceJudgement& judgement) {
  return absl::StrFormat("%d events, %d tasks, %d lock classes, %d dependencies", judgement.events,
                         judgement.trace->symbols.tasks(), judgement.stats.classes, judgement.stats.dependencies);
}

void PrintJudgement(const TraceJudgement& judgement) {
  Print(RenderViolations(judgement.violations));
  for (const lockdep::GradedCycle& cycle : judgement.predicted) Print(absl::StrCat("predicted: ", cycle.ToString(), "\n"));
  if (!judgement.predicted.empty()) Print("\n");
  Print(absl::StrCat(CountText(judgement.violations.size() + judgement.predicted.size()), ": ", TraceTotals(judgement),
                     judgement.complete ? "" : "; the prediction met a bound and is not complete", "\n"));
}

nlohmann::ordered_json JudgementJson(const TraceJudgement& judgement) {
  nlohmann::ordered_json json = nlohmann::ordered_json::parse(lockdep::FormatViolationsJson(judgement.violations));
  json["predicted"] = nlohmann::ordered_json::array();
  for (const lockdep::GradedCycle& cycle : judgement.predicted) {
    json["predicted"].push_back({{"signature", cycle.signature},
                                 {"grade", lockdep::GradeName(cycle.grade)},
                                 {"reason", cycle.reason},
                                 {"instances", cycle.instances},
                                 {"text", cycle.ToString()}});
  }
  json["events"] = judgement.events;
  json["tasks"] = judgement.trace->symbols.tasks();
  json["classes"] = judgement.stats.classes;
  json["dependencies"] = judgement.stats.dependencies;
  return json;
}

absl::StatusOr<int> RunTrace(const LockdepArguments& arguments) {
  RETURN_IF_ERROR(CheckReadable(arguments.trace));
  JudgeTraceOptions options;
  if (arguments.format.empty()) {
    ASSIGN_OR_RETURN(options.format, DetectTraceFormat(arguments.trace));
  } else {
    ASSIGN_OR_RETURN(options.format, lockdep::ParseTraceFormat(arguments.format));
  }
  if (options.format == TraceFormat::kSelftest) return RunSelftest(arguments);
  options.predict = arguments.grade;
  options.keep_events = !arguments.record.empty();
  ASSIGN_OR_RETURN(const TraceJudgement judgement, JudgeTrace(arguments.trace, options));
  if (!arguments.record.empty()) RETURN_IF_ERROR(WriteFileAtomically(arguments.record, lockdep::FormatTrace(*judgement.trace)));
  RETURN_IF_ERROR(WriteViolations(judgement.violations, FilesOf(arguments)));
  if (JsonToStdout(arguments)) {
    Print(JudgementJson(judgement).dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  } else {
    PrintJudgement(judgement);
  }
  return judgement.violations.empty() && judgement.predicted.empty() ? kExitQuiet : kExitFindings;
}

// --- /proc/lockdep ---

absl::StatusOr<int> RunProc(const LockdepArguments& arguments) {
  const std::vector<std::string> files = absl::StrSplit(arguments.proc, ',');
  if (files.size() > 2 || files[0].empty() || files.back().empty()) {
    return absl::InvalidArgumentError("--proc takes LOCKDEP or LOCKDEP,CHAINS: copies of /proc/lockdep and /proc/lockdep_chains");
  }
  for (const std::string& file : files) RETURN_IF_ERROR(CheckReadable(file));
  ASSIGN_OR_RETURN(const std::string graph_text, ReadFileBounded(files[0], kProcFileBytesMax));
  ASSIGN_OR_RETURN(const lockdep::ProcLockdep graph, lockdep::ParseProcLockdep(graph_text, files[0]));
  lockdep::ProcChains chains;
  if (files.size() == 2) {
    ASSIGN_OR_RETURN(const std::string chains_text, ReadFileBounded(files[1], kProcFileBytesMax));
    ASSIGN_OR_RETURN(chains, lockdep::ParseProcChains(chains_text, files[1], &graph));
  }
  const lockdep::ProcRevalidation result = lockdep::RevalidateProc(graph, files.size() == 2 ? &chains : nullptr);
  std::vector<lockdep::Violation> remaining;
  for (const lockdep::ProcFinding& finding : result.remaining) remaining.push_back(finding.violation);
  RETURN_IF_ERROR(WriteViolations(remaining, FilesOf(arguments)));
  Print(JsonToStdout(arguments) ? lockdep::FormatViolationsJson(remaining) : result.ToString());
  return remaining.empty() ? kExitQuiet : kExitFindings;
}

// --- an unmodified program ---

absl::StatusOr<int> RunProgramUnderLockdep(const LockdepArguments& arguments) {
  if (JsonToStdout(arguments)) {
    return absl::InvalidArgumentError("standard output is the program's own; use --json=FILE");
  }
  if (arguments.grade || arguments.queued_rwlocks) {
    return absl::InvalidArgumentError("--grade and --queued-rwlocks are for traces; a program is judged while it runs");
  }
  if (!arguments.format.empty() && (arguments.format != "own" || arguments.record.empty())) {
    return absl::InvalidArgumentError("what a program did is recorded in our own format: --record=FILE, with --format=own or none");
  }
  lockdep::PreloadOptions options;
  options.strict_nesting = arguments.strict_nesting;
  options.posix_rwlocks = arguments.posix_rwlocks;
  options.backtraces = arguments.backtraces;
  options.record_path = arguments.record;
  const absl::StatusOr<lockdep::PreloadOutcome> outcome = lockdep::RunUnderLockdep(options, arguments.program);
  if (outcome.status().code() == absl::StatusCode::kFailedPrecondition) {  // a program that cannot be checked
    return absl::UnavailableError(outcome.status().message());
  }
  RETURN_IF_ERROR(outcome.status());
  std::fflush(stdout);
  std::fwrite(outcome->report.data(), 1, outcome->report.size(), stderr);
  if (!absl::EndsWith(outcome->report, "\n")) std::fputc('\n', stderr);
  RETURN_IF_ERROR(WriteViolations(outcome->violations, FilesOf(arguments)));
  return outcome->violations.empty() ? outcome->exit_status : kExitFindings;
}

absl::StatusOr<int> Run(const LockdepArguments& arguments) {
  if (!arguments.unexpected.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("'", arguments.unexpected, "' stands before '--'; see 'ordeal lockdep --help'"));
  }
  if (!arguments.program.empty() && arguments.program.front()[0] == '-' && !arguments.after_dashes) {
    return absl::InvalidArgumentError(
        absl::StrCat("there is no option '", arguments.program.front(), "'; see 'ordeal lockdep --help'"));
  }
  const int sources = !arguments.trace.empty() + !arguments.proc.empty() + !arguments.program.empty();
  if (sources != 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        sources == 0 ? "nothing to check" : "more than one thing to check",
        ": give one of --trace=FILE, --proc=LOCKDEP[,CHAINS] and a program; see 'ordeal lockdep --help'"));
  }
  if (!arguments.program.empty()) return RunProgramUnderLockdep(arguments);
  if (arguments.strict_nesting || arguments.posix_rwlocks || arguments.backtraces) {
    return absl::InvalidArgumentError("--strict-nesting, --posix-rwlocks and --backtraces are for programs");
  }
  if (!arguments.trace.empty()) return RunTrace(arguments);
  if (!arguments.record.empty() || !arguments.format.empty() || arguments.grade || arguments.queued_rwlocks) {
    return absl::InvalidArgumentError("--record, --format, --grade and --queued-rwlocks are for traces");
  }
  return RunProc(arguments);
}

int Lockdep(const LockdepArguments& arguments) {
  const absl::StatusOr<int> status = Run(arguments);
  return status.ok() ? *status : Fail(status.status());
}

}  // namespace

std::vector<std::string> CutLockdepProgram(int* argc, char** argv) {
  const bool runs_a_program = (*argc >= 2 && std::strcmp(argv[1], "lockdep") == 0) ||
                              (*argc >= 3 && std::strcmp(argv[1], "kernel") == 0 && std::strcmp(argv[2], "record") == 0);
  if (!runs_a_program) return {};
  for (int i = 2; i < *argc; ++i) {
    if (std::strcmp(argv[i], "--") != 0) continue;
    std::vector<std::string> program(argv + i + 1, argv + *argc);
    *argc = i;
    return program;
  }
  return {};
}

void AddLockdepCommand(CLI::App& app, const std::vector<std::string>* program, std::function<int()>* command) {
  auto arguments = std::make_shared<LockdepArguments>();
  CLI::App* verb = app.add_subcommand(
      "lockdep", "The lock-order validator on a recorded trace, on a kernel's /proc/lockdep or on a program");
  verb->add_option("--trace", arguments->trace, "A recorded trace; '-' is standard input");
  verb->add_option("--format", arguments->format,
                   "Of the trace: own, std or selftest; by its first line when left out. selftest prints "
                   "LINE<tab>REPORT|ok<tab>KIND for each line");
  verb->add_flag("--queued-rwlocks", arguments->queued_rwlocks, "selftest: rL waits for queued writers, but in interrupts");
  verb->add_flag("--grade", arguments->grade,
                 "Predict from the whole trace which cycles can deadlock, and what excludes the others (needs 32 bytes an event)");
  verb->add_option("--proc", arguments->proc, "Copies of /proc/lockdep and /proc/lockdep_chains: LOCKDEP[,CHAINS]");
  verb->add_option("--record", arguments->record,
                   "Write what was judged, or what the program did, to this file, as a trace in our own format");
  verb->add_flag("--json{true}", arguments->json, "Print JSON; --json=FILE: write it there");
  verb->add_option("--dot", arguments->dot, "Write the findings as graphs for Graphviz");
  verb->add_option("--svg", arguments->svg, "Write them as pictures: FILE.svg, FILE-2.svg ... (needs graphviz)");
  verb->add_flag("--strict-nesting", arguments->strict_nesting,
                 "Program: report each nesting of two locks of one class, as the kernel does");
  verb->add_flag("--posix-rwlocks", arguments->posix_rwlocks,
                 "Program: a reader of a pthread_rwlock waits for queued writers, as POSIX allows");
  verb->add_flag("--backtraces", arguments->backtraces, "Program: keep the call stack of each new dependency");
  verb->prefix_command();
  verb->footer("PROGRAM ARGS... after the options (or after --): a program that uses pthread locks, unmodified. Its output and "
               "its input stay its own; findings go to stderr. Exit status: its own, or 1 with findings.");
  verb->callback([arguments, verb, program, command] {
    arguments->program = verb->remaining();
    if (!program->empty()) {
      // What stands before "--" and is no option of ours is an error, not the beginning of a program.
      if (!arguments->program.empty()) arguments->unexpected = arguments->program.front();
      arguments->program = *program;
      arguments->after_dashes = true;
    }
    *command = [arguments] { return Lockdep(*arguments); };
  });
}

}  // namespace ordeal
