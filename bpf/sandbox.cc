#include "bpf/sandbox.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <string>

#include "absl/strings/str_cat.h"
#include "bpf/lock_order_probe.h"
#include "bpf/memory_group.h"
#include "bpf/operation_log.h"
#include "bpf/process_files.h"
#include "bpf/round_judge.h"
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

constexpr int kNames = 300;  // several blocks of a directory

// A directory with many entries, for readdir.
absl::StatusOr<int> MakeNames(int parent_fd) {
  const absl::Status failed = absl::UnavailableError("cannot make a directory with many names");
  if (mkdirat(parent_fd, "names", 0700) != 0) return failed;
  const int fd = openat(parent_fd, "names", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const int file = fd < 0 ? -1 : openat(fd, "0", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) return failed;
  close(file);
  for (int i = 1; i < kNames; ++i) {
    if (linkat(fd, "0", fd, absl::StrCat(i).c_str(), 0) != 0) return failed;
  }
  return fd;
}

// The rounds of a run, in a directory that outlives them.
class Rounds {
 public:
  Rounds(const KernelRunOptions& options, WorkDirectory* directory, LockOrderProbe* probe, RunStatistics* statistics,
         KernelRunResult* result)
      : options_(options),
        directory_(directory),
        probe_(probe),
        statistics_(statistics),
        result_(result),
        salt_(static_cast<uint64_t>(Clock::now().time_since_epoch().count()) ^ static_cast<uint64_t>(getpid())) {}
  ~Rounds() {
    if (names_fd_ >= 0) close(names_fd_);
  }

  absl::Status Run() {
    ASSIGN_OR_RETURN(names_fd_, MakeNames(directory_->fd()));
    absl::StatusOr<std::unique_ptr<MemoryGroup>> group = MemoryGroup::Make();
    if (group.ok()) group_ = *std::move(group);
    if (group_ == nullptr) result_->notes.push_back(absl::StrCat("nothing is reclaimed: ", group.status().message()));
    start_ = Clock::now();
    do {
      ASSIGN_OR_RETURN(const Workload workload, options_.workload(options_.seed + result_->rounds));
      const absl::Status status = RunRound(workload);
      if (!options_.make_it_fail || interrupted_by != 0) RETURN_IF_ERROR(status);
      failures_ = status.ok() ? 0 : failures_ + 1;
      if (!status.ok()) NoteFailure(status);
      ++result_->rounds;
    } while (!Stopped() && !hung_ && failures_ < kFailuresMax &&
             (options_.operations_max == 0 || statistics_->operations() < options_.operations_max));
    result_->seconds = SecondsSince(start_);
    if (failures_ == kFailuresMax) {
      result_->notes.push_back("ended early: the file system no longer works; the injected faults have shut it down");
    }
    if (unjudged_ != 0) {
      result_->notes.push_back(absl::StrCat(unjudged_, " of ", result_->rounds,
                                            " rounds were not judged: the file system told of data that it could not write"));
    }
    return group_ != nullptr && !left_behind_ ? group_->Remove() : absl::OkStatus();
  }
  bool left_behind() const { return left_behind_; }

 private:
  static constexpr int kFailuresMax = 3;  // rounds in succession

  // Of a round, with faults: a file system that was hit may refuse everything.
  void NoteFailure(const absl::Status& status) {
    left_behind_ = true;  // its files are
    const std::string note = absl::StrCat("a round failed: ", status.message());
    if (std::find(result_->notes.begin(), result_->notes.end(), note) == result_->notes.end()) result_->notes.push_back(note);
  }

  bool Stopped() const { return interrupted_by != 0 || SecondsSince(start_) >= options_.time_s; }

  // One workload on fresh files, with its processes known to the probe before they start.
  absl::Status RunRound(const Workload& workload) {
    RETURN_IF_ERROR(ValidateWorkload(workload));
    const uint64_t seed = options_.seed + result_->rounds;
    ASSIGN_OR_RETURN(const std::unique_ptr<RoundDirectory> directory,
                     RoundDirectory::Make(directory_->fd(), absl::StrCat("round-", result_->rounds)));
    ASSIGN_OR_RETURN(const std::unique_ptr<OperationLog> log, OperationLog::Make(workload));
    const RunEnvironment environment{.directory_fd = directory->fd(),
                                     .names_fd = names_fd_,
                                     .log = log.get(),
                                     .statistics = statistics_,
                                     .memory_group = group_.get(),
                                     .may_freeze = directory_->scratch(),
                                     .perturb = options_.perturb,
                                     .make_it_fail = options_.make_it_fail,
                                     .seed = seed,
                                     .salt = salt_ + result_->rounds};
    const StampCode code(environment.salt);
    RETURN_IF_ERROR(PrepareFiles(workload, directory->fd(), code));
    ASSIGN_OR_RETURN(const RunOutcome outcome, RunProcesses(workload, environment));
    RoundJudge judge(workload, *log, code, directory_->file_system(), seed, options_.make_it_fail);
    if (outcome.hung_operation != 0) {
      hung_ = true;
      left_behind_ = outcome.left_behind;
      judge.ReportHang(outcome, &result_->findings);
      return absl::OkStatus();
    }
    if (options_.at_round_end) options_.at_round_end(directory->fd());
    RETURN_IF_ERROR(judge.LookAndJudge(directory->fd(), &result_->findings));
    if (judge.judged()) result_->cells_judged += judge.cells_seen();
    if (!judge.judged()) ++unjudged_;
    RETURN_IF_ERROR(RemoveFiles(workload, directory->fd()));
    return directory->Remove();
  }

  absl::StatusOr<RunOutcome> RunProcesses(const Workload& workload, const RunEnvironment& environment) {
    ASSIGN_OR_RETURN(const std::unique_ptr<WorkloadProcesses> run, WorkloadProcesses::Fork(workload, environment));
    const std::vector<pid_t> pids = run->pids();
    for (const pid_t pid : pids) {
      if (probe_ != nullptr) RETURN_IF_ERROR(probe_->AddProcess(pid));
      if (group_ != nullptr) RETURN_IF_ERROR(group_->Add(pid));
    }
    if (options_.at_round_begin) options_.at_round_begin(environment.directory_fd);
    const Clock::time_point start = Clock::now();
    run->Start();
    absl::StatusOr<RunOutcome> outcome = run->Wait({.stop = [this] { return Stopped(); },
                                                    .hang_s = options_.hang_s,
                                                    .kill_s = options_.kill_s,
                                                    .unblock = [this] { directory_->Thaw(); }});
    result_->workload_seconds += SecondsSince(start);
    for (const pid_t pid : pids) {
      if (probe_ != nullptr) probe_->RemoveProcess(pid);
    }
    return outcome;
  }

  const KernelRunOptions& options_;
  WorkDirectory* const directory_;
  LockOrderProbe* const probe_;
  RunStatistics* const statistics_;
  KernelRunResult* const result_;
  const uint64_t salt_;  // of the stamps: data of another run is not taken for this one's
  Clock::time_point start_;
  int names_fd_ = -1;
  std::unique_ptr<MemoryGroup> group_;
  bool hung_ = false;
  int failures_ = 0;       // the newest rounds, in succession
  uint64_t unjudged_ = 0;  // rounds
  bool left_behind_ = false;
};

absl::Status RunRecorded(const KernelRunOptions& options, WorkDirectory* directory, RunStatistics* statistics,
                         KernelRunResult* result, bool* left_behind) {
  std::unique_ptr<LockOrderProbe> probe;
  if (options.record) {
    ASSIGN_OR_RETURN(probe, LockOrderProbe::Load({.kernel_device = KernelDevice(directory->device()),
                                                  .chosen_processes = true}));
    RETURN_IF_ERROR(probe->Attach());
  }
  Rounds rounds(options, directory, probe.get(), statistics, result);
  const absl::Status status = rounds.Run();
  *left_behind = rounds.left_behind();
  RETURN_IF_ERROR(status);
  if (probe == nullptr) return absl::OkStatus();
  probe->Detach();
  ASSIGN_OR_RETURN(result->graph, probe->Read(absl::StrCat("kernel ", KernelRelease(), " ", directory->file_system())));
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
      bool left_behind = false;
      status = RunRecorded(options, directory->get(), statistics, &result, &left_behind);
      if (left_behind) {
        (*directory)->Abandon();
      } else if (const absl::Status removed = (*directory)->Remove(); !removed.ok()) {
        return removed;
      }
    }
  }
  if (interrupted_by != 0) return Interrupted();
  RETURN_IF_ERROR(status);
  return result;
}

}  // namespace ordeal::bpf
