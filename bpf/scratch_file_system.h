// A file system of our own, made by its own mkfs: an image without a name, behind a loop device, mounted where only this
// process can see it.
//
// Nothing of it survives the process, however it ends: the image is deleted while open, the loop device clears itself when
// its last user goes, and the mount lives in a private mount namespace. Remove() takes it down in order and checks.
//
// Thread-safety: none. Make() moves the calling process into a new mount namespace for good: call it in a child.
// Invariants:    no name is ever created in a visible directory.
// Cost:          mkfs, about 100 ms; the image is sparse.
// Example:
//   ASSIGN_OR_RETURN(const auto scratch, ScratchFileSystem::Make({.file_system = "xfs"}));
//   openat(scratch->directory_fd(), "a", O_RDWR | O_CREAT, 0600);
//   RETURN_IF_ERROR(scratch->Remove());
#ifndef ORDEAL_BPF_SCRATCH_FILE_SYSTEM_H_
#define ORDEAL_BPF_SCRATCH_FILE_SYSTEM_H_

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace ordeal::bpf {

struct ScratchOptions {
  std::string file_system = "xfs";
  uint64_t bytes = 512ull << 20;
  std::string image_directory;  // empty: $TMPDIR or /tmp
};

// Unavailable, with the reason and what to do, where such a file system cannot be made; InvalidArgument if nobody could.
absl::Status CheckScratchFileSystem(const std::string& file_system);

class ScratchFileSystem {
 public:
  static absl::StatusOr<std::unique_ptr<ScratchFileSystem>> Make(const ScratchOptions& options);
  ~ScratchFileSystem();  // Remove(), its result ignored
  ScratchFileSystem(const ScratchFileSystem&) = delete;
  ScratchFileSystem& operator=(const ScratchFileSystem&) = delete;

  int directory_fd() const { return directory_fd_; }
  dev_t device() const { return device_; }
  const std::string& loop_device() const { return loop_device_; }  // "/dev/loop3"
  absl::Status Remove();
  // Takes the mount out of sight and forgets it: a process hangs in it. The kernel removes it when that process ends.
  void Abandon();

 private:
  ScratchFileSystem() = default;
  absl::Status MakeImage(const ScratchOptions& options);
  absl::Status AttachLoop();
  absl::Status Mount(const std::string& file_system);

  int image_fd_ = -1;
  int loop_fd_ = -1;
  int directory_fd_ = -1;
  dev_t device_ = 0;
  std::string loop_device_;
  std::string mount_point_;  // empty: not mounted
};

}  // namespace ordeal::bpf

#endif  // ORDEAL_BPF_SCRATCH_FILE_SYSTEM_H_
