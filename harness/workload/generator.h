// Generates workloads from choices: the same answers give the same workload, for the model and for real system calls
// alike.
//
// Thread-safety: pure function of shape and answers.
// Invariants:    the result passes ValidateWorkload; with the answers all 0 every operation is the first kind of the
// shape
//                on the smallest operands (file 0, offset 0, shortest range, anonymous buffer).
// Cost:          at most 6 choices an operation.
// Example:
//   WorkloadShape shape{.files = 2, .tasks = 3, .kinds = {{FileOperationKind::kRead, 3},
//   {FileOperationKind::kPunchHole, 1}}}; ASSIGN_OR_RETURN(const Workload workload, GenerateWorkload(shape, choices));
#ifndef ORDEAL_HARNESS_WORKLOAD_GENERATOR_H_
#define ORDEAL_HARNESS_WORKLOAD_GENERATOR_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "harness/choice/recording.h"
#include "harness/workload/file_operation.h"

namespace ordeal {

struct OperationWeight {
  FileOperationKind kind = FileOperationKind::kRead;
  uint32_t weight = 1;
};
// Every kind, weighted towards what meets in the page cache.
std::vector<OperationWeight> AllOperations();

struct WorkloadShape {
  uint32_t files = 2;           // mapped by every process
  uint32_t unmapped_files = 0;  // behind them: opened and closed by each operation
  uint32_t pages_per_file = 4;  // initially, all written
  uint32_t growth_pages = 1;    // beyond them operations may reach
  uint32_t tasks = 3;
  uint32_t processes = 2;  // tasks are dealt to them in turn
  uint32_t operations_per_task = 4;
  uint32_t length_pages_max = 2;  // of one operation
  // Of reads and writes: anonymous_buffers parts have an anonymous buffer, mapped_buffers parts a mapping of some file.
  uint32_t anonymous_buffers = 3;
  uint32_t mapped_buffers = 1;
  std::vector<OperationWeight> kinds = AllOperations();  // those allowed; the first is the quiet one
};

// InvalidArgument for an impossible shape; the source's error if it stopped the run.
absl::StatusOr<Workload> GenerateWorkload(const WorkloadShape& shape, ChoiceRecorder& choices);

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_WORKLOAD_GENERATOR_H_
