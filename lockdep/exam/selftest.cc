#include "lockdep/exam/selftest.h"

#include <istream>
#include <ostream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "lockdep/exam/machine.h"
#include "lockdep/exam/notation.h"
#include "lockdep/runtime/validator.h"
#include "lockdep/support/status_macros.h"

namespace ordeal::lockdep {

absl::StatusOr<SelfTestVerdict> RunSelfTestSequence(absl::string_view text, const SelfTestOptions& options) {
  ASSIGN_OR_RETURN(const std::vector<Statement> statements, ParseNotation(text));
  Validator validator;
  SelfTestMachine machine(validator, options);
  for (const Statement& statement : statements) RETURN_IF_ERROR(machine.Execute(statement));
  SelfTestVerdict verdict;
  verdict.violations = validator.violations();
  verdict.report = !verdict.violations.empty();
  if (verdict.report) verdict.kind = verdict.violations.front().KindText();
  return verdict;
}

absl::StatusOr<SelfTestVerdict> RunSelfTestLine(absl::string_view line, const SelfTestOptions& options) {
  const std::vector<absl::string_view> columns = absl::StrSplit(line, absl::MaxSplits('\t', 5));
  int row = 0;
  if (columns.size() < 6 || !absl::SimpleAtoi(columns[0], &row)) return RunSelfTestSequence(line, options);
  SelfTestOptions of_row = options;
  if (row >= kFirstQueuedRow) of_row.queued_rwlocks = true;
  return RunSelfTestSequence(columns[5], of_row);
}

absl::Status RunSelfTestFile(std::istream& in, absl::string_view file_name, const SelfTestOptions& options,
                             std::ostream& out) {
  std::string errors;
  std::string text;
  for (int number = 1; std::getline(in, text); ++number) {
    const absl::string_view line = absl::StripAsciiWhitespace(text);
    if (line.empty() || line[0] == '#' || absl::StartsWith(line, "nr\t")) continue;
    const absl::StatusOr<SelfTestVerdict> verdict = RunSelfTestLine(line, options);
    if (verdict.ok()) {
      out << number << '\t' << (verdict->report ? "REPORT" : "ok") << '\t' << verdict->kind << '\n';
    } else {
      absl::StrAppend(&errors, errors.empty() ? "" : "\n", file_name, ":", number, ": ", verdict.status().message());
    }
  }
  if (in.bad()) return absl::DataLossError(absl::StrCat(file_name, ": cannot be read to its end"));
  return errors.empty() ? absl::OkStatus() : absl::InvalidArgumentError(errors);
}

}  // namespace ordeal::lockdep
