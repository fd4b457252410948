#include "bpf/memory_group.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "lockdep/support/status_macros.h"

namespace ordeal::bpf {
namespace {

constexpr int kRemoveAttempts = 500;
constexpr int kRemovePollUs = 10000;  // a dying process leaves its group late

struct Hierarchy {
  std::string directory;  // where it is mounted
  const char* reclaim_file = "";
  const char* amount = "";
};

// "opt1,opt2" holds the word.
bool HasOption(const std::string& options, const std::string& wanted) {
  std::istringstream words(options);
  for (std::string word; std::getline(words, word, ',');) {
    if (word == wanted) return true;
  }
  return false;
}

bool HasWord(const std::string& path, const std::string& wanted) {
  std::ifstream file(path);
  for (std::string word; file >> word;) {
    if (word == wanted) return true;
  }
  return false;
}

absl::StatusOr<Hierarchy> FindHierarchy() {
  std::ifstream mounts("/proc/self/mounts");
  std::string device;
  std::string directory;
  std::string type;
  std::string options;
  std::string rest;
  while (mounts >> device >> directory >> type >> options && std::getline(mounts, rest)) {
    if (type == "cgroup" && HasOption(options, "memory")) return Hierarchy{directory, "memory.force_empty", "0"};
    // The group is a child of the root, which must hand the controller down; switching that on is not for us to do.
    if (type == "cgroup2" && HasWord(directory + "/cgroup.subtree_control", "memory")) {
      return Hierarchy{directory, "memory.reclaim", "64M"};
    }
  }
  return absl::UnavailableError("no cgroup hierarchy has a memory controller for its children");
}

absl::Status RemoveGroup(const std::string& path) {
  for (int attempt = 0; rmdir(path.c_str()) != 0; ++attempt) {
    if (errno == ENOENT) break;
    if (errno != EBUSY || attempt >= kRemoveAttempts) {
      return absl::UnavailableError(absl::StrCat("cannot remove memory group ", path, ": ", strerror(errno)));
    }
    usleep(kRemovePollUs);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<MemoryGroup>> MemoryGroup::Make() {
  ASSIGN_OR_RETURN(const Hierarchy hierarchy, FindHierarchy());
  std::unique_ptr<MemoryGroup> group(new MemoryGroup());
  const std::string path = absl::StrFormat("%s/ordeal-%d", hierarchy.directory, getpid());
  if (mkdir(path.c_str(), 0700) != 0) {
    return absl::UnavailableError(absl::StrCat("cannot make memory group ", path, ": ", strerror(errno)));
  }
  absl::StatusOr<std::unique_ptr<Janitor>> janitor = Janitor::Start([path] { return RemoveGroup(path); });
  if (!janitor.ok()) {
    rmdir(path.c_str());
    return janitor.status();
  }
  group->path_ = path;
  group->janitor_ = *std::move(janitor);
  group->amount_ = hierarchy.amount;
  group->reclaim_fd_ = open(absl::StrCat(path, "/", hierarchy.reclaim_file).c_str(), O_WRONLY | O_CLOEXEC);
  if (group->reclaim_fd_ >= 0) return group;
  return absl::UnavailableError(absl::StrCat("this kernel's memory groups have no ", hierarchy.reclaim_file));
}

absl::Status MemoryGroup::Add(pid_t process) {
  const int fd = open((path_ + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC);
  const std::string text = absl::StrCat(process);
  const bool added = fd >= 0 && write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const int error = errno;
  if (fd >= 0) close(fd);
  if (added || error == ESRCH) return absl::OkStatus();  // it has ended already: the runner will say so
  return absl::UnavailableError(absl::StrCat("cannot put a process into memory group ", path_, ": ", strerror(error)));
}

int MemoryGroup::Reclaim() const {
  if (pwrite(reclaim_fd_, amount_, strlen(amount_), 0) >= 0) return 0;
  return errno == EAGAIN ? 0 : errno;  // EAGAIN: less than asked for could be reclaimed
}

absl::Status MemoryGroup::Remove() {
  if (reclaim_fd_ >= 0) close(reclaim_fd_);
  reclaim_fd_ = -1;
  return janitor_ != nullptr ? janitor_->CleanUp() : absl::OkStatus();
}

MemoryGroup::~MemoryGroup() { static_cast<void>(Remove()); }

}  // namespace ordeal::bpf
