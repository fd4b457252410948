#include "bpf/kernel_run.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <fcntl.h>
#include <sstream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "bpf/sandbox.h"
#include "bpf/scratch_file_system.h"
#include "lockdep/support/check.h"
#include "lockdep/support/status_macros.h"

namespace ordeal::bpf {
namespace {

constexpr int kPollMs = 100;

// The sandbox's answer: "CODE ROUNDS CELLS SECONDS WORKLOAD_SECONDS FILE_SYSTEM\n", then the findings, the notes and the graph,
// or an error's message.
std::string FormatAnswer(const absl::StatusOr<KernelRunResult>& result) {
  if (!result.ok()) {
    return absl::StrCat(static_cast<int>(result.status().code()), " 0 0 0 0 -\n", result.status().message());
  }
  const std::string notes = absl::StrJoin(result->notes, "\n");
  return absl::StrFormat("0 %d %d %.9f %.9f %s\n%s%d\n%s%s", result->rounds, result->cells_judged, result->seconds,
                         result->workload_seconds, absl::StrReplaceAll(result->file_system, {{" ", "-"}}),
                         FormatFindings(result->findings), notes.size(), notes, lockdep::FormatOrderGraph(result->graph));
}

absl::StatusOr<KernelRunResult> ParseAnswer(const std::string& answer) {
  const size_t end = answer.find('\n');
  std::istringstream numbers(answer.substr(0, end));
  int code = -1;
  KernelRunResult result;
  if (end == std::string::npos || !(numbers >> code >> result.rounds >> result.cells_judged >> result.seconds >>
                                    result.workload_seconds >> result.file_system)) {
    return absl::InternalError("the process that ran the workload died; the kernel has removed what it had made");
  }
  absl::string_view rest = absl::string_view(answer).substr(end + 1);
  if (code != 0) return absl::Status(static_cast<absl::StatusCode>(code), rest);
  ASSIGN_OR_RETURN(result.findings, ParseFindings(&rest));
  const size_t line = rest.find('\n');
  size_t length = 0;
  if (line == absl::string_view::npos || !absl::SimpleAtoi(rest.substr(0, line), &length) || length > rest.size() - line - 1) {
    return absl::InternalError("the process that ran the workload died while it answered");
  }
  result.notes = absl::StrSplit(rest.substr(line + 1, length), '\n', absl::SkipEmpty());
  ASSIGN_OR_RETURN(result.graph, lockdep::ParseOrderGraph(std::string(rest.substr(line + 1 + length)), "answer"));
  return result;
}

void WriteAnswer(int fd, const std::string& answer) {
  for (size_t done = 0; done < answer.size();) {
    const ssize_t n = write(fd, answer.data() + done, answer.size() - done);
    if (n < 0 && errno != EINTR) return;
    if (n > 0) done += static_cast<size_t>(n);
  }
}

volatile sig_atomic_t pending_signal = 0;
void OnSignal(int number) { pending_signal = number; }

// Takes over the interrupting signals for a while: blocked until the sandbox exists, then passed on to it.
class SignalRelay {
 public:
  SignalRelay() {
    pending_signal = 0;
    sigset_t relayed;
    sigemptyset(&relayed);
    struct sigaction action = {};
    action.sa_handler = OnSignal;
    for (size_t i = 0; i < 3; ++i) {
      sigaddset(&relayed, kNumbers[i]);
      sigaction(kNumbers[i], &action, &old_actions_[i]);
    }
    sigprocmask(SIG_BLOCK, &relayed, &old_mask_);
  }
  ~SignalRelay() {
    for (size_t i = 0; i < 3; ++i) sigaction(kNumbers[i], &old_actions_[i], nullptr);
    sigprocmask(SIG_SETMASK, &old_mask_, nullptr);
  }
  void Unblock() { sigprocmask(SIG_SETMASK, &old_mask_, nullptr); }
  void PassOn(pid_t sandbox) {
    if (pending_signal == 0) return;
    kill(sandbox, pending_signal);
    pending_signal = 0;
  }

 private:
  static constexpr int kNumbers[3] = {SIGINT, SIGTERM, SIGHUP};
  struct sigaction old_actions_[3];
  sigset_t old_mask_;
};

bool HasEnded(pid_t pid) {
  siginfo_t info = {};
  return waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid;
}

// Until the sandbox closes its end, or has ended (a child of it that hangs in the kernel may keep the pipe open). Signals
// that arrive are passed on; the sandbox decides.
std::string ReadAnswer(int fd, pid_t sandbox, const KernelRunOptions& options, const RunStatistics& statistics,
                       SignalRelay* relay) {
  const auto start = std::chrono::steady_clock::now();
  double next_progress_s = 1;
  std::string answer;
  for (;;) {
    relay->PassOn(sandbox);
    pollfd readable = {.fd = fd, .events = POLLIN, .revents = 0};
    const int ready = poll(&readable, 1, kPollMs);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (options.progress && seconds >= next_progress_s) {
      options.progress(statistics.operations(), seconds);
      next_progress_s += 1;
    }
    if (ready == 0 && HasEnded(sandbox)) return answer;
    if (ready <= 0) continue;
    char buffer[65536];
    const ssize_t n = read(fd, buffer, sizeof(buffer));
    if (n == 0) return answer;
    if (n < 0 && errno != EINTR) return answer;
    if (n > 0) answer.append(buffer, static_cast<size_t>(n));
  }
}

[[noreturn]] void BeTheSandbox(const KernelRunOptions& options, pid_t parent, int answer_fd, RunStatistics* statistics) {
  // If the caller is killed, take everything down. The signal is blocked until its handler is there.
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) _exit(1);
  WriteAnswer(answer_fd, FormatAnswer(RunInSandbox(options, statistics)));
  _exit(0);
}

absl::Status CheckDirectory(const std::string& directory) {
  struct stat found;
  if (stat(directory.c_str(), &found) != 0) {
    return absl::InvalidArgumentError(absl::StrCat("cannot use directory '", directory, "': ", strerror(errno)));
  }
  if (!S_ISDIR(found.st_mode)) return absl::InvalidArgumentError(absl::StrCat("'", directory, "' is not a directory"));
  if (access(directory.c_str(), W_OK | X_OK) == 0) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("cannot make anything in '", directory, "': ", strerror(errno)));
}

}  // namespace

std::string KernelRelease() {
  utsname names;
  return uname(&names) == 0 ? names.release : "unknown";
}

absl::Status CheckKernelRun(const KernelRunOptions& options) {
  if (options.directory.empty()) {
    RETURN_IF_ERROR(CheckScratchFileSystem(options.file_system));
  } else {
    RETURN_IF_ERROR(CheckDirectory(options.directory));
    if (options.record && geteuid() != 0) return absl::UnavailableError("needs root to load eBPF programs; or use --no-record");
  }
  if (options.record && access("/sys/kernel/btf/vmlinux", R_OK) != 0) {
    return absl::UnavailableError("this kernel has no BTF (/sys/kernel/btf/vmlinux); use one with CONFIG_DEBUG_INFO_BTF");
  }
  return absl::OkStatus();
}

absl::StatusOr<KernelRunResult> RunOnKernel(const KernelRunOptions& options) {
  LD_CHECK(options.workload != nullptr, "a kernel run needs a workload");
  RETURN_IF_ERROR(CheckKernelRun(options));
  ASSIGN_OR_RETURN(const std::unique_ptr<RunStatistics> statistics, RunStatistics::Make());
  int answer[2];
  if (pipe2(answer, O_CLOEXEC) != 0) return absl::UnavailableError(absl::StrCat("pipe: ", strerror(errno)));
  SignalRelay relay;
  const pid_t parent = getpid();
  const pid_t sandbox = fork();
  if (sandbox == 0) {
    close(answer[0]);
    BeTheSandbox(options, parent, answer[1], statistics.get());
  }
  close(answer[1]);
  if (sandbox < 0) {
    close(answer[0]);
    return absl::UnavailableError(absl::StrCat("fork: ", strerror(errno)));
  }
  relay.Unblock();
  const std::string text = ReadAnswer(answer[0], sandbox, options, *statistics, &relay);
  close(answer[0]);
  while (waitpid(sandbox, nullptr, 0) < 0 && errno == EINTR) relay.PassOn(sandbox);
  ASSIGN_OR_RETURN(KernelRunResult result, ParseAnswer(text));
  result.counts = statistics->Counts();
  result.operations = statistics->operations();
  result.slow_copies = statistics->slow_copies();
  if (statistics->no_slow_memory()) result.notes.push_back("no delays inside copies: the kernel refused userfaultfd");
  return result;
}

}  // namespace ordeal::bpf
