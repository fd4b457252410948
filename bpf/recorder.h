// Records the locks of a live machine while a command runs, for a time, or until it is interrupted.
//
// Thread-safety: none: it forks, and it handles SIGINT, SIGTERM and SIGHUP while it runs. Call it with one thread.
// Invariants:    when it returns, nothing of it is left in the kernel, and the command has ended. The command does not start
//                before recording does.
// Cost:          docs/kernel.md has the measured overhead; loading takes about 0.5 s.
// Example:
//   ASSIGN_OR_RETURN(const RecordResult result, Record({.file_system = "/mnt", .command = {"fio", "job.fio"}}));
//   std::cout << FormatRecording(result.recording);
#ifndef ORDEAL_BPF_RECORDER_H_
#define ORDEAL_BPF_RECORDER_H_

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bpf/recording.h"

namespace ordeal::bpf {

// Without any choice, every task of the machine is recorded.
struct RecordOptions {
  pid_t process = 0;                 // and what it forks from now on
  std::string comm;                  // the processes of that name, and those that come to be called so
  std::string file_system;           // a path on it, or its block device
  std::vector<std::string> command;  // runs it, and records it with all that it forks; ends when it ends
  double time_s = 0;                 // at most; 0: until the command ends, or an interrupt
  bool spin_waits = false;
  std::function<void(double seconds)> progress;  // called about once a second, if set
};

struct RecordResult {
  Recording recording;
  int command_status = 0;  // its exit status, or 128 + the signal that ended it
  bool command_stopped = false;  // by us: time was up, or an interrupt
};

// Unavailable: cannot run here, with the reason. InvalidArgument: there is no such process, path or command.
absl::StatusOr<RecordResult> Record(const RecordOptions& options);

}  // namespace ordeal::bpf

#endif  // ORDEAL_BPF_RECORDER_H_
