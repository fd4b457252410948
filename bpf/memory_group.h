// A memory cgroup of our own, so that pages and inodes of the workload alone are reclaimed: by writing memory.reclaim
// (cgroup 2, since Linux 5.19) or memory.force_empty (cgroup 1). Nobody else loses a page.
//
// Thread-safety: none; Reclaim may be called by any process that inherited it.
// Invariants:    Remove takes the group away once its processes are gone.
// Cost:          Reclaim: some ms, by what there is to reclaim.
// Example:
//   ASSIGN_OR_RETURN(const auto group, MemoryGroup::Make());    // Unavailable where there is no controller
//   RETURN_IF_ERROR(group->Add(pid));
//   const int error = group->Reclaim();
#ifndef ORDEAL_BPF_MEMORY_GROUP_H_
#define ORDEAL_BPF_MEMORY_GROUP_H_

#include <sys/types.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bpf/janitor.h"

namespace ordeal::bpf {

class MemoryGroup {
 public:
  static absl::StatusOr<std::unique_ptr<MemoryGroup>> Make();
  ~MemoryGroup();  // Remove(), its result ignored
  MemoryGroup(const MemoryGroup&) = delete;
  MemoryGroup& operator=(const MemoryGroup&) = delete;

  absl::Status Add(pid_t process);
  int Reclaim() const;  // an errno; 0 also when little was left to reclaim
  absl::Status Remove();
  const std::string& path() const { return path_; }

 private:
  MemoryGroup() = default;

  std::string path_;
  int reclaim_fd_ = -1;
  const char* amount_ = "";
  std::unique_ptr<Janitor> janitor_;
};

}  // namespace ordeal::bpf

#endif  // ORDEAL_BPF_MEMORY_GROUP_H_
