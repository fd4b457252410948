// What the processes of one round share, made before they are forked.
//
// Thread-safety: read only; what it points to says for itself.
// Example:       const RunEnvironment environment{.directory_fd = fd, .log = log.get(), .statistics = statistics};
#ifndef ORDEAL_BPF_RUN_ENVIRONMENT_H_
#define ORDEAL_BPF_RUN_ENVIRONMENT_H_

#include <cstdint>

#include "bpf/memory_group.h"
#include "bpf/operation_log.h"
#include "bpf/run_statistics.h"

namespace ordeal::bpf {

struct RunEnvironment {
  int directory_fd = -1;  // of the round's files
  int names_fd = -1;      // a directory with many entries, to be read; -1: the round's own
  OperationLog* log = nullptr;
  RunStatistics* statistics = nullptr;
  const MemoryGroup* memory_group = nullptr;  // null: nothing can be reclaimed without hurting others
  bool may_freeze = false;                    // the file system is ours alone
  bool perturb = true;                        // scheduling, and the copies of system calls
  bool make_it_fail = false;                  // the kernel's fault injection may hit the operations (fault_switch.h)
  uint64_t seed = 1;                          // of the round
  uint64_t salt = 1;                          // of its stamps
};

}  // namespace ordeal::bpf

#endif  // ORDEAL_BPF_RUN_ENVIRONMENT_H_
