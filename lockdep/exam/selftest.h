// The kernel's lock self-test as an exam for the validator: interprets rows of the test, given in its notation, and tells
// what the validator reports.
//
// A row is run by one task on a fresh validator; nothing ever blocks. Names: X1 and X2 are two locks of the class X; every
// kind of lock has its own classes (the mutex A is not the spinlock A); o, o2 are wound/wait mutexes and t, t2 acquire
// contexts, all of one wound/wait class. A call that returns another value than its row expects is a broken rule of the
// primitive ("api-assert"), as is a value that "must stay" and did not.
// rL reads recursively, as the test does in most parts; with `queued_rwlocks` only in interrupts, as in the rest of it.
//
// Thread-safety: pure functions. Cost: microseconds a row.
// Example:
//   ASSIGN_OR_RETURN(SelfTestVerdict verdict, RunSelfTestSequence("sL(A) sL(B) sU(B) sU(A) ; sL(B) sL(A)"));
//   // verdict.report, verdict.kind == "circular"
#ifndef ORDEAL_LOCKDEP_EXAM_SELFTEST_H_
#define ORDEAL_LOCKDEP_EXAM_SELFTEST_H_

#include <iosfwd>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lockdep/runtime/violation.h"

namespace ordeal::lockdep {

struct SelfTestOptions {
  bool queued_rwlocks = false;
};

struct SelfTestVerdict {
  bool report = false;
  std::string kind = "-";  // Violation::KindText() of the first violation
  std::vector<Violation> violations;
};

absl::StatusOr<SelfTestVerdict> RunSelfTestSequence(absl::string_view text, const SelfTestOptions& options = {});

// Rows of the test table from this number on are about queued rwlocks.
inline constexpr int kFirstQueuedRow = 313;

// One line of a file: a sequence, or a whole row of the test table (six columns; its number then sets queued_rwlocks).
absl::StatusOr<SelfTestVerdict> RunSelfTestLine(absl::string_view line, const SelfTestOptions& options = {});

// Prints "LINE<tab>REPORT|ok<tab>KIND" for each line of `in` that is neither blank nor a comment (#) nor a table's head.
// Lines that cannot be read print nothing; the status names each of them.
absl::Status RunSelfTestFile(std::istream& in, absl::string_view file_name, const SelfTestOptions& options,
                             std::ostream& out);

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_EXAM_SELFTEST_H_
