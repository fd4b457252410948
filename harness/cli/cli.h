// The `ordeal` program as a function, so that a user's own main can add scenarios.
//
// Thread-safety: none; call it once.
// Exit status:   0 nothing found, 1 findings, 2 bad usage or bad input, 3 could not run here.
// Example:
//   int main(int argc, char** argv) {
//     ordeal::Registry registry = ordeal::BuiltIn();
//     registry.Add(MyScenario());
//     return ordeal::Main(argc, argv, registry);
//   }
#ifndef ORDEAL_HARNESS_CLI_CLI_H_
#define ORDEAL_HARNESS_CLI_CLI_H_

#include "harness/scenario/scenario.h"

namespace ordeal {

int Main(int argc, char** argv, const Registry& registry);

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_CLI_CLI_H_
