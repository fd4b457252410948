// The files of a workload as one of its processes has them: opened and mapped once, so that its tasks share its address
// space, as the workload says. A file that the workload does not map is opened and closed by each operation.
//
// Also what happens when a mapping is touched where it must not be: beyond the end of its file (SIGBUS, kBusError), and
// while another task has made it read-only for a moment (SIGSEGV: tried again).
//
// Thread-safety: open before the threads start, then read only. One of them a process at a time (signal handlers).
// Invariants:    a mapping keeps its address from Open to the end; Remap replaces it in one step.
// Cost:          the system calls that it says.
// Example:
//   ASSIGN_OR_RETURN(const std::unique_ptr<ProcessFiles> files, ProcessFiles::Open(workload, directory_fd));
//   const int error = WithBusErrors([&] { byte = files->file(0).mapping[0]; });
#ifndef ORDEAL_BPF_PROCESS_FILES_H_
#define ORDEAL_BPF_PROCESS_FILES_H_

#include <setjmp.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bpf/cell_stamp.h"
#include "bpf/run_statistics.h"
#include "harness/workload/file_operation.h"

namespace ordeal::bpf {

inline constexpr uint64_t kPageBytes = uint64_t{kPageCells} * kCellBytes;
inline uint64_t CellsToBytes(uint32_t cells) { return uint64_t{cells} * kCellBytes; }
inline uint64_t PagesUp(uint64_t bytes) { return (bytes + kPageBytes - 1) / kPageBytes * kPageBytes; }

// Makes the files of a workload with their initial sizes, all cells stamped, and what its operations need beside them;
// replaces what is there.
absl::Status PrepareFiles(const Workload& workload, int directory_fd, const StampCode& code);
absl::Status RemoveFiles(const Workload& workload, int directory_fd);
// A second name of the file, for renames: the first one stays what the file is opened by.
std::string RenamedName(const Workload& workload, uint32_t file);

class ProcessFiles {
 public:
  struct File {
    std::string name;
    bool mapped = true;
    int fd = -1;         // -1: not mapped
    int direct_fd = -1;  // O_DIRECT; -1 if the file system has none
    unsigned char* mapping = nullptr;
  };

  // Installs the process's handlers of SIGBUS and SIGSEGV too.
  static absl::StatusOr<std::unique_ptr<ProcessFiles>> Open(const Workload& workload, int directory_fd);
  ~ProcessFiles();
  ProcessFiles(const ProcessFiles&) = delete;
  ProcessFiles& operator=(const ProcessFiles&) = delete;

  const File& file(uint32_t index) const { return files_[index]; }
  const Workload& workload() const { return workload_; }
  int directory_fd() const { return directory_fd_; }
  uint64_t bytes_max() const { return bytes_max_; }  // that any operation reaches, in a file or a buffer
  int Remap(uint32_t index) const;  // munmap and mmap in one step; an errno
  bool HasAddress(const void* address) const;

 private:
  ProcessFiles(const Workload& workload, int directory_fd, uint64_t bytes_max)
      : workload_(workload), directory_fd_(directory_fd), bytes_max_(bytes_max) {}

  const Workload& workload_;
  const int directory_fd_;
  const uint64_t bytes_max_;
  std::vector<File> files_;
};

// A file as one operation has it: the process's descriptor, or, of an unmapped file, one of its own.
class OpenedFile {
 public:
  OpenedFile(const ProcessFiles& files, uint32_t file, bool direct);
  ~OpenedFile();
  OpenedFile(const OpenedFile&) = delete;
  OpenedFile& operator=(const OpenedFile&) = delete;
  int fd() const { return fd_; }  // -1: not opened, or, if direct, the file system has no direct I/O
  int error() const { return error_; }

 private:
  int fd_ = -1;
  int error_ = 0;
  bool own_ = false;
};

// Where a SIGBUS of this thread goes; null: it is nobody's.
extern thread_local sigjmp_buf* volatile bus_error_target;

// Runs `access`, which touches mappings; kBusError if one of them had no page there. What it has done is in volatiles.
template <typename Access>
int WithBusErrors(const Access& access) {
  sigjmp_buf target;
  if (sigsetjmp(target, 0) != 0) {
    bus_error_target = nullptr;
    return kBusError;
  }
  bus_error_target = &target;
  access();
  bus_error_target = nullptr;
  return 0;
}

}  // namespace ordeal::bpf

#endif  // ORDEAL_BPF_PROCESS_FILES_H_
