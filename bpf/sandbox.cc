#include "bpf/sandbox.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <string>

#include "absl/strings/str_cat.h"
#include "bpf/lock_order_probe.h"
#include "bpf/operation_executor.h"
#include "bpf/work_directory.h"
#include "bpf/workload_runner.h"
#include "lockdep/support/status_macros.h"

namespace ordeal::bpf {
namespace {

using Clock = std::chrono::steady_clock;

volatile sig_atomic_t interrupted_by = 0;
void OnInterrupt(int number) { interrupted_by = number; }

// No SA_RESTART: waits end early and look at interrupted_by.
void HandleInterrupts() {
  struct sigaction action = {};
  action.sa_handler = OnInterrupt;
  sigset_t handled;
  sigemptyset(&handled);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    sigaction(number, &action, nullptr);
    sigaddset(&handled, number);
  }
  sigprocmask(SIG_UNBLOCK, &handled, nullptr);
}

absl::Status Interrupted() {
  return absl::CancelledError(absl::StrCat("interrupted by SIG", sigabbrev_np(interrupted_by)));
}

double SecondsSince(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// A directory of its own for each round. XFS locks a second inode by trylock, which orders nothing, once the first is in the
// journal's list of items to write back: only a directory that is new is certain to be locked by waiting.
class RoundDirectory {
 public:
  static absl::StatusOr<std::unique_ptr<RoundDirectory>> Make(int parent_fd, const std::string& name) {
    std::unique_ptr<RoundDirectory> directory(new RoundDirectory(parent_fd, name));
    if (mkdirat(parent_fd, name.c_str(), 0700) == 0) {
      directory->fd_ = openat(parent_fd, name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    if (directory->fd_ < 0) return absl::UnavailableError(absl::StrCat("cannot make a directory: ", strerror(errno)));
    return directory;
  }
  ~RoundDirectory() {
    if (fd_ >= 0) close(fd_);
  }
  int fd() const { return fd_; }
  absl::Status Remove() {
    if (unlinkat(parent_fd_, name_.c_str(), AT_REMOVEDIR) == 0) return absl::OkStatus();
    return absl::UnavailableError(absl::StrCat("cannot remove a round's directory: ", strerror(errno)));
  }

 private:
  RoundDirectory(int parent_fd, const std::string& name) : parent_fd_(parent_fd), name_(name) {}

  const int parent_fd_;
  const std::string name_;
  int fd_ = -1;
};

// One workload on fresh files, with its processes known to the probe before they start.
absl::Status RunRound(const Workload& workload, int directory_fd, LockOrderProbe* probe, RunStatistics* statistics,
                      const std::function<bool()>& stop, double* workload_seconds) {
  RETURN_IF_ERROR(PrepareFiles(workload, directory_fd));
  ASSIGN_OR_RETURN(const std::unique_ptr<WorkloadProcesses> run,
                   WorkloadProcesses::Fork(workload, directory_fd, statistics));
  const std::vector<pid_t> pids = run->pids();
  for (const pid_t pid : pids) {
    if (probe != nullptr) RETURN_IF_ERROR(probe->AddProcess(pid));
  }
  const Clock::time_point start = Clock::now();
  run->Start();
  const absl::Status status = run->Wait(stop);
  *workload_seconds += SecondsSince(start);
  for (const pid_t pid : pids) {
    if (probe != nullptr) probe->RemoveProcess(pid);
  }
  RETURN_IF_ERROR(status);
  return RemoveFiles(workload, directory_fd);
}

absl::Status RunRounds(const KernelRunOptions& options, int directory_fd, LockOrderProbe* probe,
                       RunStatistics* statistics, KernelRunResult* result) {
  const Clock::time_point start = Clock::now();
  const auto time_is_up = [&] { return SecondsSince(start) >= options.time_s; };
  const auto stop = [&] { return interrupted_by != 0 || time_is_up(); };
  do {
    ASSIGN_OR_RETURN(const Workload workload, options.workload(options.seed + result->rounds));
    ASSIGN_OR_RETURN(const std::unique_ptr<RoundDirectory> directory,
                     RoundDirectory::Make(directory_fd, absl::StrCat("round-", result->rounds)));
    RETURN_IF_ERROR(RunRound(workload, directory->fd(), probe, statistics, stop, &result->workload_seconds));
    RETURN_IF_ERROR(directory->Remove());
    ++result->rounds;
  } while (!stop() && (options.operations_max == 0 || statistics->operations() < options.operations_max));
  result->seconds = SecondsSince(start);
  return absl::OkStatus();
}

absl::Status RunRecorded(const KernelRunOptions& options, const WorkDirectory& directory, RunStatistics* statistics,
                         KernelRunResult* result) {
  std::unique_ptr<LockOrderProbe> probe;
  if (options.record) {
    ASSIGN_OR_RETURN(probe, LockOrderProbe::Load(KernelDevice(directory.device())));
    RETURN_IF_ERROR(probe->Attach());
  }
  RETURN_IF_ERROR(RunRounds(options, directory.fd(), probe.get(), statistics, result));
  if (probe == nullptr) return absl::OkStatus();
  probe->Detach();
  ASSIGN_OR_RETURN(result->graph, probe->Read(absl::StrCat("kernel ", KernelRelease(), " ", directory.file_system())));
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<WorkDirectory>> MakeDirectory(const KernelRunOptions& options) {
  if (!options.directory.empty()) return WorkDirectory::MakeIn(options.directory);
  return WorkDirectory::MakeScratch({.file_system = options.file_system, .image_directory = options.image_directory});
}

}  // namespace

absl::StatusOr<KernelRunResult> RunInSandbox(const KernelRunOptions& options, RunStatistics* statistics) {
  HandleInterrupts();
  KernelRunResult result;
  absl::Status status = interrupted_by != 0 ? Interrupted() : absl::OkStatus();
  if (status.ok()) {
    const absl::StatusOr<std::unique_ptr<WorkDirectory>> directory = MakeDirectory(options);
    status = directory.status();
    if (directory.ok()) {
      result.file_system = (*directory)->file_system();
      status = RunRecorded(options, **directory, statistics, &result);
      const absl::Status removed = (*directory)->Remove();
      if (!removed.ok()) return removed;
    }
  }
  if (interrupted_by != 0) return Interrupted();
  RETURN_IF_ERROR(status);
  return result;
}

}  // namespace ordeal::bpf
