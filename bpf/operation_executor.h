// Executes the operations of one task with real system calls and writes into the round's log when each began and ended, what
// it returned and, of reads and loads, what it saw. Every cell that is written carries the operation's stamp (cell_stamp.h).
//
// How the operations that reach beyond their own task are done:
// * remap replaces the mapping by another one of the same file in one step, so that no other task finds a gap; protect makes
//   it read-only for a moment: a store of another task waits, a system call that stores through it may get EFAULT.
// * fork: a child that shares the mappings and exits at once. Buffers are not inherited (MADV_DONTFORK).
// * freeze: only of a scratch file system, which is nobody else's; by a child, which thaws it at once. Otherwise EPERM.
// * shrink-inodes: reclaim of the run's own memory group; ENOSYS where there is none.
// * drop-caches: of the file's pages in this process (MADV_PAGEOUT) and of its clean, unmapped pages (POSIX_FADV_DONTNEED).
//
// Thread-safety: one a thread; the files and the log are shared.
// Invariants:    no operation is fatal; its result is 0, an errno or kBusError, and bytes; short transfers count as success.
// Cost:          the system calls of the operation; 0.1 us a cell to stamp or to read.
// Example:
//   TaskExecutor executor(*files, environment, /*task=*/0, slow_memory, /*slot=*/0);
//   executor.Run(operation, log->IdOf(0, index));
//   executor.Finish();                      // waits for what is in flight
#ifndef ORDEAL_BPF_OPERATION_EXECUTOR_H_
#define ORDEAL_BPF_OPERATION_EXECUTOR_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bpf/async_io.h"
#include "bpf/cell_stamp.h"
#include "bpf/fault_switch.h"
#include "bpf/operation_log.h"
#include "bpf/process_files.h"
#include "bpf/run_environment.h"
#include "bpf/slow_memory.h"
#include "harness/workload/file_operation.h"

namespace ordeal::bpf {

class TaskExecutor {
 public:
  // `slow`: null, or memory in which `slot` is this task's.
  TaskExecutor(const ProcessFiles& files, const RunEnvironment& environment, uint32_t task, const SlowMemory* slow,
               uint32_t slot);
  ~TaskExecutor();
  TaskExecutor(const TaskExecutor&) = delete;
  TaskExecutor& operator=(const TaskExecutor&) = delete;

  // `slow_copy`: its anonymous buffer arrives late, where there is slow memory.
  void Run(const FileOperation& operation, uint32_t id, bool slow_copy = false);
  void Finish();

 private:
  OperationResult Perform(const FileOperation& operation, uint32_t id, bool slow_copy);
  OperationResult OnFile(const FileOperation& operation, int fd);
  OperationResult Transfer(const FileOperation& operation, uint32_t id, bool slow_copy);
  OperationResult Append(const FileOperation& operation, uint32_t id, const unsigned char* data);
  OperationResult Load(const FileOperation& operation, uint32_t id);
  OperationResult Store(const FileOperation& operation, uint32_t id);
  OperationResult WithOther(const FileOperation& operation, int fd);
  OperationResult Replace(const FileOperation& operation);
  OperationResult Readdir(const FileOperation& operation);
  OperationResult Link(const FileOperation& operation);
  OperationResult MakeDirectory(const FileOperation& operation);
  OperationResult Freeze();
  void Submit(const FileOperation& operation, uint32_t id);
  void Reap(AsyncIo::Wait wait);
  void Observe(const FileOperation& operation, uint32_t id, const unsigned char* data, int64_t bytes);
  void Stamp(const FileOperation& operation, uint32_t id, unsigned char* data);

  const ProcessFiles& files_;
  const RunEnvironment& environment_;
  const StampCode code_;
  const uint32_t task_;
  const SlowMemory* const slow_;
  const uint32_t slow_slot_;
  const FaultSwitch faults_;
  unsigned char* buffer_;  // anonymous, page-aligned, files_.bytes_max() long; null if there was no memory
  std::unique_ptr<AsyncIo> async_;  // made at its first use
};

}  // namespace ordeal::bpf

#endif  // ORDEAL_BPF_OPERATION_EXECUTOR_H_
