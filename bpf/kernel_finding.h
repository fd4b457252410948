// What a run on a real kernel found: data that no allowed order of the operations explains, or an operation that hung.
//
// Thread-safety: plain value.
// Invariants:    equal signatures are one finding; the texts are of its first occurrence.
// Example:       for (const KernelFinding& finding : result.findings) out << finding.summary;
#ifndef ORDEAL_BPF_KERNEL_FINDING_H_
#define ORDEAL_BPF_KERNEL_FINDING_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace ordeal::bpf {

struct KernelFinding {
  std::string kind;       // "data" or "hang"
  std::string signature;  // "stale: read vs direct-write": no numbers
  std::string summary;    // one line
  std::string details;    // both operations and what was allowed; of a hang all tasks and their kernel stacks
  std::string workload;   // of the round, as text: `ordeal kernel run --workload=FILE` runs it again
  std::string history;    // of the round, as text
  uint64_t seed = 0;      // of the round
  uint64_t count = 1;     // occurrences
};

// To send them through a pipe. ParseFindings consumes what it has read; InvalidArgument for anything else.
std::string FormatFindings(const std::vector<KernelFinding>& findings);
absl::StatusOr<std::vector<KernelFinding>> ParseFindings(absl::string_view* text);

// Counts it with the one that has its signature, if there is one.
void AddFinding(KernelFinding finding, std::vector<KernelFinding>* findings);

}  // namespace ordeal::bpf

#endif  // ORDEAL_BPF_KERNEL_FINDING_H_
