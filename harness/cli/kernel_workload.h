// The workloads that `ordeal kernel run` gives to a real file system: generated, a different one each round, or read from a file.
//
// Thread-safety: pure functions; the one that Workloads returns may be called from one thread.
// Example:
//   ASSIGN_OR_RETURN(options.workload, Workloads(/*file=*/""));
#ifndef ORDEAL_HARNESS_CLI_KERNEL_WORKLOAD_H_
#define ORDEAL_HARNESS_CLI_KERNEL_WORKLOAD_H_

#include <cstdint>
#include <functional>
#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "harness/workload/file_operation.h"

namespace ordeal {

// Every kind of operation, on few pages, in more processes than a model's run has: here operations are cheap, and what is
// wanted is every path, not every interleaving. The shape depends on the seed too. `without`: kinds that are left out, for a
// kernel that is known to fail at them.
absl::StatusOr<Workload> KernelWorkload(uint64_t seed, const std::set<FileOperationKind>& without = {});

// The generated ones without the kinds of a list ("remap,fork"), or, if `file` is not empty, the one in that file
// (workload_text.h) in every round. InvalidArgument: a kind that there is not, nothing left, both.
absl::StatusOr<std::function<absl::StatusOr<Workload>(uint64_t seed)>> Workloads(const std::string& file,
                                                                                 const std::string& without = "");

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_CLI_KERNEL_WORKLOAD_H_
