#include "harness/cli/lockdep_output.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "harness/corpus/corpus_file.h"
#include "lockdep/report/splat.h"
#include "lockdep/report/violation_dot.h"
#include "lockdep/report/violation_json.h"
#include "lockdep/support/status_macros.h"

namespace ordeal {
namespace {

using lockdep::Violation;

// "x.svg" -> "x-2.svg" for the second.
std::string NumberedFile(const std::string& file, size_t number) {
  if (number == 1) return file;
  const size_t slash = file.rfind('/');
  const size_t dot = file.rfind('.');
  const bool has_extension = dot != std::string::npos && (slash == std::string::npos || dot > slash);
  const size_t at = has_extension ? dot : file.size();
  return absl::StrCat(file.substr(0, at), "-", number, file.substr(at));
}

absl::Status WriteSvgs(const std::vector<Violation>& violations, const std::string& file) {
  for (size_t i = 0; i < violations.size(); ++i) {
    const absl::StatusOr<std::string> svg = lockdep::DotToSvg(lockdep::ViolationToDot(violations[i]));
    if (svg.status().code() == absl::StatusCode::kFailedPrecondition) return absl::UnavailableError(svg.status().message());
    RETURN_IF_ERROR(svg.status());
    RETURN_IF_ERROR(WriteFileAtomically(NumberedFile(file, i + 1), *svg));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status WriteViolations(const std::vector<Violation>& violations, const ViolationFiles& files) {
  if (!files.json.empty()) RETURN_IF_ERROR(WriteFileAtomically(files.json, lockdep::FormatViolationsJson(violations)));
  if (!files.dot.empty()) {
    std::string dot;
    for (const Violation& violation : violations) absl::StrAppend(&dot, lockdep::ViolationToDot(violation));
    RETURN_IF_ERROR(WriteFileAtomically(files.dot, dot));
  }
  return files.svg.empty() ? absl::OkStatus() : WriteSvgs(violations, files.svg);
}

std::string RenderViolations(const std::vector<Violation>& violations) {
  std::string text;
  for (const Violation& violation : violations) {
    absl::StrAppend(&text, lockdep::RenderSplat(violation));
    if (!absl::EndsWith(text, "\n")) text += '\n';
    text += '\n';
  }
  return text;
}

std::string CountText(size_t findings) {
  if (findings == 0) return "nothing found";
  return absl::StrCat(findings, findings == 1 ? " finding" : " findings");
}

}  // namespace ordeal
