// Whether a program can be checked by loading a library into it, decided before it runs.
//
// Thread-safety: pure functions of the file system.
// Example:  absl::StatusOr<std::string> path = FindProgram("redis-server");   CheckProgram(*path)
#ifndef ORDEAL_LOCKDEP_PRELOAD_PROGRAM_CHECK_H_
#define ORDEAL_LOCKDEP_PRELOAD_PROGRAM_CHECK_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace ordeal::lockdep {

// The file that a shell would run: `name` itself if it has a slash, else the first of that name in PATH.
absl::StatusOr<std::string> FindProgram(const std::string& name);

// FailedPrecondition with the reason and the remedy for programs whose loader ignores LD_PRELOAD (setuid, setgid, file
// capabilities), has none (static), or is not glibc's. A script is judged by its interpreter.
absl::Status CheckProgram(const std::string& path);

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_PRELOAD_PROGRAM_CHECK_H_
