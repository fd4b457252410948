#include "bpf/operation_executor.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "absl/strings/str_cat.h"
#include "bpf/run_statistics.h"

namespace ordeal::bpf {
namespace {

constexpr uint64_t kPageBytes = uint64_t{kPageCells} * kCellBytes;

uint64_t Bytes(uint32_t cells) { return uint64_t{cells} * kCellBytes; }
uint64_t PagesUp(uint64_t bytes) { return (bytes + kPageBytes - 1) / kPageBytes * kPageBytes; }

absl::Status SystemError(const std::string& what) {
  return absl::InternalError(absl::StrCat(what, ": ", strerror(errno)));
}

int Result(long long returned) { return returned < 0 ? errno : 0; }

// The furthest byte of any file or buffer that the workload names.
uint64_t BytesMax(const Workload& workload) {
  uint64_t most = kPageBytes;
  for (const WorkloadFile& file : workload.files) most = std::max(most, Bytes(file.size_cells));
  for (const std::vector<FileOperation>& task : workload.tasks) {
    for (const FileOperation& operation : task) {
      most = std::max(most, Bytes(operation.offset_cells) + Bytes(operation.length_cells));
      most = std::max(most, Bytes(operation.buffer_offset_cells) + Bytes(operation.length_cells));
    }
  }
  return PagesUp(most);
}

// Volatile: the handler reads it in the middle of plain loads and stores.
thread_local sigjmp_buf* volatile bus_error_target = nullptr;

void OnBusError(int signal_number) {
  if (bus_error_target != nullptr) siglongjmp(*bus_error_target, 1);
  signal(signal_number, SIG_DFL);  // not ours: die of it at the next attempt
}

// Runs `access`, which touches mappings; kBusError if one of them had no page there.
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

absl::Status WriteInitialContents(int fd, uint64_t bytes, unsigned char stamp) {
  const std::vector<unsigned char> page(kPageBytes, stamp);
  for (uint64_t at = 0; at < bytes;) {
    const ssize_t n = pwrite(fd, page.data(), std::min<uint64_t>(kPageBytes, bytes - at), static_cast<off_t>(at));
    if (n < 0 && errno != EINTR) return SystemError("pwrite");
    if (n > 0) at += static_cast<uint64_t>(n);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status PrepareFiles(const Workload& workload, int directory_fd) {
  unsigned char stamp = 'a';  // files differ, so that dedupe compares and declines
  for (const WorkloadFile& file : workload.files) {
    const int fd = openat(directory_fd, file.name.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) return SystemError(absl::StrCat("cannot make file '", file.name, "'"));
    const absl::Status status = WriteInitialContents(fd, Bytes(file.size_cells), stamp++);
    close(fd);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status RemoveFiles(const Workload& workload, int directory_fd) {
  for (const WorkloadFile& file : workload.files) {
    if (unlinkat(directory_fd, file.name.c_str(), 0) != 0) return SystemError(absl::StrCat("unlink '", file.name, "'"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<ProcessFiles>> ProcessFiles::Open(const Workload& workload, int directory_fd) {
  struct sigaction action = {};
  action.sa_handler = OnBusError;
  action.sa_flags = SA_NODEFER;  // the handler leaves by a jump that restores no mask
  sigaction(SIGBUS, &action, nullptr);
  std::unique_ptr<ProcessFiles> files(new ProcessFiles(directory_fd, BytesMax(workload)));
  for (const WorkloadFile& wanted : workload.files) {
    files->files_.push_back({.name = wanted.name});
    File& file = files->files_.back();
    file.fd = openat(directory_fd, wanted.name.c_str(), O_RDWR | O_CLOEXEC);
    if (file.fd < 0) return SystemError(absl::StrCat("open '", wanted.name, "'"));
    file.direct_fd = openat(directory_fd, wanted.name.c_str(), O_RDWR | O_DIRECT | O_CLOEXEC);
    void* mapping = mmap(nullptr, files->bytes_max_, PROT_READ | PROT_WRITE, MAP_SHARED, file.fd, 0);
    if (mapping == MAP_FAILED) return SystemError(absl::StrCat("mmap '", wanted.name, "'"));
    file.mapping = static_cast<unsigned char*>(mapping);
  }
  return files;
}

ProcessFiles::~ProcessFiles() {
  for (const File& file : files_) {
    if (file.mapping != nullptr) munmap(file.mapping, bytes_max_);
    if (file.direct_fd >= 0) close(file.direct_fd);
    if (file.fd >= 0) close(file.fd);
  }
}

TaskExecutor::TaskExecutor(const ProcessFiles& files, uint32_t task)
    : files_(files), task_(task), stamp_(static_cast<uint8_t>(0x80 + task * 16)) {
  void* memory = mmap(nullptr, files.bytes_max(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  buffer_ = memory == MAP_FAILED ? nullptr : static_cast<unsigned char*>(memory);
}

TaskExecutor::~TaskExecutor() {
  if (buffer_ != nullptr) munmap(buffer_, files_.bytes_max());
}

int TaskExecutor::Transfer(const FileOperation& operation) {
  const ProcessFiles::File& file = files_.file(operation.file);
  const bool direct = IsDirect(operation.kind);
  const bool write = IsWriteCall(operation.kind);
  if (direct && file.direct_fd < 0) return EOPNOTSUPP;
  if (buffer_ == nullptr) return ENOMEM;
  const bool anonymous = operation.buffer_file == kAnonymousBuffer;
  unsigned char* base = anonymous ? buffer_ : files_.file(operation.buffer_file).mapping;
  unsigned char* buffer = base + Bytes(operation.buffer_offset_cells);
  const size_t length = Bytes(operation.length_cells);
  const off_t offset = static_cast<off_t>(Bytes(operation.offset_cells));
  if (write && anonymous) memset(buffer, ++stamp_, length);
  const int fd = direct ? file.direct_fd : file.fd;
  if (IsAsync(operation.kind)) return ENOSYS;  // io_submit is not driven here
  const bool append = IsAppend(operation.kind);
  if (append || operation.kind == FileOperationKind::kSyncWrite) {
    const iovec vector{buffer, length};
    return Result(pwritev2(fd, &vector, 1, offset, append ? RWF_APPEND : RWF_DSYNC));
  }
  return Result(write ? pwrite(fd, buffer, length, offset) : pread(fd, buffer, length, offset));
}

int TaskExecutor::Load(const FileOperation& operation) {
  const volatile unsigned char* at = files_.file(operation.file).mapping + Bytes(operation.offset_cells);
  return WithBusErrors([&] {
    for (uint64_t byte = 0; byte < Bytes(operation.length_cells); byte += kCellBytes) static_cast<void>(at[byte]);
  });
}

int TaskExecutor::Store(const FileOperation& operation) {
  volatile unsigned char* at = files_.file(operation.file).mapping + Bytes(operation.offset_cells);
  const uint8_t stamp = ++stamp_;
  return WithBusErrors([&] {
    for (uint64_t byte = 0; byte < Bytes(operation.length_cells); byte += sizeof(stamp) * 64) at[byte] = stamp;
  });
}

// A writer of mmap_lock beside the faults of the other tasks.
int TaskExecutor::MapUnmap() {
  void* memory = mmap(nullptr, 4 * kPageBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return errno;
  *static_cast<volatile unsigned char*>(memory) = 1;
  return Result(munmap(memory, 4 * kPageBytes));
}

int TaskExecutor::Dedupe(const FileOperation& operation) {
  alignas(file_dedupe_range) unsigned char memory[sizeof(file_dedupe_range) + sizeof(file_dedupe_range_info)] = {};
  auto* range = reinterpret_cast<file_dedupe_range*>(memory);
  range->src_offset = Bytes(operation.offset_cells);
  range->src_length = Bytes(operation.length_cells);
  range->dest_count = 1;
  range->info[0].dest_fd = files_.file(operation.other_file).fd;
  range->info[0].dest_offset = Bytes(operation.offset_cells);
  const int error = Result(ioctl(files_.file(operation.file).fd, FIDEDUPERANGE, range));
  if (error != 0) return error;
  return range->info[0].status < 0 ? -range->info[0].status : 0;  // "they differ" is success
}

int TaskExecutor::Link(const FileOperation& operation) {
  const std::string& name = files_.file(operation.file).name;
  const std::string second = absl::StrCat(name, ".", getpid(), ".", task_);
  const int directory = files_.directory_fd();
  const int error = Result(linkat(directory, name.c_str(), directory, second.c_str(), 0));
  const int removed = Result(unlinkat(directory, second.c_str(), 0));
  return error != 0 ? error : removed;
}

int TaskExecutor::Execute(const FileOperation& operation) {
  const ProcessFiles::File& file = files_.file(operation.file);
  const off_t offset = static_cast<off_t>(Bytes(operation.offset_cells));
  const off_t length = static_cast<off_t>(Bytes(operation.length_cells));
  switch (operation.kind) {
    case FileOperationKind::kRead:
    case FileOperationKind::kWrite:
    case FileOperationKind::kAsyncDirectRead:
    case FileOperationKind::kAsyncDirectWrite:
    case FileOperationKind::kAsyncSyncWrite:
    case FileOperationKind::kAppend:
    case FileOperationKind::kSyncWrite:
    case FileOperationKind::kDirectRead:
    case FileOperationKind::kDirectWrite:
    case FileOperationKind::kDirectAppend:
      return Transfer(operation);
    case FileOperationKind::kLoad: return Load(operation);
    case FileOperationKind::kStore: return Store(operation);
    case FileOperationKind::kTruncate: return Result(ftruncate(file.fd, offset));
    case FileOperationKind::kPunchHole:
      return Result(fallocate(file.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length));
    case FileOperationKind::kZeroRange: return Result(fallocate(file.fd, FALLOC_FL_ZERO_RANGE, offset, length));
    case FileOperationKind::kCollapseRange: return Result(fallocate(file.fd, FALLOC_FL_COLLAPSE_RANGE, offset, length));
    case FileOperationKind::kInsertRange: return Result(fallocate(file.fd, FALLOC_FL_INSERT_RANGE, offset, length));
    case FileOperationKind::kAllocate: return Result(fallocate(file.fd, 0, offset, length));
    case FileOperationKind::kClone: {
      file_clone_range range = {};
      range.src_fd = file.fd;
      range.src_offset = static_cast<uint64_t>(offset);
      range.src_length = static_cast<uint64_t>(length);
      range.dest_offset = static_cast<uint64_t>(offset);
      return Result(ioctl(files_.file(operation.other_file).fd, FICLONERANGE, &range));
    }
    case FileOperationKind::kUnshare: return Result(fallocate(file.fd, FALLOC_FL_UNSHARE_RANGE, offset, length));
    case FileOperationKind::kMsync: return Result(msync(file.mapping, files_.bytes_max(), MS_SYNC));
    case FileOperationKind::kSyncFs: return Result(syncfs(file.fd));
    // Not driven here: they would take the mappings from the other tasks of the process, or the machine from everybody.
    case FileOperationKind::kRemap:
    case FileOperationKind::kProtect:
    case FileOperationKind::kFork:
    case FileOperationKind::kReaddir:
    case FileOperationKind::kReplace:
    case FileOperationKind::kShrinkInodes:
    case FileOperationKind::kFreeze: return ENOSYS;
    case FileOperationKind::kFadviseWillNeed: return posix_fadvise(file.fd, offset, length, POSIX_FADV_WILLNEED);
    case FileOperationKind::kMadviseWillNeed: {
      // madvise wants whole pages.
      const uint64_t start = static_cast<uint64_t>(offset) / kPageBytes * kPageBytes;
      const uint64_t end = PagesUp(static_cast<uint64_t>(offset + length));
      return Result(madvise(file.mapping + start, end - start, MADV_WILLNEED));
    }
    case FileOperationKind::kFsync: return Result(fsync(file.fd));
    case FileOperationKind::kDropCaches: return posix_fadvise(file.fd, 0, 0, POSIX_FADV_DONTNEED);
    case FileOperationKind::kMapUnmap: return MapUnmap();
    case FileOperationKind::kDedupe: return Dedupe(operation);
    case FileOperationKind::kLink: return Link(operation);
    case FileOperationKind::kRename: {  // both are in one directory here
      const std::string& other = files_.file(operation.other_file).name;
      const int directory = files_.directory_fd();
      return Result(renameat2(directory, file.name.c_str(), directory, other.c_str(), RENAME_EXCHANGE));
    }
  }
  return ENOSYS;
}

}  // namespace ordeal::bpf
