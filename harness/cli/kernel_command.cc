#include "harness/cli/kernel_command.h"

#include <unistd.h>

#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/str_cat.h"
#include "bpf/kernel_run.h"
#include "bpf/order_comparer.h"
#include "harness/cli/arguments.h"
#include "harness/cli/exit_status.h"
#include "harness/cli/kernel_graph_command.h"
#include "harness/cli/kernel_record_command.h"
#include "harness/cli/kernel_run_report.h"
#include "harness/cli/kernel_vm_command.h"
#include "harness/cli/kernel_workload.h"
#include "lockdep/support/status_macros.h"

namespace ordeal {
namespace {

using nlohmann::ordered_json;

constexpr int kExitInterrupted = 130;  // what a shell gives for SIGINT

struct KernelArguments {
  std::string filesystem = "xfs";
  std::string directory;
  std::string seed = "1";
  std::string operations;
  std::string time = "10s";
  std::string out;
  std::string kernel;  // of --vm
  std::string vm_faults;
  std::vector<std::string> vm_programs;
  bool vm = false;
  std::string workload;
  std::string without;
  std::string hang = "30s";
  std::string save = "ordeal-findings";
  bool no_perturb = false;
  bool make_it_fail = false;
  bool no_record = false;
  bool json = false;
};

void Print(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }
void Print(const ordered_json& json) {
  // A file's strings may hold any bytes.
  Print(json.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n");
}

int FailOrInterrupted(const absl::Status& status) {
  const int exit_status = Fail(status);
  return status.code() == absl::StatusCode::kCancelled ? kExitInterrupted : exit_status;
}

absl::StatusOr<bpf::KernelRunOptions> RunOptions(const KernelArguments& arguments) {
  bpf::KernelRunOptions options;
  options.file_system = arguments.filesystem;
  options.directory = arguments.directory;
  ASSIGN_OR_RETURN(options.seed, ParseCount("--seed", arguments.seed, 0));
  if (!arguments.operations.empty()) {
    ASSIGN_OR_RETURN(options.operations_max, ParseCount("--operations", arguments.operations, 1));
  }
  ASSIGN_OR_RETURN(options.time_s, ParseDuration("--time", arguments.time));
  options.record = !arguments.no_record;
  if (!options.record && !arguments.out.empty()) {
    return absl::InvalidArgumentError("--no-record leaves nothing to write to --out; drop one of them");
  }
  options.perturb = !arguments.no_perturb;
  options.make_it_fail = arguments.make_it_fail;
  ASSIGN_OR_RETURN(options.hang_s, ParseDuration("--hang", arguments.hang));
  ASSIGN_OR_RETURN(options.workload, Workloads(arguments.workload, arguments.without));
  if (isatty(STDERR_FILENO) && !arguments.json) {
    options.progress = [](uint64_t operations, double seconds) {
      std::fprintf(stderr, "\rordeal kernel run: %llu operations in %.0f s ", static_cast<unsigned long long>(operations),
                   seconds);
    };
  }
  return options;
}

int RunKernel(const KernelArguments& arguments) {
  const absl::StatusOr<bpf::KernelRunOptions> options = RunOptions(arguments);
  if (!options.ok()) return Fail(options.status());
  const absl::StatusOr<bpf::KernelRunResult> result = bpf::RunOnKernel(*options);
  if (options->progress) std::fprintf(stderr, "\r\033[K");
  if (!result.ok()) return FailOrInterrupted(result.status());
  if (!arguments.out.empty()) {
    if (absl::Status status = lockdep::WriteOrderGraph(result->graph, arguments.out); !status.ok()) return Fail(status);
  }
  const absl::StatusOr<std::vector<std::string>> saved = SaveFindings(*result, arguments.save);
  if (!saved.ok()) return Fail(saved.status());
  const int exit_status = result->findings.empty() ? kExitQuiet : kExitFindings;
  if (arguments.json) {
    ordered_json json = RunToJson(*result, *saved);
    json["seed"] = options->seed;
    json["recorded"] = options->record;
    json["graph"] = bpf::OrderGraphToJson(result->graph);
    Print(json);
    return exit_status;
  }
  Print(FormatRun(*result, options->record, *saved));
  if (!arguments.out.empty()) {
    Print(absl::StrCat("written to ", arguments.out, "; compare it with: ordeal kernel compare ", arguments.out, "\n"));
  }
  return exit_status;
}

int RunHereOrInVm(const KernelArguments& arguments) {
  if (!arguments.vm && !arguments.vm_programs.empty()) {
    return Fail(absl::InvalidArgumentError("--vm-program runs in the virtual machine; add --vm"));
  }
  if (!arguments.vm) return RunKernel(arguments);
  return RunKernelVm({.file_systems = arguments.filesystem,
                      .seed = arguments.seed,
                      .time = arguments.time,
                      .kernel = arguments.kernel,
                      .faults = arguments.vm_faults,
                      .out = arguments.out,
                      .programs = arguments.vm_programs,
                      .without = arguments.without,
                      .record = !arguments.no_record,
                      .json = arguments.json});
}

}  // namespace

void AddKernelCommand(CLI::App& app, const KernelHooks& hooks, std::function<int()>* command) {
  // Shared with the callbacks: the parser fills it after this function has returned.
  const auto arguments = std::make_shared<KernelArguments>();
  CLI::App* kernel = app.add_subcommand("kernel", "The real kernel: record its lock orders, compare them with the model's");
  kernel->require_subcommand(1);

  CLI::App* run = kernel->add_subcommand(
      "run", "Runs a workload on a real file system, judges its data and records the lock orders");
  CLI::Option* fs = run->add_option("--fs", arguments->filesystem,
                                    "The scratch file system: xfs, ext4 or btrfs; gfs2 or ocfs2 where the kernel has them");
  fs->capture_default_str();
  run->add_option("--directory", arguments->directory,
                  "Instead of a scratch file system: a directory of any file system. Only what the run creates in it is touched")
      ->excludes(fs);
  run->add_option("--seed", arguments->seed, "Another seed, other operations")->capture_default_str();
  run->add_option("--operations", arguments->operations, "End after about so many operations");
  run->add_option("--time", arguments->time, "At most so long: 10s, 2m")->capture_default_str();
  run->add_option("--out", arguments->out, "Write the order graph to this file (.txtpb)");
  run->add_option("--workload", arguments->workload, "Run what this file says, round after round (a .workload of a finding)");
  run->add_option("--without", arguments->without, "Leave these operations out: remap,fork")->type_name("KIND,...");
  run->add_option("--hang", arguments->hang, "An operation that takes longer hangs")->capture_default_str();
  run->add_option("--save", arguments->save, "Where workload and history of a finding are written")->capture_default_str();
  run->add_flag("--no-perturb", arguments->no_perturb, "Leave scheduling and copies alone");
  run->add_flag("--make-it-fail", arguments->make_it_fail,
                "This kernel injects faults (debugfs): they may hit the workload's system calls, and what they do is excused");
  run->add_flag("--no-record", arguments->no_record, "Only the workload, to see what recording costs");
  run->add_flag("--json", arguments->json, "Print JSON");
  run->add_flag("--vm", arguments->vm,
                "On the lockdep kernel in a virtual machine; --fs: a list of xfs, xfs-dax, ext4, gfs2, ocfs2, btrfs");
  run->add_option("--kernel", arguments->kernel, "With --vm: its kernel; what ci/lockdep-kernel built when left out");
  run->add_option("--vm-faults", arguments->vm_faults, "With --vm: failslab, fail_page_alloc, fail_make_request");
  run->add_option("--vm-program", arguments->vm_programs,
                  "With --vm: instead of the workload, run 'FILE DIRECTORY [ARGUMENT...]' on each file system: a static program, "
                  "for at most --time. It exits with 1 if it reproduced what it is for, with 0 if not")
      ->allow_extra_args(false)
      ->type_name("'FILE [ARGUMENT...]'");
  run->callback([arguments, command] { *command = [arguments] { return RunHereOrInVm(*arguments); }; });

  AddKernelRecordCommand(kernel, hooks.program, command);
  AddKernelGraphCommands(*kernel, hooks, command);
}

}  // namespace ordeal
