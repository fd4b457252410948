// A process that takes down what would outlive all others: a directory on somebody's disk, a frozen file system, a memory
// group. It waits in a session of its own, so that neither a Ctrl-C nor a kill of the whole group reaches it, until it is
// told to begin or until every process that could tell it is gone.
//
// Thread-safety: none; Start forks, so call it with one thread.
// Invariants:    `clean` runs exactly once, in the janitor, after CleanUp() was called or after the last process that
//                inherited this object has died.
// Cost:          a fork.
// Example:
//   ASSIGN_OR_RETURN(const auto janitor, Janitor::Start([fd] { return RemoveTree(fd, "ordeal-1"); }));
//   ...
//   RETURN_IF_ERROR(janitor->CleanUp());
#ifndef ORDEAL_BPF_JANITOR_H_
#define ORDEAL_BPF_JANITOR_H_

#include <sys/types.h>

#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace ordeal::bpf {

class Janitor {
 public:
  static absl::StatusOr<std::unique_ptr<Janitor>> Start(const std::function<absl::Status()>& clean);
  ~Janitor();  // CleanUp(), its result ignored
  Janitor(const Janitor&) = delete;
  Janitor& operator=(const Janitor&) = delete;

  // What `clean` returned. The second call does nothing.
  absl::Status CleanUp();
  // Does not wait: it begins when the last other process that inherited this object has died.
  void LetGo();

 private:
  Janitor(pid_t pid, int orders_fd, int answer_fd) : pid_(pid), orders_fd_(orders_fd), answer_fd_(answer_fd) {}

  pid_t pid_;
  int orders_fd_;  // a byte, or the end of file, is the order to begin
  int answer_fd_;  // the message of an error; nothing if all went well
};

}  // namespace ordeal::bpf

#endif  // ORDEAL_BPF_JANITOR_H_
