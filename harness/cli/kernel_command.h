// `ordeal kernel ...`: the real kernel's lock orders, and the model's beside them.
//
// Thread-safety: none. Results go to stdout, errors and progress to stderr.
// Exit status:   as exit_status.h says; compare gives 1 when an order is reversed or the union has a cycle; 130 after SIGINT.
// Example:
//   KernelHooks hooks;
//   hooks.model_graph = [&](const std::string& filesystem) { return GraphOfAllScenarios(filesystem); };
//   AddKernelCommand(app, hooks, &command);   // `command` is what to run after parsing
#ifndef ORDEAL_HARNESS_CLI_KERNEL_COMMAND_H_
#define ORDEAL_HARNESS_CLI_KERNEL_COMMAND_H_

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lockdep/report/order_graph.h"

namespace ordeal {

struct KernelHooks {
  // The lock orders of the model of that file system. Without it, `kernel compare` needs --model=FILE.
  std::function<absl::StatusOr<lockdep::OrderGraph>(const std::string& filesystem)> model_graph;
  const std::vector<std::string>* program = nullptr;  // what CutLockdepProgram took from behind "--"; not owned
};

// Adds the verb. When it is parsed, *command becomes what to run; it returns the exit status.
void AddKernelCommand(CLI::App& app, const KernelHooks& hooks, std::function<int()>* command);

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_CLI_KERNEL_COMMAND_H_
