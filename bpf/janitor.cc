#include "bpf/janitor.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "absl/strings/str_cat.h"

namespace ordeal::bpf {
namespace {

[[noreturn]] void BeTheJanitor(const std::function<absl::Status()>& clean, int orders_fd, int answer_fd) {
  setsid();
  const bool ready = write(answer_fd, "r", 1) == 1;
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) signal(number, SIG_IGN);
  char order;
  while (read(orders_fd, &order, 1) < 0 && errno == EINTR) {
  }
  const absl::Status status = clean();
  const std::string message(status.message());
  const bool told = message.empty() || write(answer_fd, message.data(), message.size()) >= 0;
  _exit(ready && told ? 0 : 1);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Janitor>> Janitor::Start(const std::function<absl::Status()>& clean) {
  int orders[2];
  int answer[2];
  if (pipe2(orders, O_CLOEXEC) != 0) return absl::UnavailableError(absl::StrCat("pipe: ", strerror(errno)));
  if (pipe2(answer, O_CLOEXEC) != 0) {
    close(orders[0]);
    close(orders[1]);
    return absl::UnavailableError(absl::StrCat("pipe: ", strerror(errno)));
  }
  const pid_t pid = fork();
  if (pid == 0) {
    close(orders[1]);
    close(answer[0]);
    BeTheJanitor(clean, orders[0], answer[1]);
  }
  close(orders[0]);
  close(answer[1]);
  // Not before it is out of our session: whoever kills the group from now on does not reach it.
  char ready;
  ssize_t n = -1;
  while (pid > 0 && (n = read(answer[0], &ready, 1)) < 0 && errno == EINTR) {
  }
  if (n == 1) return std::unique_ptr<Janitor>(new Janitor(pid, orders[1], answer[0]));
  const absl::Status status = absl::UnavailableError(absl::StrCat("cannot start a process that cleans up: ", strerror(errno)));
  close(orders[1]);
  close(answer[0]);
  if (pid > 0) waitpid(pid, nullptr, 0);
  return status;
}

absl::Status Janitor::CleanUp() {
  if (pid_ < 0) return absl::OkStatus();
  // A byte, not only the closing: a child that cannot be killed may hold the other end for ever.
  const bool asked = write(orders_fd_, "x", 1) == 1;
  close(orders_fd_);
  std::string message;
  char buffer[512];
  ssize_t n = 0;
  while ((n = read(answer_fd_, buffer, sizeof(buffer))) > 0 || (n < 0 && errno == EINTR)) {
    if (n > 0) message.append(buffer, static_cast<size_t>(n));
  }
  close(answer_fd_);
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  if (!asked) return absl::InternalError("the process that was to clean up had died");
  return message.empty() ? absl::OkStatus() : absl::UnavailableError(message);
}

void Janitor::LetGo() {
  if (pid_ < 0) return;
  close(orders_fd_);
  close(answer_fd_);
  pid_ = -1;
}

Janitor::~Janitor() { static_cast<void>(CleanUp()); }

}  // namespace ordeal::bpf
