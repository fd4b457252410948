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
#include "absl/strings/str_format.h"
#include "bpf/hang_watch.h"
#include "bpf/operation_executor.h"
#include "bpf/perturbation.h"
#include "bpf/slow_memory.h"
#include "lockdep/support/status_macros.h"

namespace ordeal::bpf {
namespace {

constexpr int kPollMs = 5;
constexpr double kKillS = 10;  // of a run that failed
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

void RunTask(const ProcessFiles& files, const RunEnvironment& environment, uint32_t task, const SlowMemory* slow,
             uint32_t slot) {
  TaskExecutor executor(files, environment, task, slow, slot);
  Perturbation perturbation(environment.seed, task);
  if (environment.perturb) perturbation.Enter();
  const std::vector<FileOperation>& operations = files.workload().tasks[task];
  for (uint32_t i = 0; i < operations.size() && !environment.statistics->stopped(); ++i) {
    if (environment.perturb) perturbation.BeforeOperation();
    executor.Run(operations[i], environment.log->IdOf(task, i), environment.perturb && perturbation.SlowCopy());
  }
  executor.Finish();
}

std::vector<uint32_t> TasksOf(const Workload& workload, uint32_t process) {
  std::vector<uint32_t> tasks;
  for (uint32_t task = 0; task < workload.tasks.size(); ++task) {
    if (workload.processes[task] == process) tasks.push_back(task);
  }
  return tasks;
}

// The life of one child: wait at the gate, so that a recorder sees each lock from its acquisition on; open; run its tasks.
int RunProcess(const Workload& workload, uint32_t process, const RunEnvironment& environment, int gate) {
  char ignored;
  while (read(gate, &ignored, 1) < 0 && errno == EINTR) {
  }
  const absl::StatusOr<std::unique_ptr<ProcessFiles>> files = ProcessFiles::Open(workload, environment.directory_fd);
  if (!files.ok()) return kExitNoFiles;
  const std::vector<uint32_t> tasks = TasksOf(workload, process);
  std::unique_ptr<SlowMemory> slow;
  if (environment.perturb) {
    absl::StatusOr<std::unique_ptr<SlowMemory>> made = SlowMemory::Make(
        static_cast<uint32_t>(tasks.size()), (*files)->bytes_max(), DeriveSeed(environment.seed, 1000 + process));
    if (made.ok()) slow = *std::move(made);
    if (slow == nullptr) environment.statistics->NoteNoSlowMemory();
  }
  std::vector<std::thread> threads;
  for (uint32_t slot = 0; slot < tasks.size(); ++slot) {
    threads.emplace_back(RunTask, std::cref(**files), std::cref(environment), tasks[slot], slow.get(), slot);
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

absl::StatusOr<std::unique_ptr<WorkloadProcesses>> WorkloadProcesses::Fork(const Workload& workload,
                                                                           const RunEnvironment& environment) {
  RETURN_IF_ERROR(ValidateWorkload(workload));
  std::unique_ptr<WorkloadProcesses> run(new WorkloadProcesses(workload, environment));
  if (pipe2(run->gate_, O_CLOEXEC) != 0 || pipe2(run->alive_, O_CLOEXEC) != 0) return SystemError("pipe");
  const std::set<uint32_t> processes(workload.processes.begin(), workload.processes.end());
  for (const uint32_t process : processes) RETURN_IF_ERROR(run->ForkOne(process));
  close(run->alive_[1]);
  run->alive_[1] = -1;
  return run;
}

absl::Status WorkloadProcesses::ForkOne(uint32_t process) {
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid < 0) return SystemError("fork");
  if (pid == 0) {
    BecomeAChild(parent);
    close(gate_[1]);
    close(alive_[0]);
    _exit(RunProcess(workload_, process, environment_, gate_[0]));
  }
  pids_.push_back(pid);
  return absl::OkStatus();
}

WorkloadProcesses::~WorkloadProcesses() {
  static_cast<void>(Kill(kKillS));
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

// A process that is blocked in the kernel for good cannot be reaped: it gets a moment, and stays in pids_.
bool WorkloadProcesses::Kill(double seconds) {
  for (const pid_t pid : pids_) kill(pid, SIGKILL);
  for (int waited = 0; !pids_.empty() && waited < seconds * 1000; waited += kPollMs) {
    pids_.erase(std::remove_if(pids_.begin(), pids_.end(), [](pid_t pid) { return waitpid(pid, nullptr, WNOHANG) != 0; }),
                pids_.end());
    if (!pids_.empty()) poll(nullptr, 0, kPollMs);
  }
  return pids_.empty();
}

RunOutcome WorkloadProcesses::KillHung(const WaitOptions& options) {
  RunOutcome outcome;
  const LongOperation longest = LongestOperation(*environment_.log);
  outcome.hung_operation = longest.id;
  outcome.hang = absl::StrFormat("operation %d of task %d has not ended within %.0f s\n", longest.id, longest.task,
                                 longest.seconds);
  absl::StrAppend(&outcome.hang, DescribeTasks(workload_, *environment_.log, pids_));
  if (Kill(options.kill_s)) {
    absl::StrAppend(&outcome.hang, "all processes ended when they were killed\n");
    return outcome;
  }
  absl::StrAppend(&outcome.hang, pids_.size(), " processes did not end within ", options.kill_s, " s after SIGKILL\n");
  options.unblock();
  outcome.left_behind = !Kill(options.kill_s);
  absl::StrAppend(&outcome.hang, outcome.left_behind
                                     ? "they are still there, also after a thaw of the file system: only a reboot ends them\n"
                                     : "they ended when the file system was thawed\n");
  pids_.clear();
  return outcome;
}

absl::StatusOr<RunOutcome> WorkloadProcesses::Wait(const WaitOptions& options) {
  int stopping_ms = 0;
  while (!WaitForEnd(kPollMs)) {
    if (LongestOperation(*environment_.log).seconds > options.hang_s) return KillHung(options);
    if (stopping_ms == 0 && !options.stop()) continue;
    if (stopping_ms == 0) environment_.statistics->Stop();
    stopping_ms += kPollMs;
    if (stopping_ms < (options.kill_s + options.hang_s) * 1000) continue;
    const size_t left = pids_.size();
    if (!Kill(options.kill_s)) options.unblock();
    static_cast<void>(Kill(options.kill_s));
    return absl::InternalError(absl::StrCat("of ", left, " workload processes some did not end ", stopping_ms / 1000,
                                            " s after being told to, between operations; they were killed"));
  }
  RETURN_IF_ERROR(Reap());
  return RunOutcome{};
}

}  // namespace ordeal::bpf
