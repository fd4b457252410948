#include "bpf/vm/console_log.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace ordeal::bpf {
namespace {

struct Pattern {
  const char* text;
  const char* kind;
};
// The first that a line contains decides. Those of lockdep come first: its headers also say WARNING.
constexpr Pattern kPatterns[] = {
    {"possible circular locking dependency detected", "lockdep"},
    {"possible recursive locking detected", "lockdep"},
    {"possible irq lock inversion dependency detected", "lockdep"},
    {"lock order detected", "lockdep"},  // "... HARDIRQ-safe -> HARDIRQ-unsafe lock order detected"
    {"inconsistent lock state", "lockdep"},
    {"bad unlock balance detected", "lockdep"},
    {"bad contention detected", "lockdep"},
    {"held lock freed", "lockdep"},
    {"lock held when returning to user space", "lockdep"},
    {"Nested lock was not taken", "lockdep"},
    {"Invalid wait context", "lockdep"},
    {"suspicious RCU usage", "lockdep"},
    {"BUG: sleeping function called from invalid context", "lockdep"},
    {"Kernel panic - not syncing", "panic"},
    {"blocked for more than", "hung-task"},
    {"BUG: MAX_LOCK", "lockdep-full"},  // MAX_LOCKDEP_CHAINS, ..._KEYS, MAX_LOCK_DEPTH: "... too low!"
    {"BUG: MAX_STACK_TRACE_ENTRIES", "lockdep-full"},
    {"self-detected stall on CPU", "stall"},
    {"detected stalls on CPUs/tasks", "stall"},
    {"BUG: soft lockup", "stall"},
    {"BUG: workqueue lockup", "stall"},
    {"BUG:", "bug"},
    {"kernel BUG at", "bug"},
    {"Oops:", "bug"},
    {"general protection fault", "bug"},
    {"WARNING: CPU:", "warning"},
    {"Internal error:", "warning"},  // XFS: "Internal error ... at line ..."
    {"Corruption of in-memory data", "bug"},
};
// With faults: what a report of a file system that gives up contains.
constexpr const char* kGivesUp[] = {
    "Transaction aborted (error -",  // btrfs
    "xfs_trans_cancel",              // XFS: of a transaction that has changed something
    "xfs_do_force_shutdown",
    "mark_buffer_dirty",             // after the write of a block of metadata failed
};
constexpr size_t kReportLinesMax = 200;
constexpr int kReportTailLines = 40;  // of a report without an end mark

// "[   12.345678] text" and "[   12.345678][   T42] text".
absl::string_view WithoutTimeStamp(absl::string_view line) {
  while (absl::ConsumePrefix(&line, "[")) {
    const size_t end = line.find(']');
    if (end == absl::string_view::npos) break;
    line.remove_prefix(end + 1);
  }
  return absl::StripLeadingAsciiWhitespace(absl::StripTrailingAsciiWhitespace(line));
}

const Pattern* Match(absl::string_view line) {
  for (const Pattern& pattern : kPatterns) {
    if (absl::StrContains(line, pattern.text)) return &pattern;
  }
  return nullptr;
}

bool IsConsequence(const ConsoleFinding& finding) {
  if (finding.kind != "warning" && finding.kind != "bug") return false;
  return std::any_of(std::begin(kGivesUp), std::end(kGivesUp),
                     [&](const char* text) { return absl::StrContains(finding.text, text); });
}

// Reports end with their stack trace.
bool EndsReport(absl::string_view line) {
  return absl::StartsWith(line, "</TASK>") || absl::StartsWith(line, "---[ end ") || absl::StartsWith(line, "ordeal-vm:");
}

}  // namespace

std::vector<ConsoleFinding> FindInConsole(const std::string& log, bool faults) {
  const std::vector<absl::string_view> lines = absl::StrSplit(log, '\n');
  std::vector<ConsoleFinding> findings;
  for (size_t i = 0; i < lines.size(); ++i) {
    const absl::string_view title = WithoutTimeStamp(lines[i]);
    const Pattern* pattern = Match(title);
    if (pattern == nullptr) continue;
    ConsoleFinding finding{.kind = pattern->kind, .title = std::string(title.data(), title.size()), .text = "",
                           .line = static_cast<int>(i) + 1};
    size_t last = i;
    const size_t limit = std::min(lines.size(), i + kReportLinesMax);
    while (last + 1 < limit && !EndsReport(WithoutTimeStamp(lines[last]))) ++last;
    if (!EndsReport(WithoutTimeStamp(lines[last]))) last = std::min(lines.size() - 1, i + kReportTailLines);
    for (size_t j = i; j <= last; ++j) absl::StrAppend(&finding.text, WithoutTimeStamp(lines[j]), "\n");
    i = last;
    finding.consequence = faults && IsConsequence(finding);
    const auto same = std::find_if(findings.begin(), findings.end(), [&](const ConsoleFinding& known) {
      return known.kind == finding.kind && known.title == finding.title;
    });
    if (same != findings.end()) {
      ++same->times;
    } else {
      findings.push_back(std::move(finding));
    }
  }
  return findings;
}

}  // namespace ordeal::bpf
