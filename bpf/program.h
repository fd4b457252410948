// Runs another program and waits for it, without a shell.
//
// Thread-safety: callable from any thread. The program is killed when the calling thread ends before it (PR_SET_PDEATHSIG).
// Example:       ASSIGN_OR_RETURN(const std::string output, RunProgram({"/usr/sbin/mkfs.xfs", "-q", image}));
#ifndef ORDEAL_BPF_PROGRAM_H_
#define ORDEAL_BPF_PROGRAM_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace ordeal::bpf {

// The program's path, also if it is where root's PATH alone leads (/usr/sbin); empty: not installed.
std::string FindProgram(const std::string& name);

struct ProgramOptions {
  std::string directory;       // to run in; empty: the caller's
  double time_max_s = 0;       // it is killed after so long; 0: no bound
  std::function<bool()> stop;  // asked about ten times a second: true kills it; empty: never
};

// What it printed, on both of its outputs. Unavailable: it cannot be started or failed, with the end of its output.
// DeadlineExceeded: its time was up. Cancelled: `stop` said so.
absl::StatusOr<std::string> RunProgram(const std::vector<std::string>& words, const ProgramOptions& options = {});

}  // namespace ordeal::bpf

#endif  // ORDEAL_BPF_PROGRAM_H_
