#include "harness/cli/kernel_vm_command.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "bpf/order_comparer.h"
#include "bpf/vm/lockdep_vm.h"
#include "harness/cli/arguments.h"
#include "harness/cli/exit_status.h"
#include "harness/cli/kernel_workload.h"
#include "lockdep/report/order_graph.h"
#include "lockdep/support/status_macros.h"

namespace ordeal {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

// Where ci/lockdep-kernel leaves what it builds.
std::string KernelCache() {
  const auto value = [](const char* name) {
    const char* text = getenv(name);
    return std::string(text != nullptr ? text : "");
  };
  if (!value("ORDEAL_CACHE").empty()) return absl::StrCat(value("ORDEAL_CACHE"), "/lockdep-kernel");
  if (!value("XDG_CACHE_HOME").empty()) return absl::StrCat(value("XDG_CACHE_HOME"), "/ordeal/lockdep-kernel");
  return absl::StrCat(value("HOME"), "/.cache/ordeal/lockdep-kernel");
}

std::string NewestKernel() {
  std::string newest;
  fs::file_time_type newest_time;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(KernelCache(), error)) {
    const fs::path image = entry.path() / "bzImage";
    const fs::file_time_type time = fs::last_write_time(image, error);
    if (error || (!newest.empty() && time < newest_time)) continue;
    newest = image.string();
    newest_time = time;
  }
  return newest.empty() ? absl::StrCat(KernelCache(), "/VERSION/bzImage") : newest;
}

absl::StatusOr<bpf::LockdepVmOptions> Options(const KernelVmArguments& arguments) {
  bpf::LockdepVmOptions options;
  options.kernel = arguments.kernel.empty() ? NewestKernel() : arguments.kernel;
  options.program = (fs::read_symlink("/proc/self/exe").parent_path() / "ordeal-static").string();
  options.file_systems = absl::StrSplit(arguments.file_systems, ',', absl::SkipEmpty());
  ASSIGN_OR_RETURN(options.seed, ParseCount("--seed", arguments.seed, 0));
  ASSIGN_OR_RETURN(options.time_s, ParseDuration("--time", arguments.time));
  options.fault_kinds = absl::StrSplit(arguments.faults, ',', absl::SkipEmpty());
  for (const std::string& kind : options.fault_kinds) {
    const std::vector<std::string>& known = bpf::VmFaultKinds();
    if (std::find(known.begin(), known.end(), kind) == known.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat("--vm-faults: no fault '", kind, "' in the kernel; it has ", absl::StrJoin(known, ", ")));
    }
  }
  for (const std::string& words : arguments.programs) {
    ASSIGN_OR_RETURN(bpf::GuestProgram program, bpf::ParseGuestProgram(words));
    for (const bpf::GuestProgram& other : options.programs) {
      if (other.name == program.name) {
        return absl::InvalidArgumentError(absl::StrCat("--vm-program: two programs with the name ", program.name));
      }
    }
    options.programs.push_back(std::move(program));
  }
  options.out = arguments.out.empty() ? "ordeal-vm" : arguments.out;
  options.run_options = "--no-record --json";  // it is recorded from outside
  if (!options.fault_kinds.empty()) options.run_options += " --make-it-fail";
  if (!arguments.without.empty()) {
    RETURN_IF_ERROR(Workloads("", arguments.without).status());  // the machine need not boot to say so
    absl::StrAppend(&options.run_options, " --without=", arguments.without);
  }
  options.record = arguments.record && options.programs.empty();
  return options;
}

bool Failed(const bpf::VmFileSystemRun& run) { return run.exit_status != kExitQuiet; }

// "reproduced" and its like, of a program's exit status.
std::string Verdict(const bpf::VmProgramRun& run) {
  switch (run.exit_status) {
    case 0: return "not reproduced";
    case 1: return "reproduced";
    case -1: return "did not come to its end";
    default: return absl::StrCat("could not be tried (exit status ", run.exit_status, ")");
  }
}

// What a run with programs says of the kernel: findings if something was reproduced, or a program did not end.
int ProgramsStatus(const std::vector<bpf::VmProgramRun>& programs) {
  int status = kExitQuiet;
  for (const bpf::VmProgramRun& run : programs) {
    if (run.exit_status == 1 || run.exit_status == -1) return kExitFindings;
    if (run.exit_status != 0) status = kExitCannot;
  }
  return status;
}

struct RecordSummary {
  size_t pairs = 0;
  uint64_t lost = 0;
};

absl::StatusOr<RecordSummary> Summarise(const bpf::VmFileSystemRun& run) {
  if (run.record.empty()) return absl::NotFoundError(run.record_errors.empty() ? "nothing" : run.record_errors);
  ASSIGN_OR_RETURN(const lockdep::OrderGraph graph, lockdep::ReadOrderGraph(run.record));
  return RecordSummary{.pairs = graph.edges.size(), .lost = bpf::LostEvents(graph.counters)};
}

std::string DescribeRecord(const bpf::VmFileSystemRun& run) {
  const absl::StatusOr<RecordSummary> record = Summarise(run);
  if (!record.ok()) return absl::StrCat("not recorded: ", record.status().message());
  return absl::StrCat("recorded ", record->pairs, " orders, lost ", record->lost, " events");
}

// What a user should look at: a consequence of faults that he asked for is told, and no more.
bool IsBad(const bpf::ConsoleFinding& finding) { return !finding.consequence; }

ordered_json ToJson(const bpf::LockdepVmOptions& options, const bpf::LockdepVmResult& result) {
  ordered_json runs = ordered_json::array();
  for (const bpf::VmFileSystemRun& run : result.runs) {
    runs.push_back({{"filesystem", run.file_system}, {"exit_status", run.exit_status}, {"errors", run.errors},
                    {"report", run.report}});
    if (!options.record) continue;
    const absl::StatusOr<RecordSummary> record = Summarise(run);
    runs.back()["record"] = run.record;
    if (record.ok()) runs.back()["recorded_orders"] = record->pairs;
    if (record.ok()) runs.back()["recording_lost"] = record->lost;
    if (!record.ok()) runs.back()["not_recorded"] = std::string(record.status().message());
  }
  ordered_json programs = ordered_json::array();
  for (const bpf::VmProgramRun& run : result.programs) {
    programs.push_back({{"filesystem", run.file_system}, {"program", run.program}, {"exit_status", run.exit_status},
                        {"verdict", Verdict(run)}, {"output", run.output}});
  }
  ordered_json console = ordered_json::array();
  for (const bpf::ConsoleFinding& finding : result.console) {
    console.push_back({{"kind", finding.kind}, {"title", finding.title}, {"line", finding.line}, {"times", finding.times},
                       {"consequence", finding.consequence},
                       {"text", finding.text}});
  }
  return {{"kernel", result.release}, {"seconds", result.seconds}, {"lockdep_stayed_on", result.lockdep_stayed_on},
          {"out", options.out}, {"runs", std::move(runs)}, {"programs", std::move(programs)}, {"console", std::move(console)}};
}

std::string ToText(const bpf::LockdepVmOptions& options, const bpf::LockdepVmResult& result) {
  std::string text = absl::StrFormat("kernel %s, %.0f s in all\n", result.release.empty() ? "?" : result.release, result.seconds);
  for (const bpf::VmFileSystemRun& run : result.runs) {
    absl::StrAppendFormat(&text, "  %-6s %s\n", run.file_system,
                          run.exit_status == -1 ? "did not come to its end"
                          : Failed(run)         ? absl::StrCat("exit status ", run.exit_status, ": ", run.errors)
                          : run.report.empty()  ? "done"
                                                : absl::StrCat("done, ", run.report));
    if (options.record) absl::StrAppend(&text, "         ", DescribeRecord(run), "\n");
  }
  for (const bpf::VmProgramRun& run : result.programs) {
    absl::StrAppendFormat(&text, "  %-6s %s: %s\n", run.file_system, run.program, Verdict(run));
    for (const absl::string_view line : absl::StrSplit(run.output, '\n', absl::SkipEmpty())) {
      absl::StrAppend(&text, "         ", line, "\n");
    }
  }
  for (const bpf::ConsoleFinding& finding : result.console) {
    if (IsBad(finding)) {
      absl::StrAppendFormat(&text, "\nFOUND %s: %s (%d times, console.log:%d)\n%s\n", finding.kind, finding.title, finding.times,
                            finding.line, finding.text);
    } else {
      absl::StrAppendFormat(&text, "  a consequence of the faults: %s (%d times, console.log:%d)\n", finding.title, finding.times,
                            finding.line);
    }
  }
  if (!result.lockdep_stayed_on) {
    absl::StrAppend(&text, "The kernel's validator turned itself off, at its first report or out of room: later orders are "
                           "missing.\n");
  }
  absl::StrAppend(&text, "written to ", options.out, "; next: ordeal kernel compare ", options.out, " --fs=",
                  options.file_systems.front(), "\n");
  return text;
}

}  // namespace

int RunKernelVm(const KernelVmArguments& arguments) {
  const absl::StatusOr<bpf::LockdepVmOptions> options = Options(arguments);
  if (!options.ok()) return Fail(options.status());
  const absl::StatusOr<bpf::LockdepVmResult> result = bpf::RunLockdepVm(*options);
  if (!result.ok()) return Fail(result.status());
  const std::string text =
      arguments.json
          ? ToJson(*options, *result).dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n"
          : ToText(*options, *result);
  std::fwrite(text.data(), 1, text.size(), stdout);
  const bool failed = std::any_of(result->runs.begin(), result->runs.end(), Failed);
  const bool bad = std::any_of(result->console.begin(), result->console.end(), IsBad);
  return failed || bad ? kExitFindings : ProgramsStatus(result->programs);
}

}  // namespace ordeal
