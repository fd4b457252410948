// `ordeal lockdep`: the lock-order validator on a recorded trace, on the text of /proc/lockdep, or on an unmodified program.
//
// Thread-safety: none. Findings go to stdout (of a program: to stderr, since stdout is the program's own), errors to stderr.
// Exit status:   0 nothing found, 1 findings, 2 bad input ("FILE:LINE: what is wrong; what to do"), 3 cannot run here.
//                Of a program without findings its own. --format=selftest: 0 unless a line cannot be read.
// Example:
//   const std::vector<std::string> program = CutLockdepProgram(&argc, argv);
//   AddLockdepCommand(app, &program, &command);   // `command` is what to run after parsing
#ifndef ORDEAL_HARNESS_CLI_LOCKDEP_COMMAND_H_
#define ORDEAL_HARNESS_CLI_LOCKDEP_COMMAND_H_

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

namespace ordeal {

// What stands behind "lockdep ... --" or "kernel record ... --" belongs to the program: takes it from the arguments. Empty if
// there is no "--".
std::vector<std::string> CutLockdepProgram(int* argc, char** argv);

// Adds the verb. When it is parsed, *command becomes what to run; it returns the exit status. `program` (not owned): what
// CutLockdepProgram found.
void AddLockdepCommand(CLI::App& app, const std::vector<std::string>* program, std::function<int()>* command);

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_CLI_LOCKDEP_COMMAND_H_
