// Where a run's files live: the root of a scratch file system of our own, or a fresh subdirectory of a file system that
// somebody else has mounted. Of the latter nothing but that subdirectory is touched.
//
// Thread-safety: none; forks (janitor.h).
// Invariants:    Remove() leaves nothing behind, or says what; and so does the death of all processes, in any way.
// Cost:          Make: mkfs, about 100 ms, or a mkdir.
// Example:
//   ASSIGN_OR_RETURN(const auto directory, WorkDirectory::MakeIn("/mnt/gfs2"));
//   openat(directory->fd(), "a", O_RDWR | O_CREAT, 0600);
//   RETURN_IF_ERROR(directory->Remove());
#ifndef ORDEAL_BPF_WORK_DIRECTORY_H_
#define ORDEAL_BPF_WORK_DIRECTORY_H_

#include <sys/types.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bpf/janitor.h"
#include "bpf/scratch_file_system.h"

namespace ordeal::bpf {

class WorkDirectory {
 public:
  static absl::StatusOr<std::unique_ptr<WorkDirectory>> MakeScratch(const ScratchOptions& options);
  // InvalidArgument if `parent` is no directory.
  static absl::StatusOr<std::unique_ptr<WorkDirectory>> MakeIn(const std::string& parent);
  ~WorkDirectory();  // Remove(), its result ignored
  WorkDirectory(const WorkDirectory&) = delete;
  WorkDirectory& operator=(const WorkDirectory&) = delete;

  int fd() const { return fd_; }
  dev_t device() const { return device_; }
  const std::string& file_system() const { return file_system_; }  // "xfs"
  bool scratch() const { return scratch_ != nullptr; }             // the whole file system is ours
  // Lets a frozen scratch file system go on; harmless if it is not frozen.
  void Thaw();
  absl::Status Remove();
  // A process hangs in it: nothing here is touched any more. It is taken down when that process should end after all.
  void Abandon();

 private:
  WorkDirectory() = default;

  std::unique_ptr<ScratchFileSystem> scratch_;
  std::unique_ptr<Janitor> janitor_;
  std::string file_system_;
  int fd_ = -1;
  dev_t device_ = 0;
};

// "xfs", "btrfs", ... of an open file; "type 0x1234" if it is none that we know.
std::string FileSystemOf(int fd);

// Removes `name` in the directory `parent_fd` with all that is in it; follows no symbolic link and enters no other mount.
absl::Status RemoveTree(int parent_fd, const std::string& name);

}  // namespace ordeal::bpf

#endif  // ORDEAL_BPF_WORK_DIRECTORY_H_
