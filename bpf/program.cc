#include "bpf/program.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace ordeal::bpf {
namespace {

constexpr int kPollMs = 100;
constexpr size_t kErrorBytesMax = 2000;  // of a failing program's output: its end

absl::Status SystemError(const std::string& what) {
  return absl::UnavailableError(absl::StrCat(what, ": ", strerror(errno)));
}

[[noreturn]] void BecomeProgram(const std::vector<std::string>& words, const std::string& directory, int output) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  dup2(null, STDIN_FILENO);
  dup2(output, STDOUT_FILENO);
  dup2(output, STDERR_FILENO);
  if (directory.empty() || chdir(directory.c_str()) == 0) execv(arguments[0], arguments.data());
  _exit(127);
}

// Everything that the program prints, until it closes its outputs; the reason if it has to be ended before.
absl::Status ReadAll(int fd, const ProgramOptions& options, std::string* text) {
  const auto start = std::chrono::steady_clock::now();
  char buffer[4096];
  while (true) {
    if (options.stop && options.stop()) return absl::CancelledError("interrupted");
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (options.time_max_s > 0 && seconds > options.time_max_s) {
      return absl::DeadlineExceededError(absl::StrCat("not done after ", static_cast<int>(options.time_max_s), " s"));
    }
    pollfd ready = {.fd = fd, .events = POLLIN, .revents = 0};
    if (poll(&ready, 1, kPollMs) <= 0) continue;
    const ssize_t n = read(fd, buffer, sizeof(buffer));
    if (n == 0) return absl::OkStatus();
    if (n > 0) text->append(buffer, static_cast<size_t>(n));
  }
}

}  // namespace

std::string FindProgram(const std::string& name) {
  const char* path = getenv("PATH");
  const std::string directories = absl::StrCat(path != nullptr ? path : "", ":/usr/sbin:/sbin:/usr/local/sbin:/usr/bin:/bin");
  for (const absl::string_view directory : absl::StrSplit(directories, ':', absl::SkipEmpty())) {
    const std::string candidate = absl::StrCat(directory, "/", name);
    if (access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return "";
}

absl::StatusOr<std::string> RunProgram(const std::vector<std::string>& words, const ProgramOptions& options) {
  int output[2];
  if (pipe2(output, O_CLOEXEC) != 0) return SystemError("pipe");
  const pid_t pid = fork();
  if (pid == 0) BecomeProgram(words, options.directory, output[1]);
  close(output[1]);
  if (pid < 0) {
    close(output[0]);
    return SystemError("fork");
  }
  std::string text;
  const absl::Status ended = ReadAll(output[0], options, &text);
  close(output[0]);
  if (!ended.ok()) kill(pid, SIGKILL);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (!ended.ok()) return ended;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return text;
  if (text.size() > kErrorBytesMax) text = absl::StrCat("...", text.substr(text.size() - kErrorBytesMax));
  return absl::UnavailableError(absl::StrCat(words[0], " failed: ", text));
}

}  // namespace ordeal::bpf
