// Runs a workload with real system calls: one process for each of its address spaces, one thread for each of its tasks.
//
// The children are forked first and wait at a gate, so that whoever records them knows their ids before the first
// operation. They die with their parent.
//
// Thread-safety: none; fork from a process with one thread.
// Invariants:    when Wait has returned, no child is left, unless it says that one is blocked in the kernel for good.
// Cost:          a fork for each process.
// Example:
//   RETURN_IF_ERROR(PrepareFiles(workload, directory_fd));
//   ASSIGN_OR_RETURN(const auto run, WorkloadProcesses::Fork(workload, directory_fd, statistics.get()));
//   run->Start();
//   RETURN_IF_ERROR(run->Wait([] { return interrupted; }));
#ifndef ORDEAL_BPF_WORKLOAD_RUNNER_H_
#define ORDEAL_BPF_WORKLOAD_RUNNER_H_

#include <sys/types.h>

#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bpf/run_statistics.h"
#include "harness/workload/file_operation.h"

namespace ordeal::bpf {

class WorkloadProcesses {
 public:
  // The files must exist (PrepareFiles).
  static absl::StatusOr<std::unique_ptr<WorkloadProcesses>> Fork(const Workload& workload, int directory_fd,
                                                                 RunStatistics* statistics);
  ~WorkloadProcesses();  // kills and reaps whatever is left
  WorkloadProcesses(const WorkloadProcesses&) = delete;
  WorkloadProcesses& operator=(const WorkloadProcesses&) = delete;

  const std::vector<pid_t>& pids() const { return pids_; }
  void Start();  // opens the gate
  // Until all tasks are through, or `stop` (asked every few milliseconds) is true: then they end after their operation.
  // Internal: a process failed, or does not end even when killed.
  absl::Status Wait(const std::function<bool()>& stop);

 private:
  explicit WorkloadProcesses(RunStatistics* statistics) : statistics_(statistics) {}
  absl::Status ForkOne(const Workload& workload, uint32_t process, int directory_fd);
  // True when every child has ended within that time.
  bool WaitForEnd(int milliseconds);
  absl::Status Reap();
  void Kill();

  RunStatistics* const statistics_;
  std::vector<pid_t> pids_;  // of children not yet reaped
  int gate_[2] = {-1, -1};   // closing the write end opens it
  int alive_[2] = {-1, -1};  // each child holds the write end; the last to end leaves an end of file
};

}  // namespace ordeal::bpf

#endif  // ORDEAL_BPF_WORKLOAD_RUNNER_H_
