// Runs a workload with real system calls: one process for each of its address spaces, one thread for each of its tasks.
//
// The children are forked first and wait at a gate, so that whoever records them knows their ids before the first
// operation. They die with their parent. An operation that does not end within a time is a hang: all tasks are described
// with their kernel stacks, then killed; what even that does not end is left, and reported.
//
// Thread-safety: none; fork from a process with one thread.
// Invariants:    when Wait has returned, no child is left, unless it says that one is blocked in the kernel for good.
// Cost:          a fork for each process.
// Example:
//   RETURN_IF_ERROR(PrepareFiles(workload, directory_fd, code));
//   ASSIGN_OR_RETURN(const auto run, WorkloadProcesses::Fork(workload, environment));
//   run->Start();
//   ASSIGN_OR_RETURN(const RunOutcome outcome, run->Wait({.stop = [] { return interrupted; }}));
#ifndef ORDEAL_BPF_WORKLOAD_RUNNER_H_
#define ORDEAL_BPF_WORKLOAD_RUNNER_H_

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bpf/run_environment.h"
#include "harness/workload/file_operation.h"

namespace ordeal::bpf {

struct WaitOptions {
  std::function<bool()> stop = [] { return false; };  // asked every few milliseconds; then tasks end after their operation
  double hang_s = 30;                                 // an operation that takes longer hangs
  double kill_s = 10;                                 // so long it may take them to die
  std::function<void()> unblock = [] {};              // what may help processes that SIGKILL did not end: thaw
};

struct RunOutcome {
  uint32_t hung_operation = 0;  // its id; 0: none hung
  std::string hang;             // the report
  bool left_behind = false;     // some process could not be killed
};

class WorkloadProcesses {
 public:
  // The files must exist (PrepareFiles). Workload and environment must outlive the processes.
  static absl::StatusOr<std::unique_ptr<WorkloadProcesses>> Fork(const Workload& workload,
                                                                 const RunEnvironment& environment);
  ~WorkloadProcesses();  // kills and reaps whatever is left
  WorkloadProcesses(const WorkloadProcesses&) = delete;
  WorkloadProcesses& operator=(const WorkloadProcesses&) = delete;

  const std::vector<pid_t>& pids() const { return pids_; }
  void Start();  // opens the gate
  // Until all tasks are through, or stopped. Internal: a process failed.
  absl::StatusOr<RunOutcome> Wait(const WaitOptions& options);

 private:
  WorkloadProcesses(const Workload& workload, const RunEnvironment& environment)
      : workload_(workload), environment_(environment) {}
  absl::Status ForkOne(uint32_t process);
  // True when every child has ended within that time.
  bool WaitForEnd(int milliseconds);
  absl::Status Reap();
  bool Kill(double seconds);  // false: some are still there
  RunOutcome KillHung(const WaitOptions& options);

  const Workload& workload_;
  const RunEnvironment& environment_;
  std::vector<pid_t> pids_;  // of children not yet reaped
  int gate_[2] = {-1, -1};   // closing the write end opens it
  int alive_[2] = {-1, -1};  // each child holds the write end; the last to end leaves an end of file
};

}  // namespace ordeal::bpf

#endif  // ORDEAL_BPF_WORKLOAD_RUNNER_H_
