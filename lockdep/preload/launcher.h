// Runs an unmodified pthread program with the lock-order validator loaded into it, and reads back what it found.
//
// The program's standard streams, arguments, exit status and signals stay its own: the report travels through a memory-mapped
// file, into which each violation is written the moment it is found. So it also survives a deadlock, _exit and SIGKILL, and
// covers every process that the program forks or executes.
//
// Thread-safety: none; call it from a process with one thread (it waits for signals and for the child).
// Invariants:    a program that cannot be checked is refused before it runs, with the reason and what to do instead.
// Cost:          one mapped file; sources of sites are looked up (addr2line) after the program has ended.
// Example:
//   absl::StatusOr<PreloadOutcome> outcome = RunUnderLockdep({}, {"./server", "--port=0"});
//   if (outcome.ok()) std::cerr << outcome->report;
#ifndef ORDEAL_LOCKDEP_PRELOAD_LAUNCHER_H_
#define ORDEAL_LOCKDEP_PRELOAD_LAUNCHER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lockdep/runtime/violation.h"

namespace ordeal::lockdep {

struct PreloadOptions {
  // libordeal_preload.so; empty: $ORDEAL_LOCKDEP_LIBRARY, then beside this program, ../lib/ordeal, then the build tree.
  std::string library;
  // Report each nesting of two locks of one class, as the kernel does. Off: only nestings that contradict each other.
  bool strict_nesting = false;
  // Treat a pthread_rwlock reader as one that waits for queued writers, as POSIX allows; glibc's default does not.
  bool posix_rwlocks = false;
  // Decide for each cycle whether its tasks can meet at all (guard locks, fork and join). Costs memory with each thread.
  bool grades = true;
  // Keep the call stack of each new dependency.
  bool backtraces = false;
  // Look up files and lines of sites with addr2line.
  bool source_lines = true;
  // Write all that the program did with its locks to this file, as a trace in our own format (docs/formats/lock-trace.md).
  // Empty: $ORDEAL_LOCKDEP_RECORD, if that names one; else nothing is recorded, and nothing paid for it.
  std::string record_path;
};

struct PreloadOutcome {
  int wait_status = 0;      // as waitpid gave it
  int exit_status = 0;      // as a shell shows it: the program's own, or 128 + the signal that killed it
  int processes = 0;        // that were checked: the program, its forks and what they executed
  uint64_t locks = 0;       // lock instances seen, over all processes
  uint64_t lost_bytes = 0;  // of findings that did not fit into the report's file; 0 in every sane run
  int recorded_processes = 0;  // less than `processes`: some could not map the recording's file
  uint64_t recorded_events = 0;
  uint64_t lost_events = 0;  // that did not fit into the recording's file or on its disk
  // Distinct by signature over all processes, in order of detection. Sites live as long as this process.
  std::vector<Violation> violations;
  // All splats and a one-line summary, as text; the summary alone if nothing was found.
  std::string report;
};

// argv[0] is looked up in PATH as a shell would. FailedPrecondition: the program cannot be checked (setuid, static, another
// machine's); NotFound: no such program, or no library; Internal: the system refused something.
absl::StatusOr<PreloadOutcome> RunUnderLockdep(const PreloadOptions& options, const std::vector<std::string>& argv);

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_PRELOAD_LAUNCHER_H_
