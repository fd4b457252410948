// What the program's exit status means, and how an error becomes one.
//
// Thread-safety: constants and a pure function.
// Example:       if (!result.ok()) return Fail(result.status());
#ifndef ORDEAL_HARNESS_CLI_EXIT_STATUS_H_
#define ORDEAL_HARNESS_CLI_EXIT_STATUS_H_

#include "absl/status/status.h"

namespace ordeal {

inline constexpr int kExitQuiet = 0;     // nothing found
inline constexpr int kExitFindings = 1;  // findings, or a replay that differs
inline constexpr int kExitUsage = 2;     // bad usage or bad input
inline constexpr int kExitCannot = 3;    // could not run here

// Prints "ordeal: message" on stderr as one line and returns the exit status: 3 for what the machine refused (permission,
// disk), 2 for everything that the caller can correct.
int Fail(const absl::Status& status);

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_CLI_EXIT_STATUS_H_
