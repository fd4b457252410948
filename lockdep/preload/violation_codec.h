// Violations as bytes, for the channel between a checked program and its launcher (both of one build: no versions).
//
// Sites travel as text. RewriteTexts visits every text of a violation, so that the launcher can put names of functions, files
// and lines for the places that the program could only give as module and offset.
//
// Thread-safety: pure functions; the texts of decoded sites are interned for the life of the process.
// Invariants:    DecodeViolation accepts what EncodeViolation made, and any other bytes without harm.
// Example:       Violation violation;   if (DecodeViolation(record.bytes, &violation)) ...
#ifndef ORDEAL_LOCKDEP_PRELOAD_VIOLATION_CODEC_H_
#define ORDEAL_LOCKDEP_PRELOAD_VIOLATION_CODEC_H_

#include <string>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "lockdep/runtime/violation.h"

namespace ordeal::lockdep {

std::string EncodeViolation(const Violation& violation);
// False: the bytes are damaged.
bool DecodeViolation(absl::string_view bytes, Violation* violation);

// Replaces each text, sites among them, by rewrite(text).
void RewriteTexts(Violation& violation, absl::FunctionRef<std::string(const std::string&)> rewrite);

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_PRELOAD_VIOLATION_CODEC_H_
