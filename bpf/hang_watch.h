// Finds operations that do not end, and says where in the kernel each task of the workload is.
//
// Thread-safety: none; reads /proc and the log.
// Cost:          some reads of /proc a task; only when asked.
// Example:
//   if (LongestOperation(*log).seconds > 30) out << DescribeTasks(workload, *log, pids);
#ifndef ORDEAL_BPF_HANG_WATCH_H_
#define ORDEAL_BPF_HANG_WATCH_H_

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "bpf/operation_log.h"
#include "harness/workload/file_operation.h"

namespace ordeal::bpf {

struct LongOperation {
  uint32_t task = 0;
  uint32_t id = 0;  // 0: no task is in an operation
  double seconds = 0;
};
LongOperation LongestOperation(const OperationLog& log);

// The operation with this id, null if there is none.
const FileOperation* FindOperation(const Workload& workload, uint32_t id);

// Of each task: its operation, how long it has been in it, state, wait channel and kernel stack.
std::string DescribeTasks(const Workload& workload, const OperationLog& log, const std::vector<pid_t>& pids);

}  // namespace ordeal::bpf

#endif  // ORDEAL_BPF_HANG_WATCH_H_
