// What `ordeal lockdep` writes about violations: splats, JSON, pictures.
//
// Thread-safety: none.
// Example:       RETURN_IF_ERROR(WriteViolations(violations, {.json = "out.json"}));
#ifndef ORDEAL_HARNESS_CLI_LOCKDEP_OUTPUT_H_
#define ORDEAL_HARNESS_CLI_LOCKDEP_OUTPUT_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "lockdep/runtime/violation.h"

namespace ordeal {

// Files, each optional. One picture a violation: "x.svg", "x-2.svg", "x-3.svg"; of DOT all in one file, which may hold many.
struct ViolationFiles {
  std::string json;
  std::string dot;
  std::string svg;
};

// Unavailable if `dot` is needed and not installed.
absl::Status WriteViolations(const std::vector<lockdep::Violation>& violations, const ViolationFiles& files);

// Splats, as text; colours where the terminal has them.
std::string RenderViolations(const std::vector<lockdep::Violation>& violations);

// Violations that may mean a deadlock or a broken rule; "2 findings", "nothing found".
std::string CountText(size_t findings);

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_CLI_LOCKDEP_OUTPUT_H_
