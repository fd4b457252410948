// The row notation of the lock self-test: "sL(A) sL(B) sU(B) sU(A) ; sL(B) sL(A)" as a list of statements.
//
// Verbs are not interpreted here (see selftest.h). Words are separated by blanks and ';'; text in [ ] is a comment; '!'
// marks the operation that a reader should look at. The prose form
//   each of {mL, mT ok, mT fail, mL_nest(t)}(o.base) then mU(o.base)
// is one call and one release for each entry; "mT fail" takes the lock first, so that the attempt fails.
//
// Thread-safety: pure functions.
// Example:  ASSIGN_OR_RETURN(std::vector<Statement> statements, ParseNotation("wwL(o,t)=EDEADLK ; t.stamp++"));
#ifndef ORDEAL_LOCKDEP_EXAM_NOTATION_H_
#define ORDEAL_LOCKDEP_EXAM_NOTATION_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace ordeal::lockdep {

struct Statement {
  enum class Kind { kCall, kAssign, kMustBe };
  Kind kind = Kind::kCall;
  std::string text;               // as written
  std::string verb;               // kCall: "sL", "h+"
  std::vector<std::string> args;  // kCall: "A", "o.base"; "nest=o" is "o"
  std::string expected;           // kCall: the value that it must return, "0", "EDEADLK"; empty: any
  std::string target;             // kAssign, kMustBe: "t2", "t"
  std::string field;              // ... "stamp"; empty: all of it
  std::string value;              // ... "0", "poison", "++", "--", another's name
};

absl::StatusOr<std::vector<Statement>> ParseNotation(absl::string_view text);

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_EXAM_NOTATION_H_
