#include "harness/cli/kernel_record_command.h"

#include <unistd.h>

#include <cstdio>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "bpf/recorder.h"
#include "harness/cli/arguments.h"
#include "harness/cli/exit_status.h"
#include "lockdep/report/order_graph.h"
#include "lockdep/support/status_macros.h"

namespace ordeal {
namespace {

struct RecordArguments {
  std::string pid;
  std::string comm;
  std::string filesystem;
  std::string time;
  std::string out;
  bool spin_locks = false;
  bool json = false;
  std::string unexpected;
  bool after_dashes = false;
  std::vector<std::string> program;
};

absl::StatusOr<bpf::RecordOptions> Options(const RecordArguments& arguments) {
  if (!arguments.unexpected.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", arguments.unexpected, "' stands before '--'; see 'ordeal kernel record --help'"));
  }
  if (!arguments.program.empty() && arguments.program.front()[0] == '-' && !arguments.after_dashes) {
    return absl::InvalidArgumentError(
        absl::StrCat("there is no option '", arguments.program.front(), "'; see 'ordeal kernel record --help'"));
  }
  bpf::RecordOptions options;
  options.comm = arguments.comm;
  options.file_system = arguments.filesystem;
  options.command = arguments.program;
  options.spin_waits = arguments.spin_locks;
  if (!arguments.pid.empty()) {
    ASSIGN_OR_RETURN(const uint64_t pid, ParseCount("--pid", arguments.pid, 1));
    if (pid > static_cast<uint64_t>(std::numeric_limits<pid_t>::max())) {
      return absl::InvalidArgumentError(absl::StrCat("--pid=", arguments.pid, ": there is no such process"));
    }
    options.process = static_cast<pid_t>(pid);
  }
  if (!arguments.time.empty()) {
    ASSIGN_OR_RETURN(options.time_s, ParseDuration("--time", arguments.time));
  }
  if (isatty(STDERR_FILENO) && !arguments.json && options.command.empty()) {
    options.progress = [](double seconds) { std::fprintf(stderr, "\rordeal kernel record: %.0f s ", seconds); };
  }
  return options;
}

absl::StatusOr<int> Run(const RecordArguments& arguments) {
  ASSIGN_OR_RETURN(const bpf::RecordOptions options, Options(arguments));
  const absl::StatusOr<bpf::RecordResult> result = bpf::Record(options);
  if (options.progress) std::fprintf(stderr, "\r\033[K");
  RETURN_IF_ERROR(result.status());
  const bpf::Recording& recording = result->recording;
  if (!arguments.out.empty()) RETURN_IF_ERROR(lockdep::WriteOrderGraph(recording.graph, arguments.out));
  std::string text;
  if (arguments.json) {
    nlohmann::ordered_json json = bpf::RecordingToJson(recording);
    if (!options.command.empty()) {
      json["command_status"] = result->command_status;
      json["command_stopped"] = result->command_stopped;
    }
    text = json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
  } else {
    text = bpf::FormatRecording(recording);
    if (result->command_stopped) absl::StrAppend(&text, "the command was stopped\n");
    if (!arguments.out.empty()) {
      absl::StrAppend(&text, "written to ", arguments.out, "; compare it with: ordeal kernel compare ", arguments.out, "\n");
    }
  }
  std::FILE* const out = options.command.empty() || arguments.json ? stdout : stderr;
  std::fwrite(text.data(), 1, text.size(), out);
  std::fflush(out);
  if (recording.has_findings()) return kExitFindings;
  return result->command_stopped ? kExitQuiet : result->command_status;
}

int Record(const RecordArguments& arguments) {
  const absl::StatusOr<int> status = Run(arguments);
  return status.ok() ? *status : Fail(status.status());
}

}  // namespace

void AddKernelRecordCommand(CLI::App* kernel, const std::vector<std::string>* program, std::function<int()>* command) {
  const auto arguments = std::make_shared<RecordArguments>();
  CLI::App* record = kernel->add_subcommand(
      "record", "Records the lock orders of a live machine: of a command, of processes, of a file system, or of all (needs root)");
  record->add_option("--pid", arguments->pid, "This process, and what it forks from now on");
  record->add_option("--comm", arguments->comm, "The processes of this name, and those that come to be called so");
  record->add_option("--fs", arguments->filesystem,
                     "This file system: a path on it, or its device. All its XFS locks, and the mmap_locks of the chosen "
                     "processes, or of those that use it");
  record->add_option("--time", arguments->time,
                     "At most so long: 10s, 2m. Without it until the command ends, or until Ctrl-C. A command that still runs "
                     "is ended");
  record->add_option("--out", arguments->out, "Write the order graph to this file (.txtpb)");
  record->add_flag("--spin-locks", arguments->spin_locks, "Also waits for spin locks: many, and dear");
  record->add_flag("--json", arguments->json, "Print JSON, to stdout");
  record->prefix_command();
  record->footer(
      "COMMAND ARGS... after the options (or after --): is run and recorded, with all that it forks. Its output stays its own, and "
      "the report goes to stderr.\nExit status: 0, or the command's own; 1 if a page was added under an exclusive invalidate lock, "
      "or if the orders have a cycle; 2 bad usage; 3 if it cannot record here.");
  record->callback([arguments, record, program, command] {
    arguments->program = record->remaining();
    if (program != nullptr && !program->empty()) {
      // What stands before "--" and is no option of ours is an error, not the beginning of a command.
      if (!arguments->program.empty()) arguments->unexpected = arguments->program.front();
      arguments->program = *program;
      arguments->after_dashes = true;
    }
    *command = [arguments] { return Record(*arguments); };
  });
}

}  // namespace ordeal
