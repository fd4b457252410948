// The child process of RunOnKernel: everything that touches the machine.
//
// Thread-safety: one thread; installs handlers for SIGINT, SIGTERM and SIGHUP.
// Invariants:    RunInSandbox returns with everything taken down, whatever its status.
// Example:       const absl::StatusOr<KernelRunResult> result = RunInSandbox(options, statistics);
#ifndef ORDEAL_BPF_SANDBOX_H_
#define ORDEAL_BPF_SANDBOX_H_

#include "absl/status/statusor.h"
#include "bpf/kernel_run.h"
#include "bpf/run_statistics.h"

namespace ordeal::bpf {

// Fills graph, rounds and the times of the result.
absl::StatusOr<KernelRunResult> RunInSandbox(const KernelRunOptions& options, RunStatistics* statistics);

}  // namespace ordeal::bpf

#endif  // ORDEAL_BPF_SANDBOX_H_
