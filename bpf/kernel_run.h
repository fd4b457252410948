// Runs workloads on a file system of the real kernel, records the lock orders that it uses, and judges the data that it returns.
//
// All of it happens in a child process, the sandbox: it makes the file system (or a directory), loads the probe, forks the
// workload's processes, and takes everything down: at the end, on an error, on SIGINT, SIGTERM or SIGHUP, and when the
// caller dies. If the sandbox itself is killed, the kernel removes what it held (scratch_file_system.h), a janitor the rest
// (janitor.h).
//
// Thread-safety: none: it forks, and it handles SIGINT, SIGTERM and SIGHUP while it runs. Call it with one thread.
// Invariants:    when it returns, no mount, loop device or file of the run is left; if one is, the status says so.
// Cost:          about 0.3 s beside the workload.
// Example:
//   KernelRunOptions options;
//   options.workload = [](uint64_t seed) { return Generate(seed); };
//   ASSIGN_OR_RETURN(const KernelRunResult result, RunOnKernel(options));
//   out << result.graph.ToString();
#ifndef ORDEAL_BPF_KERNEL_RUN_H_
#define ORDEAL_BPF_KERNEL_RUN_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bpf/kernel_finding.h"
#include "bpf/run_statistics.h"
#include "harness/workload/file_operation.h"
#include "lockdep/report/order_graph.h"

namespace ordeal::bpf {

struct KernelRunOptions {
  std::string file_system = "xfs";  // of the scratch file system
  // Instead of a scratch file system: run in a fresh subdirectory of this directory, which is removed at the end.
  std::string directory;
  uint64_t seed = 1;            // of the first round; the next rounds count up
  uint64_t operations_max = 0;  // ends after the round that reaches it; 0: no bound
  double time_s = 10;           // ends the rounds
  bool record = true;           // false: the workload alone, to measure what recording costs
  bool perturb = true;          // scheduling, and the copies of system calls (perturbation.h, slow_memory.h)
  // Faults are injected into this kernel: those of memory hit the operations (fault_switch.h). A round in which the file system
  // told of data that it could not write is not judged, and one that no longer works ends the run, with a note.
  bool make_it_fail = false;
  double hang_s = 30;           // an operation that takes longer hangs: a finding
  double kill_s = 10;           // what takes longer to die is beyond help
  std::string image_directory;  // empty: $TMPDIR or /tmp
  // The workload of one round: a pure function of the seed. Each round has fresh files and processes.
  std::function<absl::StatusOr<Workload>(uint64_t seed)> workload;
  // For tests, in the sandbox: before the first operation of a round, and between its last one and the final look.
  std::function<void(int directory_fd)> at_round_begin;
  std::function<void(int directory_fd)> at_round_end;
  // Called about once a second, if set.
  std::function<void(uint64_t operations, double seconds)> progress;
};

struct KernelRunResult {
  std::string file_system;    // that the files were on
  lockdep::OrderGraph graph;  // no edges if not recorded
  std::vector<KernelFinding> findings;  // one of each signature; after a hang the run ends
  std::vector<std::string> notes;       // what this machine does not offer
  std::vector<OperationCount> counts;
  uint64_t operations = 0;
  uint64_t rounds = 0;
  uint64_t cells_judged = 0;
  uint64_t slow_copies = 0;  // transfers that were delayed inside their copy
  double seconds = 0;           // of the workload, without setting up and taking down
  double workload_seconds = 0;  // of those, from the opening of a round's gate to the end of its last process
};

// Unavailable: cannot run here; the message is the reason and what to do about it.
absl::Status CheckKernelRun(const KernelRunOptions& options);

// Cancelled: interrupted by a signal, and everything was removed.
absl::StatusOr<KernelRunResult> RunOnKernel(const KernelRunOptions& options);

// "6.18.44".
std::string KernelRelease();

}  // namespace ordeal::bpf

#endif  // ORDEAL_BPF_KERNEL_RUN_H_
