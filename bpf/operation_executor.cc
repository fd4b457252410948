#include "bpf/operation_executor.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "absl/strings/str_cat.h"

namespace ordeal::bpf {
namespace {

OperationResult Returned(long long returned) { return {.error = returned < 0 ? errno : 0, .bytes = returned < 0 ? 0 : returned}; }
OperationResult Failed(int error) { return {.error = error, .bytes = 0}; }

off_t OffsetOf(const FileOperation& operation) { return static_cast<off_t>(CellsToBytes(operation.offset_cells)); }
off_t LengthOf(const FileOperation& operation) { return static_cast<off_t>(CellsToBytes(operation.length_cells)); }

// A writer of mmap_lock beside the faults of the other tasks.
OperationResult MapUnmap() {
  void* memory = mmap(nullptr, 4 * kPageBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return Failed(errno);
  *static_cast<volatile unsigned char*>(memory) = 1;
  return Returned(munmap(memory, 4 * kPageBytes));
}

OperationResult Dedupe(const FileOperation& operation, int fd, int other_fd) {
  alignas(file_dedupe_range) unsigned char memory[sizeof(file_dedupe_range) + sizeof(file_dedupe_range_info)] = {};
  auto* range = reinterpret_cast<file_dedupe_range*>(memory);
  range->src_offset = CellsToBytes(operation.offset_cells);
  range->src_length = CellsToBytes(operation.length_cells);
  range->dest_count = 1;
  range->info[0].dest_fd = other_fd;
  range->info[0].dest_offset = range->src_offset;
  const OperationResult result = Returned(ioctl(fd, FIDEDUPERANGE, range));
  if (result.error != 0) return result;
  return Failed(range->info[0].status < 0 ? -range->info[0].status : 0);  // "they differ" is success
}

OperationResult Clone(const FileOperation& operation, int fd, int other_fd) {
  file_clone_range range = {};
  range.src_fd = fd;
  range.src_offset = CellsToBytes(operation.offset_cells);
  range.src_length = CellsToBytes(operation.length_cells);
  range.dest_offset = range.src_offset;
  OperationResult result = Returned(ioctl(other_fd, FICLONERANGE, &range));
  if (result.error == 0) result.bytes = LengthOf(operation);
  return result;
}

// Runs `work` in a forked child, which shares the file mappings; its errno is the result. Without the C library's fork handlers:
// the child makes system calls alone.
template <typename Work>
OperationResult InChild(const Work& work) {
  const long pid = syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr);
  if (pid == 0) {
    syscall(SYS_exit_group, work());
    __builtin_unreachable();
  }
  if (pid < 0) return Failed(errno);
  int status = 0;
  while (waitpid(static_cast<pid_t>(pid), &status, 0) < 0 && errno == EINTR) {
  }
  return Failed(WIFEXITED(status) ? WEXITSTATUS(status) : EINTR);
}

}  // namespace

TaskExecutor::TaskExecutor(const ProcessFiles& files, const RunEnvironment& environment, uint32_t task,
                           const SlowMemory* slow, uint32_t slot)
    : files_(files), environment_(environment), code_(environment.salt), task_(task), slow_(slow), slow_slot_(slot),
      faults_(environment.make_it_fail) {
  void* memory = mmap(nullptr, files.bytes_max(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  buffer_ = memory == MAP_FAILED ? nullptr : static_cast<unsigned char*>(memory);
  if (buffer_ != nullptr) madvise(buffer_, files.bytes_max(), MADV_DONTFORK);
  environment_.log->Enter(task);
}

TaskExecutor::~TaskExecutor() {
  if (buffer_ != nullptr) munmap(buffer_, files_.bytes_max());
}

void TaskExecutor::Stamp(const FileOperation& operation, uint32_t id, unsigned char* data) {
  for (uint32_t i = 0; i < operation.length_cells; ++i) {
    Fill(data + CellsToBytes(i), code_.Word({.file = operation.file, .operation = id, .index = i}));
  }
}

void TaskExecutor::Observe(const FileOperation& operation, uint32_t id, const unsigned char* data, int64_t bytes) {
  const uint32_t cells = std::min(operation.length_cells, static_cast<uint32_t>(bytes / kCellBytes));
  for (uint32_t i = 0; i < cells; ++i) environment_.log->Observe(id, i, WordsOf(data + CellsToBytes(i)));
}

void TaskExecutor::Run(const FileOperation& operation, uint32_t id, bool slow_copy) {
  if (async_ != nullptr) Reap(AsyncIo::Wait::kNone);
  if (IsAsync(operation.kind)) return Submit(operation, id);
  environment_.log->Begin(task_, id);
  const OperationResult result = [&] {
    const FaultSwitch::Scope faults(faults_);
    return Perform(operation, id, slow_copy);
  }();
  environment_.log->End(id, result);
  environment_.log->Rest(task_);
  environment_.statistics->Count(operation.kind, result.error);
}

void TaskExecutor::Finish() {
  if (async_ != nullptr) Reap(AsyncIo::Wait::kAll);
}

void TaskExecutor::Submit(const FileOperation& operation, uint32_t id) {
  if (async_ == nullptr) async_ = std::make_unique<AsyncIo>(files_.bytes_max());
  AsyncIo::Slot* slot = async_->Free();
  while (slot == nullptr) {
    Reap(AsyncIo::Wait::kOne);
    slot = async_->Free();
  }
  const bool write = IsWriteCall(operation.kind);
  const bool anonymous = operation.buffer_file == kAnonymousBuffer;
  environment_.log->Begin(task_, id);
  int error = async_->error();
  const int fd = files_.file(operation.file).direct_fd;  // mapped: open as long as the process
  if (fd < 0) error = EOPNOTSUPP;
  if (error == 0) {
    unsigned char* data = anonymous ? slot->buffer
                                    : files_.file(operation.buffer_file).mapping + CellsToBytes(operation.buffer_offset_cells);
    if (anonymous && write) Stamp(operation, id, data);
    if (anonymous && !write) memset(data, kBlankWord & 0xff, CellsToBytes(operation.length_cells));
    slot->operation = &operation;
    slot->id = id;
    const FaultSwitch::Scope faults(faults_);
    error = async_->Submit(slot, fd, write, operation.kind == FileOperationKind::kAsyncSyncWrite, data,
                           CellsToBytes(operation.length_cells), CellsToBytes(operation.offset_cells));
  }
  if (error != 0) {
    environment_.log->End(id, Failed(error));
    environment_.statistics->Count(operation.kind, error);
  }
  environment_.log->Rest(task_);
}

void TaskExecutor::Reap(AsyncIo::Wait wait) {
  if (wait != AsyncIo::Wait::kNone) environment_.log->WaitFor(task_, async_->OldestId());
  async_->Reap(wait, [this](AsyncIo::Slot& slot, int64_t returned) {
    const FileOperation& operation = *slot.operation;
    const OperationResult result = {.error = returned < 0 ? static_cast<int>(-returned) : 0,
                                    .bytes = std::max<int64_t>(returned, 0)};
    environment_.log->End(slot.id, result);
    const bool sees = IsReadCall(operation.kind) && operation.buffer_file == kAnonymousBuffer;
    if (sees) Observe(operation, slot.id, slot.buffer, result.bytes);
    environment_.statistics->Count(operation.kind, result.error);
  });
  if (wait != AsyncIo::Wait::kNone) environment_.log->Rest(task_);
}

OperationResult TaskExecutor::Append(const FileOperation& operation, uint32_t id, const unsigned char* data) {
  // A descriptor of its own: its position tells where the data came to lie.
  const int direct = IsDirect(operation.kind) ? O_DIRECT : 0;
  const int fd =
      openat(files_.directory_fd(), files_.file(operation.file).name.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC | direct);
  if (fd < 0) return Failed(direct != 0 && errno == EINVAL ? EOPNOTSUPP : errno);
  const OperationResult result = Returned(write(fd, data, CellsToBytes(operation.length_cells)));
  environment_.log->SetOffset(id, lseek(fd, 0, SEEK_CUR) - result.bytes);
  close(fd);
  return result;
}

OperationResult TaskExecutor::Transfer(const FileOperation& operation, uint32_t id, bool slow_copy) {
  if (buffer_ == nullptr) return Failed(ENOMEM);
  const bool anonymous = operation.buffer_file == kAnonymousBuffer;
  const bool slow = anonymous && slow_copy && slow_ != nullptr;
  unsigned char* filled = slow ? slow_->source(slow_slot_) : buffer_;
  unsigned char* data = slow ? slow_->memory(slow_slot_) : buffer_;
  if (!anonymous) data = files_.file(operation.buffer_file).mapping + CellsToBytes(operation.buffer_offset_cells);
  const size_t length = CellsToBytes(operation.length_cells);
  const bool write = IsWriteCall(operation.kind);
  if (anonymous && write) Stamp(operation, id, filled);
  if (anonymous && !write) memset(filled, kBlankWord & 0xff, length);
  if (slow) {
    slow_->Arm(slow_slot_);
    environment_.statistics->CountSlowCopy();
  }
  if (IsAppend(operation.kind)) return Append(operation, id, data);
  const OpenedFile file(files_, operation.file, IsDirect(operation.kind));
  if (file.fd() < 0) return Failed(file.error());
  const off_t offset = OffsetOf(operation);
  if (operation.kind == FileOperationKind::kSyncWrite) {
    const iovec vector{data, length};
    return Returned(pwritev2(file.fd(), &vector, 1, offset, RWF_DSYNC));
  }
  if (write) return Returned(pwrite(file.fd(), data, length, offset));
  const OperationResult result = Returned(pread(file.fd(), data, length, offset));
  if (anonymous && result.error == 0) Observe(operation, id, data, result.bytes);
  return result;
}

OperationResult TaskExecutor::Load(const FileOperation& operation, uint32_t id) {
  const unsigned char* at = files_.file(operation.file).mapping + CellsToBytes(operation.offset_cells);
  volatile uint32_t cells = 0;
  const int error = WithBusErrors([&] {
    for (uint32_t i = 0; i < operation.length_cells; ++i) {
      environment_.log->Observe(id, i, WordsOf(at + CellsToBytes(i)));
      cells = i + 1;
    }
  });
  return {.error = cells > 0 ? 0 : error, .bytes = static_cast<int64_t>(CellsToBytes(cells))};
}

// A store that a truncate cut short may have left words in any of its cells: it fails as a whole.
OperationResult TaskExecutor::Store(const FileOperation& operation, uint32_t id) {
  unsigned char* at = files_.file(operation.file).mapping + CellsToBytes(operation.offset_cells);
  const int error = WithBusErrors([&] {
    for (uint32_t i = 0; i < operation.length_cells; ++i) {
      Fill(at + CellsToBytes(i), code_.Word({.file = operation.file, .operation = id, .index = i}));
    }
  });
  return {.error = error, .bytes = error != 0 ? 0 : LengthOf(operation)};
}

OperationResult TaskExecutor::Link(const FileOperation& operation) {
  const std::string& name = files_.file(operation.file).name;
  const std::string second = absl::StrCat(name, ".", task_);
  const int directory = files_.directory_fd();
  const OperationResult linked = Returned(linkat(directory, name.c_str(), directory, second.c_str(), 0));
  const OperationResult removed = Returned(unlinkat(directory, second.c_str(), 0));
  return linked.error != 0 ? linked : removed;
}

OperationResult TaskExecutor::MakeDirectory(const FileOperation& operation) {
  const std::string name = absl::StrCat(files_.file(operation.file).name, ".dir.", task_);
  const int directory = files_.directory_fd();
  const OperationResult made = Returned(mkdirat(directory, name.c_str(), 0700));
  const OperationResult removed = Returned(unlinkat(directory, name.c_str(), AT_REMOVEDIR));
  return made.error != 0 ? made : removed;
}

OperationResult TaskExecutor::Replace(const FileOperation& operation) {
  const std::string& name = files_.file(operation.file).name;
  const std::string fresh = absl::StrCat(name, ".new.", task_);
  const int directory = files_.directory_fd();
  const int old = openat(directory, name.c_str(), O_RDONLY | O_CLOEXEC);  // evicted when this is closed
  const int fd = openat(directory, fresh.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  OperationResult result = Failed(fd < 0 ? errno : 0);
  if (fd >= 0) {
    close(fd);
    result = Returned(renameat(directory, fresh.c_str(), directory, name.c_str()));
    if (result.error != 0) unlinkat(directory, fresh.c_str(), 0);
  }
  if (old >= 0) close(old);
  return result;
}

// Entries of a directory are no stamps: their words are unknown to whoever reads them (history_builder.h).
OperationResult TaskExecutor::Readdir(const FileOperation& operation) {
  const bool anonymous = operation.buffer_file == kAnonymousBuffer;
  if (buffer_ == nullptr) return Failed(ENOMEM);
  unsigned char* data =
      anonymous ? buffer_ : files_.file(operation.buffer_file).mapping + CellsToBytes(operation.buffer_offset_cells);
  const int parent = environment_.names_fd >= 0 ? environment_.names_fd : environment_.directory_fd;
  const int fd = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return Failed(errno);
  const OperationResult result = Returned(syscall(SYS_getdents64, fd, data, CellsToBytes(operation.length_cells)));
  close(fd);
  return result;
}

// In a child, whose address space is its own. A thread that froze would need mmap_lock on its way back to user space, where a
// task of its process that faults on a frozen page, and one that forks behind it, keep it from thawing: a deadlock that Linux
// leaves to the caller (docs/kernel.md).
OperationResult TaskExecutor::Freeze() {
  if (!environment_.may_freeze) return Failed(EPERM);
  const int fd = environment_.directory_fd;
  return InChild([fd] {
    if (ioctl(fd, FIFREEZE, 0) != 0) return errno;  // EBUSY: another task is at it
    return ioctl(fd, FITHAW, 0) != 0 ? errno : 0;
  });
}

OperationResult TaskExecutor::WithOther(const FileOperation& operation, int fd) {
  if (operation.kind == FileOperationKind::kRename) {
    const std::string name = RenamedName(files_.workload(), operation.file);
    const std::string other = RenamedName(files_.workload(), operation.other_file);
    const int directory = files_.directory_fd();
    return Returned(renameat2(directory, name.c_str(), directory, other.c_str(), RENAME_EXCHANGE));
  }
  const OpenedFile other(files_, operation.other_file, false);
  if (other.fd() < 0) return Failed(other.error());
  return operation.kind == FileOperationKind::kClone ? Clone(operation, fd, other.fd()) : Dedupe(operation, fd, other.fd());
}

OperationResult TaskExecutor::OnFile(const FileOperation& operation, int fd) {
  const off_t offset = OffsetOf(operation);
  const off_t length = LengthOf(operation);
  const ProcessFiles::File& file = files_.file(operation.file);
  switch (operation.kind) {
    case FileOperationKind::kTruncate: return Returned(ftruncate(fd, offset));
    case FileOperationKind::kPunchHole:
      return Returned(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length));
    case FileOperationKind::kZeroRange: return Returned(fallocate(fd, FALLOC_FL_ZERO_RANGE, offset, length));
    case FileOperationKind::kCollapseRange: return Returned(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, offset, length));
    case FileOperationKind::kInsertRange: return Returned(fallocate(fd, FALLOC_FL_INSERT_RANGE, offset, length));
    case FileOperationKind::kAllocate: return Returned(fallocate(fd, 0, offset, length));
    case FileOperationKind::kUnshare:
      return Returned(fallocate(fd, FALLOC_FL_UNSHARE_RANGE | FALLOC_FL_KEEP_SIZE, offset, length));
    case FileOperationKind::kFsync: return Returned(fsync(fd));
    case FileOperationKind::kSyncFs: return Returned(syncfs(fd));
    case FileOperationKind::kMsync: return Returned(msync(file.mapping, files_.bytes_max(), MS_SYNC));
    case FileOperationKind::kFadviseWillNeed: return Failed(posix_fadvise(fd, offset, length, POSIX_FADV_WILLNEED));
    case FileOperationKind::kMadviseWillNeed: {
      // madvise wants whole pages.
      const uint64_t start = static_cast<uint64_t>(offset) / kPageBytes * kPageBytes;
      const uint64_t end = PagesUp(static_cast<uint64_t>(offset + length));
      return Returned(madvise(file.mapping + start, end - start, MADV_WILLNEED));
    }
    case FileOperationKind::kDropCaches:
      if (file.mapped) madvise(file.mapping, files_.bytes_max(), MADV_PAGEOUT);
      return Failed(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
    case FileOperationKind::kRemap: return Failed(files_.Remap(operation.file));
    case FileOperationKind::kProtect: {
      const OperationResult closed = Returned(mprotect(file.mapping, files_.bytes_max(), PROT_READ));
      sched_yield();
      const OperationResult opened = Returned(mprotect(file.mapping, files_.bytes_max(), PROT_READ | PROT_WRITE));
      return closed.error != 0 ? closed : opened;
    }
    case FileOperationKind::kRename:
    case FileOperationKind::kClone:
    case FileOperationKind::kDedupe: return WithOther(operation, fd);
    default: return Failed(ENOSYS);
  }
}

OperationResult TaskExecutor::Perform(const FileOperation& operation, uint32_t id, bool slow_copy) {
  if (IsReadCall(operation.kind) || IsWriteCall(operation.kind)) return Transfer(operation, id, slow_copy);
  switch (operation.kind) {
    case FileOperationKind::kLoad: return Load(operation, id);
    case FileOperationKind::kStore: return Store(operation, id);
    case FileOperationKind::kMapUnmap: return MapUnmap();
    case FileOperationKind::kFork: return InChild([] { return 0; });
    case FileOperationKind::kLink: return Link(operation);
    case FileOperationKind::kMakeDirectory: return MakeDirectory(operation);
    case FileOperationKind::kReplace: return Replace(operation);
    case FileOperationKind::kReaddir: return Readdir(operation);
    case FileOperationKind::kFreeze: return Freeze();
    case FileOperationKind::kShrinkInodes:
      return Failed(environment_.memory_group != nullptr ? environment_.memory_group->Reclaim() : ENOSYS);
    default: break;
  }
  const OpenedFile file(files_, operation.file, false);
  return file.fd() < 0 ? Failed(file.error()) : OnFile(operation, file.fd());
}

}  // namespace ordeal::bpf
