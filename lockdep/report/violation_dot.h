// A violation as a picture: one graph for each, in Graphviz's language or, by its program `dot`, as SVG.
//
// Nodes are lock classes. An arrow from A to B says that B was wanted while A was held, with both places and modes. The
// arrow that closes the cycle is red; one that needs an event is blue and dashed; where an interrupt closes the cycle, its
// arrow is violet and dotted. Violations without a graph (an unbalanced release) give one node that says what happened.
//
// Thread-safety: ViolationToDot is pure. DotToSvg runs a program and uses a temporary file.
// Example:       ASSIGN_OR_RETURN(const std::string svg, DotToSvg(ViolationToDot(violation)));
#ifndef ORDEAL_LOCKDEP_REPORT_VIOLATION_DOT_H_
#define ORDEAL_LOCKDEP_REPORT_VIOLATION_DOT_H_

#include <string>

#include "absl/status/statusor.h"
#include "lockdep/runtime/violation.h"

namespace ordeal::lockdep {

std::string ViolationToDot(const Violation& violation);

// FailedPrecondition with the remedy if `program` is not installed; InvalidArgument if it refuses `dot`.
absl::StatusOr<std::string> DotToSvg(const std::string& dot, const std::string& program = "dot");

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_REPORT_VIOLATION_DOT_H_
