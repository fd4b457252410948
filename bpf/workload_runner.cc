#include "bpf/workload_runner.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <thread>

#include "absl/strings/str_cat.h"
#include "bpf/operation_executor.h"

namespace ordeal::bpf {
namespace {

constexpr int kPollMs = 5;
constexpr int kGraceMs = 10000;  // from asking to stop to killing, and from killing to giving up
constexpr int kExitNoFiles = 3;

absl::Status SystemError(const std::string& what) {
  return absl::InternalError(absl::StrCat(what, ": ", strerror(errno)));
}

void CloseBoth(int (&pipe)[2]) {
  for (int& fd : pipe) {
    if (fd >= 0) close(fd);
    fd = -1;
  }
}

void RunTask(const ProcessFiles& files, const std::vector<FileOperation>& operations, uint32_t task,
             RunStatistics* statistics) {
  TaskExecutor executor(files, task);
  for (const FileOperation& operation : operations) {
    if (statistics->stopped()) return;
    statistics->Count(operation.kind, executor.Execute(operation));
  }
}

// The life of one child: wait at the gate, so that a recorder sees each lock from its acquisition on; open; run its tasks.
int RunProcess(const Workload& workload, uint32_t process, int directory_fd, int gate, RunStatistics* statistics) {
  char ignored;
  while (read(gate, &ignored, 1) < 0 && errno == EINTR) {
  }
  const absl::StatusOr<std::unique_ptr<ProcessFiles>> files = ProcessFiles::Open(workload, directory_fd);
  if (!files.ok()) return kExitNoFiles;
  std::vector<std::thread> threads;
  for (uint32_t task = 0; task < workload.tasks.size(); ++task) {
    if (workload.processes[task] != process) continue;
    threads.emplace_back(RunTask, std::cref(**files), std::cref(workload.tasks[task]), task, statistics);
  }
  for (std::thread& thread : threads) thread.join();
  return 0;
}

// Ctrl-C reaches the whole process group: the parent decides what it means. SIGKILL reaches us when the parent dies.
void BecomeAChild(pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) signal(number, SIG_IGN);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

}  // namespace

absl::StatusOr<std::unique_ptr<WorkloadProcesses>> WorkloadProcesses::Fork(const Workload& workload, int directory_fd,
                                                                           RunStatistics* statistics) {
  if (absl::Status valid = ValidateWorkload(workload); !valid.ok()) return valid;
  std::unique_ptr<WorkloadProcesses> run(new WorkloadProcesses(statistics));
  if (pipe2(run->gate_, O_CLOEXEC) != 0 || pipe2(run->alive_, O_CLOEXEC) != 0) return SystemError("pipe");
  const std::set<uint32_t> processes(workload.processes.begin(), workload.processes.end());
  for (const uint32_t process : processes) {
    if (absl::Status status = run->ForkOne(workload, process, directory_fd); !status.ok()) return status;
  }
  close(run->alive_[1]);
  run->alive_[1] = -1;
  return run;
}

absl::Status WorkloadProcesses::ForkOne(const Workload& workload, uint32_t process, int directory_fd) {
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid < 0) return SystemError("fork");
  if (pid == 0) {
    BecomeAChild(parent);
    close(gate_[1]);
    close(alive_[0]);
    _exit(RunProcess(workload, process, directory_fd, gate_[0], statistics_));
  }
  pids_.push_back(pid);
  return absl::OkStatus();
}

WorkloadProcesses::~WorkloadProcesses() {
  Kill();
  CloseBoth(gate_);
  CloseBoth(alive_);
}

void WorkloadProcesses::Start() {
  if (gate_[1] >= 0) close(gate_[1]);
  gate_[1] = -1;
}

bool WorkloadProcesses::WaitForEnd(int milliseconds) {
  pollfd ended = {.fd = alive_[0], .events = POLLIN, .revents = 0};
  const int result = poll(&ended, 1, milliseconds);
  return result > 0 && (ended.revents & (POLLHUP | POLLERR)) != 0;
}

absl::Status WorkloadProcesses::Reap() {
  absl::Status result = absl::OkStatus();
  for (const pid_t pid : pids_) {
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFSIGNALED(status)) {
      result = absl::InternalError(absl::StrCat("a workload process died of signal ", WTERMSIG(status), " (",
                                                sigabbrev_np(WTERMSIG(status)), ")"));
    } else if (WEXITSTATUS(status) != 0) {
      result = absl::InternalError(absl::StrCat("a workload process ended with status ", WEXITSTATUS(status)));
    }
  }
  pids_.clear();
  return result;
}

void WorkloadProcesses::Kill() {
  for (const pid_t pid : pids_) kill(pid, SIGKILL);
  for (const pid_t pid : pids_) {
    // A process that is blocked in the kernel for good cannot be reaped: give it a moment, then leave it.
    for (int waited = 0; waited < kGraceMs && waitpid(pid, nullptr, WNOHANG) == 0; waited += kPollMs) {
      poll(nullptr, 0, kPollMs);
    }
  }
  pids_.clear();
}

absl::Status WorkloadProcesses::Wait(const std::function<bool()>& stop) {
  int stopping_ms = 0;
  while (!WaitForEnd(kPollMs)) {
    if (stopping_ms == 0 && !stop()) continue;
    if (stopping_ms == 0) statistics_->Stop();
    stopping_ms += kPollMs;
    if (stopping_ms < kGraceMs) continue;
    const size_t left = pids_.size();
    Kill();
    return absl::InternalError(absl::StrCat("of ", left, " workload processes some did not end ", kGraceMs / 1000,
                                            " s after being told to, and were killed: the kernel may be deadlocked"));
  }
  return Reap();
}

}  // namespace ordeal::bpf
