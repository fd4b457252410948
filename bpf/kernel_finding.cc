#include "bpf/kernel_finding.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "lockdep/support/status_macros.h"

namespace ordeal::bpf {
namespace {

absl::StatusOr<uint64_t> ParseNumber(absl::string_view* text) {
  const size_t end = text->find('\n');
  uint64_t number = 0;
  if (end == absl::string_view::npos || !absl::SimpleAtoi(text->substr(0, end), &number)) {
    return absl::InvalidArgumentError("a number is missing");
  }
  text->remove_prefix(end + 1);
  return number;
}

absl::StatusOr<std::string> ParseString(absl::string_view* text) {
  ASSIGN_OR_RETURN(const uint64_t length, ParseNumber(text));
  if (length > text->size()) return absl::InvalidArgumentError("a text is cut off");
  std::string result(text->substr(0, length));
  text->remove_prefix(length);
  return result;
}

constexpr std::string KernelFinding::* kTexts[] = {&KernelFinding::kind,    &KernelFinding::signature,
                                                   &KernelFinding::summary, &KernelFinding::details,
                                                   &KernelFinding::workload, &KernelFinding::history};

}  // namespace

std::string FormatFindings(const std::vector<KernelFinding>& findings) {
  std::string text = absl::StrCat(findings.size(), "\n");
  for (const KernelFinding& finding : findings) {
    for (const auto member : kTexts) absl::StrAppend(&text, (finding.*member).size(), "\n", finding.*member);
    absl::StrAppend(&text, finding.seed, "\n", finding.count, "\n");
  }
  return text;
}

absl::StatusOr<std::vector<KernelFinding>> ParseFindings(absl::string_view* text) {
  std::vector<KernelFinding> findings;
  ASSIGN_OR_RETURN(const uint64_t count, ParseNumber(text));
  for (uint64_t i = 0; i < count; ++i) {
    KernelFinding finding;
    for (const auto member : kTexts) {
      ASSIGN_OR_RETURN(finding.*member, ParseString(text));
    }
    ASSIGN_OR_RETURN(finding.seed, ParseNumber(text));
    ASSIGN_OR_RETURN(finding.count, ParseNumber(text));
    findings.push_back(std::move(finding));
  }
  return findings;
}

void AddFinding(KernelFinding finding, std::vector<KernelFinding>* findings) {
  for (KernelFinding& known : *findings) {
    if (known.signature != finding.signature) continue;
    known.count += finding.count;
    return;
  }
  findings->push_back(std::move(finding));
}

}  // namespace ordeal::bpf
