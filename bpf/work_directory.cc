#include "bpf/work_directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "lockdep/support/status_macros.h"

namespace ordeal::bpf {
namespace {

constexpr int kNameAttempts = 100;

absl::Status SystemError(const std::string& what) {
  return absl::UnavailableError(absl::StrCat(what, ": ", strerror(errno)));
}

// The names in an open directory, which it closes.
std::vector<std::string> NamesIn(int fd) {
  std::vector<std::string> names;
  DIR* directory = fdopendir(fd);
  if (directory == nullptr) {
    close(fd);
    return names;
  }
  while (const dirent* entry = readdir(directory)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  closedir(directory);
  return names;
}

absl::Status RemoveTreeOn(int parent_fd, const std::string& name, dev_t device) {
  struct stat found;
  if (fstatat(parent_fd, name.c_str(), &found, AT_SYMLINK_NOFOLLOW) != 0) {
    return errno == ENOENT ? absl::OkStatus() : SystemError(absl::StrCat("stat '", name, "'"));
  }
  if (!S_ISDIR(found.st_mode)) {
    return unlinkat(parent_fd, name.c_str(), 0) == 0 ? absl::OkStatus() : SystemError(absl::StrCat("unlink '", name, "'"));
  }
  if (found.st_dev != device) return absl::UnavailableError(absl::StrCat("something is mounted on '", name, "'"));
  const int fd = openat(parent_fd, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return SystemError(absl::StrCat("open '", name, "'"));
  absl::Status status = absl::OkStatus();
  for (const std::string& entry : NamesIn(dup(fd))) status.Update(RemoveTreeOn(fd, entry, device));
  close(fd);
  if (status.ok() && unlinkat(parent_fd, name.c_str(), AT_REMOVEDIR) != 0) {
    status = SystemError(absl::StrCat("rmdir '", name, "'"));
  }
  return status;
}

}  // namespace

std::string FileSystemOf(int fd) {
  static constexpr struct {
    uint64_t type;
    const char* name;
  } kTypes[] = {{0x58465342, "xfs"},   {0xef53, "ext4"},      {0x9123683e, "btrfs"},      {0x01161970, "gfs2"},
                {0x7461636f, "ocfs2"}, {0xf2f52010, "f2fs"},  {0xca451a4e, "bcachefs"},   {0x01021994, "tmpfs"},
                {0x6969, "nfs"},       {0x65735546, "fuse"},  {0x794c7630, "overlay"}};
  struct statfs status;
  if (fstatfs(fd, &status) != 0) return "unknown";
  const uint64_t type = static_cast<uint32_t>(status.f_type);
  for (const auto& known : kTypes) {
    if (known.type == type) return known.name;
  }
  return absl::StrFormat("type 0x%x", type);
}

absl::Status RemoveTree(int parent_fd, const std::string& name) {
  struct stat found;
  if (fstatat(parent_fd, name.c_str(), &found, AT_SYMLINK_NOFOLLOW) != 0) {
    return errno == ENOENT ? absl::OkStatus() : SystemError(absl::StrCat("stat '", name, "'"));
  }
  return RemoveTreeOn(parent_fd, name, found.st_dev);
}

absl::StatusOr<std::unique_ptr<WorkDirectory>> WorkDirectory::MakeScratch(const ScratchOptions& options) {
  std::unique_ptr<WorkDirectory> directory(new WorkDirectory());
  ASSIGN_OR_RETURN(directory->scratch_, ScratchFileSystem::Make(options));
  directory->file_system_ = options.file_system;
  directory->fd_ = directory->scratch_->directory_fd();
  directory->device_ = directory->scratch_->device();
  // A frozen file system survives its last mount: somebody must thaw it, whoever is killed.
  const int fd = directory->fd_;
  ASSIGN_OR_RETURN(directory->janitor_, Janitor::Start([fd] {
                     ioctl(fd, FITHAW, 0);
                     return absl::OkStatus();
                   }));
  return directory;
}

absl::StatusOr<std::unique_ptr<WorkDirectory>> WorkDirectory::MakeIn(const std::string& parent) {
  const int parent_fd = open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (parent_fd < 0) return absl::InvalidArgumentError(absl::StrCat("cannot open directory '", parent, "': ", strerror(errno)));
  std::string name;
  const auto stem = std::chrono::steady_clock::now().time_since_epoch().count();
  int made = -1;
  for (int attempt = 0; attempt < kNameAttempts && made != 0; ++attempt) {
    name = absl::StrFormat("ordeal-%d-%x", getpid(), static_cast<uint64_t>(stem) + static_cast<uint64_t>(attempt));
    made = mkdirat(parent_fd, name.c_str(), 0700);
    if (made != 0 && errno != EEXIST) break;
  }
  if (made != 0) {
    const absl::Status status = SystemError(absl::StrCat("cannot make a directory in '", parent, "'"));
    close(parent_fd);
    return status;
  }
  std::unique_ptr<WorkDirectory> directory(new WorkDirectory());
  absl::StatusOr<std::unique_ptr<Janitor>> janitor =
      Janitor::Start([parent_fd, name] { return RemoveTree(parent_fd, name); });
  if (!janitor.ok()) {
    unlinkat(parent_fd, name.c_str(), AT_REMOVEDIR);
    close(parent_fd);
    return janitor.status();
  }
  directory->janitor_ = *std::move(janitor);
  directory->fd_ = openat(parent_fd, name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  close(parent_fd);
  struct stat found;
  if (directory->fd_ < 0 || fstat(directory->fd_, &found) != 0) return SystemError("cannot open the new directory");
  directory->device_ = found.st_dev;
  directory->file_system_ = FileSystemOf(directory->fd_);
  return directory;
}

void WorkDirectory::Thaw() {
  if (scratch() && fd_ >= 0) ioctl(fd_, FITHAW, 0);
}

absl::Status WorkDirectory::Remove() {
  if (fd_ >= 0 && !scratch()) close(fd_);
  fd_ = -1;
  // First the janitor, which has the scratch file system open too.
  absl::Status status = janitor_ != nullptr ? janitor_->CleanUp() : absl::OkStatus();
  if (scratch()) status.Update(scratch_->Remove());
  return status;
}

void WorkDirectory::Abandon() {
  if (!scratch() && fd_ >= 0) close(fd_);
  fd_ = -1;
  janitor_->LetGo();
  janitor_ = nullptr;
  if (scratch()) scratch_->Abandon();
}

WorkDirectory::~WorkDirectory() { static_cast<void>(Remove()); }

}  // namespace ordeal::bpf
