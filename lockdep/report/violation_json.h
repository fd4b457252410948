// Violations as JSON, for programs: everything the value has, the summary and the splat. docs/formats/violations-json.md
// is the schema.
//
// Thread-safety: pure functions.
// Invariants:    keys come in a fixed order and none is left out; what is not known is null. Bytes that are no UTF-8 become
//                U+FFFD.
// Example:       out << FormatViolationsJson(validator.violations());
#ifndef ORDEAL_LOCKDEP_REPORT_VIOLATION_JSON_H_
#define ORDEAL_LOCKDEP_REPORT_VIOLATION_JSON_H_

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "lockdep/runtime/violation.h"

namespace ordeal::lockdep {

inline constexpr int kViolationsJsonFormat = 1;

// One violation: an element of the array "violations".
nlohmann::ordered_json ViolationToJson(const Violation& violation);
// {"format": 1, "violations": [...]}, indented, with a newline at the end.
std::string FormatViolationsJson(const std::vector<Violation>& violations);

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_REPORT_VIOLATION_JSON_H_
