#include "bpf/recorder.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <sstream>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "bpf/kernel_run.h"
#include "bpf/lock_order_probe.h"
#include "lockdep/support/status_macros.h"

namespace ordeal::bpf {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kPollMs = 20;
constexpr double kStopPatienceS = 5;  // then the command is killed

volatile sig_atomic_t interrupted_by = 0;
void OnInterrupt(int number) { interrupted_by = number; }

double SecondsSince(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// Takes over the interrupting signals for a while.
class InterruptCatcher {
 public:
  InterruptCatcher() {
    interrupted_by = 0;
    struct sigaction action = {};
    action.sa_handler = OnInterrupt;
    for (size_t i = 0; i < 3; ++i) sigaction(kNumbers[i], &action, &old_[i]);
  }
  ~InterruptCatcher() {
    for (size_t i = 0; i < 3; ++i) sigaction(kNumbers[i], &old_[i], nullptr);
  }
  InterruptCatcher(const InterruptCatcher&) = delete;
  InterruptCatcher& operator=(const InterruptCatcher&) = delete;

 private:
  static constexpr int kNumbers[3] = {SIGINT, SIGTERM, SIGHUP};
  struct sigaction old_[3];
};

// A command that waits behind a gate until it is recorded.
class Command {
 public:
  static absl::StatusOr<std::unique_ptr<Command>> Fork(const std::vector<std::string>& words) {
    std::unique_ptr<Command> command(new Command());
    int gate[2], failure[2];
    if (pipe2(gate, O_CLOEXEC) != 0) return absl::UnavailableError(absl::StrCat("pipe: ", strerror(errno)));
    command->gate_read_ = gate[0];  // open here, too: a command that was killed early must not cost us a SIGPIPE
    command->gate_ = gate[1];
    if (pipe2(failure, O_CLOEXEC) != 0) return absl::UnavailableError(absl::StrCat("pipe: ", strerror(errno)));
    command->failure_ = failure[0];
    command->name_ = words[0];
    command->pid_ = fork();
    if (command->pid_ == 0) Exec(words, gate, failure);
    close(failure[1]);
    if (command->pid_ < 0) return absl::UnavailableError(absl::StrCat("fork: ", strerror(errno)));
    return command;
  }
  ~Command() {
    CloseGate();
    if (failure_ >= 0) close(failure_);
    if (pid_ > 0 && !ended_) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
  }
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;

  pid_t pid() const { return pid_; }

  absl::Status Start() {
    const char go = 1;
    static_cast<void>(!write(gate_, &go, 1));
    CloseGate();
    int error = 0;
    ssize_t n = 0;
    while ((n = read(failure_, &error, sizeof(error))) < 0 && errno == EINTR) {
    }
    if (n == 0) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat("cannot run '", name_, "': ", strerror(error)));
  }

  bool HasEnded() {
    int status = 0;
    if (!ended_ && waitpid(pid_, &status, WNOHANG) == pid_) {
      ended_ = true;
      status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    return ended_;
  }

  // A terminal's interrupt has reached the command as well; any other way to stop is passed on.
  void Stop(int by_signal) {
    if (by_signal != SIGINT) kill(pid_, SIGTERM);
    const Clock::time_point start = Clock::now();
    while (!HasEnded()) {
      poll(nullptr, 0, kPollMs);
      if (SecondsSince(start) > kStopPatienceS) kill(pid_, SIGKILL);
    }
  }
  int status() const { return status_; }

 private:
  Command() = default;
  [[noreturn]] static void Exec(const std::vector<std::string>& words, const int* gate, const int* failure) {
    close(gate[1]);  // else the gate would not notice that its owner has gone
    char go = 0;
    if (read(gate[0], &go, 1) != 1) _exit(127);
    std::vector<char*> arguments;
    for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    execvp(arguments[0], arguments.data());
    const int error = errno;
    static_cast<void>(!write(failure[1], &error, sizeof(error)));
    _exit(127);
  }
  void CloseGate() {
    for (int* end : {&gate_, &gate_read_}) {
      if (*end >= 0) close(*end);
      *end = -1;
    }
  }

  pid_t pid_ = -1;
  int gate_ = -1;
  int gate_read_ = -1;
  int failure_ = -1;
  bool ended_ = false;
  int status_ = 0;
  std::string name_;
};

struct MountedDevice {
  dev_t device = 0;
  std::string type;  // "xfs"
};

// By its device number, as this process sees the mounts.
std::optional<std::string> FileSystemType(dev_t device) {
  std::ifstream mounts("/proc/self/mountinfo");
  std::string line;
  const std::string number = absl::StrCat(major(device), ":", minor(device));
  while (std::getline(mounts, line)) {  // "36 35 98:0 /root /mnt rw,noatime master:1 - xfs /dev/root rw"
    std::istringstream words(line);
    std::string id, parent, found, word;
    if (!(words >> id >> parent >> found) || found != number) continue;
    while (words >> word && word != "-") {
    }
    if (words >> word) return word;
  }
  return std::nullopt;
}

absl::StatusOr<MountedDevice> ResolveFileSystem(const std::string& path) {
  struct stat found;
  if (stat(path.c_str(), &found) != 0) {
    return absl::InvalidArgumentError(absl::StrCat("--fs=", path, ": ", strerror(errno)));
  }
  MountedDevice mounted;
  mounted.device = S_ISBLK(found.st_mode) ? found.st_rdev : found.st_dev;
  const std::optional<std::string> type = FileSystemType(mounted.device);
  if (S_ISBLK(found.st_mode) && !type) return absl::InvalidArgumentError(absl::StrCat("--fs=", path, ": is not mounted"));
  mounted.type = type.value_or("unknown file system");
  return mounted;
}

std::string FirstLine(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

absl::Status AddProcesses(const RecordOptions& options, LockOrderProbe* probe) {
  if (options.process > 0) {
    if (!std::filesystem::exists(absl::StrCat("/proc/", options.process, "/task/", options.process))) {
      return absl::InvalidArgumentError(absl::StrCat("--pid=", options.process, ": there is no such process"));
    }
    RETURN_IF_ERROR(probe->AddProcess(options.process));
  }
  if (options.comm.empty()) return absl::OkStatus();
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", ignored)) {
    int process = 0;
    if (!absl::SimpleAtoi(entry.path().filename().string(), &process)) continue;
    if (FirstLine(entry.path() / "comm") == options.comm) RETURN_IF_ERROR(probe->AddProcess(process));
  }
  return absl::OkStatus();
}

bool ChoosesProcesses(const RecordOptions& options) {
  return options.process > 0 || !options.comm.empty() || !options.command.empty();
}

absl::StatusOr<std::unique_ptr<LockOrderProbe>> LoadProbe(const RecordOptions& options, std::string* what) {
  if (geteuid() != 0) return absl::UnavailableError("recording needs root (to load eBPF programs); run it with sudo");
  ProbeOptions probe_options = {.chosen_processes = ChoosesProcesses(options),
                                .comm = options.comm,
                                .spin_waits = options.spin_waits,
                                .page_lock_waits = true};
  MountedDevice mounted;
  if (!options.file_system.empty()) {
    ASSIGN_OR_RETURN(mounted, ResolveFileSystem(options.file_system));
    probe_options.kernel_device = KernelDevice(mounted.device);
    *what = mounted.type;
  }
  ASSIGN_OR_RETURN(std::unique_ptr<LockOrderProbe> probe, LockOrderProbe::Load(probe_options));
  if (!options.file_system.empty() && mounted.type != "xfs" && !probe->has_lock_events() && !ChoosesProcesses(options)) {
    return absl::UnavailableError(absl::StrCat(
        "--fs=", options.file_system, " is ", mounted.type, ", and on this kernel only XFS has events of its locks; choose "
        "processes (--pid, --comm or a command) to record their mmap_lock and their waits, or use a kernel with lock debugging"));
  }
  return probe;
}

// Until the command has ended, the time is up, or a signal has come.
void Wait(const RecordOptions& options, Command* command, Clock::time_point start) {
  double next_progress_s = 1;
  while (interrupted_by == 0 && (command == nullptr || !command->HasEnded())) {
    const double seconds = SecondsSince(start);
    if (options.time_s > 0 && seconds >= options.time_s) return;
    if (options.progress && seconds >= next_progress_s) {
      options.progress(seconds);
      next_progress_s += 1;
    }
    poll(nullptr, 0, kPollMs);
  }
}

}  // namespace

absl::StatusOr<RecordResult> Record(const RecordOptions& options) {
  std::string what = "all file systems";
  InterruptCatcher catcher;
  ASSIGN_OR_RETURN(const std::unique_ptr<LockOrderProbe> probe, LoadProbe(options, &what));
  RETURN_IF_ERROR(AddProcesses(options, probe.get()));
  std::unique_ptr<Command> command;
  if (!options.command.empty()) {
    ASSIGN_OR_RETURN(command, Command::Fork(options.command));
    RETURN_IF_ERROR(probe->AddProcess(command->pid()));
  }
  RETURN_IF_ERROR(probe->Attach());
  const Clock::time_point start = Clock::now();
  if (command != nullptr) RETURN_IF_ERROR(command->Start());
  Wait(options, command.get(), start);
  const double seconds = SecondsSince(start);
  probe->Detach();
  RecordResult result;
  if (command != nullptr && !command->HasEnded()) {
    result.command_stopped = true;
    command->Stop(interrupted_by);
  }
  if (command != nullptr) result.command_status = command->status();
  ASSIGN_OR_RETURN(result.recording, probe->ReadAll(absl::StrCat("kernel ", KernelRelease(), " ", what)));
  result.recording.seconds = seconds;
  if (!options.file_system.empty() && probe->has_lock_events()) {
    result.recording.notes.push_back("file systems apart: events of lock debugging do not say which one a lock belongs to, so "
                                     "the locks of all tasks are recorded");
  }
  return result;
}

}  // namespace ordeal::bpf
