// Workloads as text that diffs well: one file, one task or one operation a line; an operation is what ToString prints.
//
// Thread-safety: pure functions.
// Invariants:    ParseWorkload(PrintWorkload(w)) == w for every valid w; any byte string is parsed or refused.
// Example:
//   ordeal-workload 1
//   file a 16                   # name and initial size in cells
//   task process 0
//     write file 0 cells [0, 4) from mapping of file 0 at 4
//     truncate file 0 to 8
#ifndef ORDEAL_HARNESS_WORKLOAD_WORKLOAD_TEXT_H_
#define ORDEAL_HARNESS_WORKLOAD_WORKLOAD_TEXT_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "harness/workload/file_operation.h"

namespace ordeal {

inline constexpr uint32_t kWorkloadTextVersion = 1;

std::string PrintWorkload(const Workload& workload);

// `name` is what errors call the text, "mix.workload:7: ...". InvalidArgument; a newer version is FailedPrecondition.
absl::StatusOr<Workload> ParseWorkload(absl::string_view text, absl::string_view name = "workload");

// One operation, as ToString prints it.
absl::StatusOr<FileOperation> ParseFileOperation(absl::string_view text);

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_WORKLOAD_WORKLOAD_TEXT_H_
