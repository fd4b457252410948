// `ordeal kernel record [OPTIONS] [-- COMMAND...]`: the lock orders of a live machine.
//
// Thread-safety: none. The report goes to stdout, or to stderr beside a command, whose output is its own; JSON to stdout.
// Exit status:   0 nothing found, 1 a page added under an exclusive invalidate lock or a cycle of orders, 2 bad usage, 3 cannot
//                run here. Of a command without findings its own.
// Example:       AddKernelRecordCommand(kernel, &program, &command);   // `program`: what stood behind "--"
#ifndef ORDEAL_HARNESS_CLI_KERNEL_RECORD_COMMAND_H_
#define ORDEAL_HARNESS_CLI_KERNEL_RECORD_COMMAND_H_

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

namespace ordeal {

// Adds the verb to `ordeal kernel`. `program` is not owned.
void AddKernelRecordCommand(CLI::App* kernel, const std::vector<std::string>* program, std::function<int()>* command);

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_CLI_KERNEL_RECORD_COMMAND_H_
