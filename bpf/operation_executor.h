// Executes one file operation with real system calls. The files of a workload are opened and mapped once a process, so
// that the tasks of a process share its address space, as the workload says.
//
// Thread-safety: ProcessFiles: open before the threads start, then read only. TaskExecutor: one a thread.
// Invariants:    no operation is fatal: it returns 0, an errno or kBusError; short transfers count as success.
// Cost:          the system calls of the operation.
// Example:
//   ASSIGN_OR_RETURN(const std::unique_ptr<ProcessFiles> files, ProcessFiles::Open(workload, directory_fd));
//   TaskExecutor executor(*files, /*task=*/0);
//   const int error = executor.Execute(operation);
#ifndef ORDEAL_BPF_OPERATION_EXECUTOR_H_
#define ORDEAL_BPF_OPERATION_EXECUTOR_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "harness/workload/file_operation.h"

namespace ordeal::bpf {

// Makes the files of a workload with their initial sizes, all written; replaces what is there.
absl::Status PrepareFiles(const Workload& workload, int directory_fd);
absl::Status RemoveFiles(const Workload& workload, int directory_fd);

class ProcessFiles {
 public:
  struct File {
    std::string name;
    int fd = -1;
    int direct_fd = -1;  // O_DIRECT; -1 if the file system has none
    unsigned char* mapping = nullptr;
  };

  // Installs the process's SIGBUS handler too.
  static absl::StatusOr<std::unique_ptr<ProcessFiles>> Open(const Workload& workload, int directory_fd);
  ~ProcessFiles();
  ProcessFiles(const ProcessFiles&) = delete;
  ProcessFiles& operator=(const ProcessFiles&) = delete;

  const File& file(uint32_t index) const { return files_[index]; }
  int directory_fd() const { return directory_fd_; }
  uint64_t bytes_max() const { return bytes_max_; }  // that any operation reaches, in a file or a buffer

 private:
  ProcessFiles(int directory_fd, uint64_t bytes_max) : directory_fd_(directory_fd), bytes_max_(bytes_max) {}

  const int directory_fd_;
  const uint64_t bytes_max_;
  std::vector<File> files_;
};

class TaskExecutor {
 public:
  TaskExecutor(const ProcessFiles& files, uint32_t task);
  ~TaskExecutor();
  TaskExecutor(const TaskExecutor&) = delete;
  TaskExecutor& operator=(const TaskExecutor&) = delete;

  int Execute(const FileOperation& operation);

 private:
  int Transfer(const FileOperation& operation);
  int Load(const FileOperation& operation);
  int Store(const FileOperation& operation);
  int MapUnmap();
  int Dedupe(const FileOperation& operation);
  int Link(const FileOperation& operation);

  const ProcessFiles& files_;
  const uint32_t task_;
  uint8_t stamp_;
  unsigned char* buffer_;  // anonymous, page-aligned, files_.bytes_max() long; null if there was no memory
};

}  // namespace ordeal::bpf

#endif  // ORDEAL_BPF_OPERATION_EXECUTOR_H_
