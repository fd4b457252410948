#include "bpf/scratch_file_system.h"

#include <fcntl.h>
#include <linux/loop.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bpf/program.h"
#include "lockdep/support/status_macros.h"

namespace ordeal::bpf {
namespace {

constexpr int kLoopAttempts = 50;   // another process may take the free device first
constexpr int kDetachMs = 10000;    // the kernel clears a loop device soon after its last user is gone
constexpr int kDetachPollMs = 5;

absl::Status SystemError(const std::string& what) {
  return absl::UnavailableError(absl::StrCat(what, ": ", strerror(errno)));
}

void Close(int* fd) {
  if (*fd >= 0) close(*fd);
  *fd = -1;
}

// How each file system is made: quietly, on a device that looks used, with 4 KiB blocks.
struct MkfsProgram {
  const char* file_system;
  const char* package;
  std::vector<std::string> options;
};
const MkfsProgram* MkfsOf(const std::string& file_system) {
  static const std::vector<MkfsProgram> kPrograms = {
      {"xfs", "xfsprogs", {"-q", "-f"}},
      {"ext4", "e2fsprogs", {"-q", "-F", "-b", "4096"}},
      {"btrfs", "btrfs-progs", {"-q", "-f"}},
      {"gfs2", "gfs2-utils", {"-O", "-q", "-p", "lock_nolock", "-j", "1"}},
      {"ocfs2", "ocfs2-tools", {"-q", "-M", "local", "-b", "4096", "-F"}},
  };
  for (const MkfsProgram& program : kPrograms) {
    if (file_system == program.file_system) return &program;
  }
  return nullptr;
}

std::string FindMkfs(const std::string& file_system) { return FindProgram(absl::StrCat("mkfs.", file_system)); }

bool KernelKnows(const std::string& file_system) {
  std::ifstream list("/proc/filesystems");
  std::string word;
  while (list >> word) {
    if (word == file_system) return true;
  }
  return false;
}

// What a loop device is attached to ("/tmp/#123 (deleted)"); empty if to nothing. Names the image, so that the next user
// of the device is not taken for us.
std::string BackingFile(const std::string& loop_device) {
  const std::string name = loop_device.substr(loop_device.rfind('/') + 1);
  std::ifstream file(absl::StrCat("/sys/block/", name, "/loop/backing_file"));
  std::string line;
  std::getline(file, line);
  return line;
}

}  // namespace

absl::Status CheckScratchFileSystem(const std::string& file_system) {
  const MkfsProgram* program = MkfsOf(file_system);
  if (program == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat("no scratch file system of type '", file_system,
                                                   "'; use xfs, ext4, btrfs, gfs2 or ocfs2"));
  }
  if (geteuid() != 0) return absl::UnavailableError("needs root (to mount and to load eBPF programs); run it with sudo");
  if (!KernelKnows(file_system) && access("/sbin/modprobe", X_OK) != 0) {
    return absl::UnavailableError(absl::StrCat("this kernel has no ", file_system));
  }
  if (FindMkfs(file_system).empty()) {
    return absl::UnavailableError(
        absl::StrCat("mkfs.", file_system, " is not installed; apt-get install ", program->package));
  }
  if (access("/dev/loop-control", R_OK | W_OK) != 0) {
    return absl::UnavailableError("/dev/loop-control cannot be opened; load the module `loop`, or run outside a container");
  }
  return absl::OkStatus();
}

absl::Status ScratchFileSystem::MakeImage(const ScratchOptions& options) {
  std::string directory = options.image_directory;
  const char* tmpdir = getenv("TMPDIR");
  if (directory.empty()) directory = tmpdir != nullptr && *tmpdir != '\0' ? tmpdir : "/tmp";
  image_fd_ = open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (image_fd_ < 0) {
    // A file system without O_TMPFILE: the name lives for two system calls.
    std::string name = directory + "/ordeal.XXXXXX";
    image_fd_ = mkostemp(name.data(), O_CLOEXEC);
    if (image_fd_ < 0) return SystemError(absl::StrCat("cannot make an image in ", directory));
    unlink(name.c_str());
  }
  if (ftruncate(image_fd_, static_cast<off_t>(options.bytes)) != 0) return SystemError("cannot size the image");
  return absl::OkStatus();
}

absl::Status ScratchFileSystem::AttachLoop() {
  int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
  if (control < 0) return SystemError("cannot open /dev/loop-control");
  absl::Status status = absl::UnavailableError("no free loop device");
  for (int attempt = 0; attempt < kLoopAttempts && loop_fd_ < 0; ++attempt) {
    const int number = ioctl(control, LOOP_CTL_GET_FREE);
    if (number < 0) {
      status = SystemError("no free loop device");
      break;
    }
    loop_device_ = absl::StrCat("/dev/loop", number);
    loop_fd_ = open(loop_device_.c_str(), O_RDWR | O_CLOEXEC);
    if (loop_fd_ < 0) {
      status = SystemError(absl::StrCat("cannot open ", loop_device_));
      break;
    }
    loop_config config = {};
    config.fd = static_cast<__u32>(image_fd_);
    config.info.lo_flags = LO_FLAGS_AUTOCLEAR;
    if (ioctl(loop_fd_, LOOP_CONFIGURE, &config) == 0) break;
    const bool taken = errno == EBUSY;
    status = SystemError(absl::StrCat("cannot configure ", loop_device_));
    Close(&loop_fd_);
    if (!taken) break;
  }
  Close(&control);
  return loop_fd_ >= 0 ? absl::OkStatus() : status;
}

absl::Status ScratchFileSystem::Mount(const std::string& file_system) {
  if (unshare(CLONE_NEWNS) != 0) return SystemError("cannot make a private mount namespace");
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return SystemError("cannot make mounts private");
  // Any directory will do: it is covered for this process alone.
  struct stat found;
  const char* mount_point = stat("/mnt", &found) == 0 && S_ISDIR(found.st_mode) ? "/mnt" : "/tmp";
  if (mount(loop_device_.c_str(), mount_point, file_system.c_str(), MS_NOSUID | MS_NODEV, nullptr) != 0) {
    return SystemError(absl::StrCat("cannot mount ", file_system, " from ", loop_device_));
  }
  mount_point_ = mount_point;
  directory_fd_ = open(mount_point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory_fd_ < 0 || fstat(directory_fd_, &found) != 0) return SystemError("cannot open the mounted directory");
  device_ = found.st_dev;
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<ScratchFileSystem>> ScratchFileSystem::Make(const ScratchOptions& options) {
  RETURN_IF_ERROR(CheckScratchFileSystem(options.file_system));
  std::unique_ptr<ScratchFileSystem> scratch(new ScratchFileSystem());
  RETURN_IF_ERROR(scratch->MakeImage(options));
  RETURN_IF_ERROR(scratch->AttachLoop());
  std::vector<std::string> words = {FindMkfs(options.file_system)};
  const std::vector<std::string>& mkfs_options = MkfsOf(options.file_system)->options;
  words.insert(words.end(), mkfs_options.begin(), mkfs_options.end());
  words.push_back(scratch->loop_device_);
  RETURN_IF_ERROR(RunProgram(words).status());
  RETURN_IF_ERROR(scratch->Mount(options.file_system));
  return scratch;
}

absl::Status ScratchFileSystem::Remove() {
  absl::Status status = absl::OkStatus();
  Close(&directory_fd_);
  if (!mount_point_.empty() && umount2(mount_point_.c_str(), 0) != 0) {
    status = SystemError(absl::StrCat("cannot unmount ", mount_point_));
    umount2(mount_point_.c_str(), MNT_DETACH);
  }
  mount_point_.clear();
  const bool attached = loop_fd_ >= 0;
  const std::string backing_file = attached ? BackingFile(loop_device_) : "";
  Close(&loop_fd_);
  Close(&image_fd_);
  if (backing_file.empty() || !status.ok()) return status;
  for (int waited = 0; waited < kDetachMs; waited += kDetachPollMs) {
    if (BackingFile(loop_device_) != backing_file) return absl::OkStatus();
    poll(nullptr, 0, kDetachPollMs);
  }
  return absl::UnavailableError(absl::StrCat(loop_device_, " is still attached; `losetup -d ", loop_device_, "` frees it"));
}

void ScratchFileSystem::Abandon() {
  Close(&directory_fd_);
  if (!mount_point_.empty()) umount2(mount_point_.c_str(), MNT_DETACH);
  mount_point_.clear();
  Close(&loop_fd_);
  Close(&image_fd_);
}

ScratchFileSystem::~ScratchFileSystem() { static_cast<void>(Remove()); }

}  // namespace ordeal::bpf
