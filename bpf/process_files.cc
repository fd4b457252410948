#include "bpf/process_files.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>

#include "absl/strings/str_cat.h"
#include "lockdep/support/status_macros.h"

namespace ordeal::bpf {

thread_local sigjmp_buf* volatile bus_error_target = nullptr;

namespace {

constexpr const char* kRenameDirectories[] = {"even", "odd"};

std::atomic<const ProcessFiles*> handled_files{nullptr};

absl::Status SystemError(const std::string& what) {
  return absl::InternalError(absl::StrCat(what, ": ", strerror(errno)));
}

// The furthest byte of any file or buffer that the workload names.
uint64_t BytesMax(const Workload& workload) {
  uint64_t most = kPageBytes;
  for (const WorkloadFile& file : workload.files) most = std::max(most, CellsToBytes(file.size_cells));
  for (const std::vector<FileOperation>& task : workload.tasks) {
    for (const FileOperation& operation : task) {
      most = std::max(most, CellsToBytes(operation.offset_cells) + CellsToBytes(operation.length_cells));
      most = std::max(most, CellsToBytes(operation.buffer_offset_cells) + CellsToBytes(operation.length_cells));
    }
  }
  return PagesUp(most);
}

bool Renames(const Workload& workload) {
  for (const std::vector<FileOperation>& task : workload.tasks) {
    for (const FileOperation& operation : task) {
      if (operation.kind == FileOperationKind::kRename) return true;
    }
  }
  return false;
}

void OnBusError(int signal_number) {
  if (bus_error_target != nullptr) siglongjmp(*bus_error_target, 1);
  signal(signal_number, SIG_DFL);  // not ours: die of it at the next attempt
}

// A mapping that another task has made read-only, and will make writable again: the store is tried anew.
void OnProtection(int signal_number, siginfo_t* info, void*) {
  const ProcessFiles* files = handled_files.load(std::memory_order_relaxed);
  if (files != nullptr && files->HasAddress(info->si_addr)) {
    sched_yield();
    return;
  }
  signal(signal_number, SIG_DFL);
}

void InstallHandlers() {
  struct sigaction action = {};
  action.sa_handler = OnBusError;
  action.sa_flags = SA_NODEFER;  // the handler leaves by a jump that restores no mask
  sigaction(SIGBUS, &action, nullptr);
  action = {};
  action.sa_sigaction = OnProtection;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  sigaction(SIGSEGV, &action, nullptr);
}

absl::Status WriteInitialContents(int fd, uint32_t file, uint32_t cells, const StampCode& code) {
  alignas(uint64_t) unsigned char cell[kCellBytes];
  for (uint32_t index = 0; index < cells; ++index) {
    Fill(cell, code.Word({.file = file, .operation = 0, .index = index}));
    for (size_t done = 0; done < kCellBytes;) {
      const off_t at = static_cast<off_t>(CellsToBytes(index) + done);
      const ssize_t n = pwrite(fd, cell + done, kCellBytes - done, at);
      if (n < 0 && errno != EINTR) return SystemError("pwrite");
      if (n > 0) done += static_cast<size_t>(n);
    }
  }
  return absl::OkStatus();
}

// An unmapped file may be replaced, and is evicted only when it has no name left: a stand-in is renamed for it.
absl::Status MakeSecondName(const Workload& workload, uint32_t file, int directory_fd) {
  const std::string second = RenamedName(workload, file);
  if (workload.files[file].mapped) {
    if (linkat(directory_fd, workload.files[file].name.c_str(), directory_fd, second.c_str(), 0) == 0) {
      return absl::OkStatus();
    }
    return SystemError(absl::StrCat("cannot make a second name of '", workload.files[file].name, "'"));
  }
  const int fd = openat(directory_fd, second.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return SystemError(absl::StrCat("cannot make '", second, "'"));
  close(fd);
  return absl::OkStatus();
}

}  // namespace

std::string RenamedName(const Workload& workload, uint32_t file) {
  return absl::StrCat(kRenameDirectories[file % 2], "/", workload.files[file].name);
}

absl::Status PrepareFiles(const Workload& workload, int directory_fd, const StampCode& code) {
  const bool renames = Renames(workload);
  for (const char* name : kRenameDirectories) {
    if (renames && mkdirat(directory_fd, name, 0700) != 0) return SystemError(absl::StrCat("mkdir '", name, "'"));
  }
  for (uint32_t index = 0; index < workload.files.size(); ++index) {
    const WorkloadFile& file = workload.files[index];
    const int fd = openat(directory_fd, file.name.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) return SystemError(absl::StrCat("cannot make file '", file.name, "'"));
    const absl::Status status = WriteInitialContents(fd, index, file.size_cells, code);
    close(fd);
    RETURN_IF_ERROR(status);
    if (renames) RETURN_IF_ERROR(MakeSecondName(workload, index, directory_fd));
  }
  return absl::OkStatus();
}

absl::Status RemoveFiles(const Workload& workload, int directory_fd) {
  const bool renames = Renames(workload);
  for (uint32_t index = 0; index < workload.files.size(); ++index) {
    const std::string& name = workload.files[index].name;
    if (unlinkat(directory_fd, name.c_str(), 0) != 0) return SystemError(absl::StrCat("unlink '", name, "'"));
    const std::string second = RenamedName(workload, index);
    if (renames && unlinkat(directory_fd, second.c_str(), 0) != 0) return SystemError(absl::StrCat("unlink '", second, "'"));
  }
  for (const char* name : kRenameDirectories) {
    if (renames && unlinkat(directory_fd, name, AT_REMOVEDIR) != 0) return SystemError(absl::StrCat("rmdir '", name, "'"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<ProcessFiles>> ProcessFiles::Open(const Workload& workload, int directory_fd) {
  std::unique_ptr<ProcessFiles> files(new ProcessFiles(workload, directory_fd, BytesMax(workload)));
  for (const WorkloadFile& wanted : workload.files) {
    files->files_.push_back({.name = wanted.name, .mapped = wanted.mapped});
    if (!wanted.mapped) continue;
    File& file = files->files_.back();
    file.fd = openat(directory_fd, wanted.name.c_str(), O_RDWR | O_CLOEXEC);
    if (file.fd < 0) return SystemError(absl::StrCat("open '", wanted.name, "'"));
    file.direct_fd = openat(directory_fd, wanted.name.c_str(), O_RDWR | O_DIRECT | O_CLOEXEC);
    void* mapping = mmap(nullptr, files->bytes_max_, PROT_READ | PROT_WRITE, MAP_SHARED, file.fd, 0);
    if (mapping == MAP_FAILED) return SystemError(absl::StrCat("mmap '", wanted.name, "'"));
    file.mapping = static_cast<unsigned char*>(mapping);
  }
  handled_files.store(files.get(), std::memory_order_relaxed);
  InstallHandlers();
  return files;
}

ProcessFiles::~ProcessFiles() {
  const ProcessFiles* self = this;
  handled_files.compare_exchange_strong(self, nullptr);
  for (const File& file : files_) {
    if (file.mapping != nullptr) munmap(file.mapping, bytes_max_);
    if (file.direct_fd >= 0) close(file.direct_fd);
    if (file.fd >= 0) close(file.fd);
  }
}

// The kernel takes the old mapping out and puts the new one in under one hold of mmap_lock: nobody finds a gap.
int ProcessFiles::Remap(uint32_t index) const {
  const File& file = files_[index];
  void* mapping = mmap(file.mapping, bytes_max_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file.fd, 0);
  return mapping == MAP_FAILED ? errno : 0;
}

bool ProcessFiles::HasAddress(const void* address) const {
  const auto* at = static_cast<const unsigned char*>(address);
  return std::any_of(files_.begin(), files_.end(), [&](const File& file) {
    return file.mapping != nullptr && at >= file.mapping && at < file.mapping + bytes_max_;
  });
}

OpenedFile::OpenedFile(const ProcessFiles& files, uint32_t file, bool direct) {
  const ProcessFiles::File& known = files.file(file);
  if (known.mapped) {
    fd_ = direct ? known.direct_fd : known.fd;
    error_ = fd_ < 0 ? EOPNOTSUPP : 0;
    return;
  }
  fd_ = openat(files.directory_fd(), known.name.c_str(), O_RDWR | O_CLOEXEC | (direct ? O_DIRECT : 0));
  own_ = fd_ >= 0;
  error_ = fd_ >= 0 ? 0 : (direct && errno == EINVAL ? EOPNOTSUPP : errno);
}

OpenedFile::~OpenedFile() {
  if (own_) close(fd_);
}

}  // namespace ordeal::bpf
