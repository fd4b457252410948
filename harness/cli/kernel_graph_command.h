// `ordeal kernel import|compare|show|model|map`: order graphs of the kernel and of the model, made, compared and looked at.
//
// Thread-safety: none.
// Exit status:   as exit_status.h says; compare gives 1 when an order is reversed or the union has a cycle.
// Example:       AddKernelGraphCommands(*kernel, hooks, &command);   // below the verb `kernel`
#ifndef ORDEAL_HARNESS_CLI_KERNEL_GRAPH_COMMAND_H_
#define ORDEAL_HARNESS_CLI_KERNEL_GRAPH_COMMAND_H_

#include <CLI/CLI.hpp>
#include <functional>

#include "harness/cli/kernel_command.h"

namespace ordeal {

void AddKernelGraphCommands(CLI::App& kernel, const KernelHooks& hooks, std::function<int()>* command);

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_CLI_KERNEL_GRAPH_COMMAND_H_
