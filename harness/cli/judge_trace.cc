#include "harness/cli/judge_trace.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "lockdep/predict/predictor.h"
#include "lockdep/support/status_macros.h"
#include "lockdep/trace/player.h"

namespace ordeal {
namespace {

using lockdep::GradedCycle;
using lockdep::LockEvent;
using lockdep::TraceFormat;
using lockdep::Violation;

constexpr char kNameTheFormat[] = "name it with --format=own, std or selftest";
constexpr size_t kDetectBytes = 64 * 1024;

// "T1|acq(L)|12"
bool LooksLikeStd(absl::string_view line) {
  const size_t bar = line.find('|');
  if (bar == absl::string_view::npos || bar == 0) return false;
  const absl::string_view operation = line.substr(bar + 1);
  const size_t open = operation.find('(');
  return open != absl::string_view::npos && open > 0 &&
         std::all_of(operation.begin(), operation.begin() + static_cast<long>(open),
                     [](char c) { return absl::ascii_isalpha(static_cast<unsigned char>(c)); });
}

// "mL(A) mL(B)", "h+ h-", "reclaim+", "alloc(NOFS)", or a whole row of the kernel's table.
bool LooksLikeSelftest(absl::string_view line) {
  if (std::count(line.begin(), line.end(), '\t') >= 5) return true;
  const size_t end = line.find_first_of(" \t");
  const absl::string_view word = line.substr(0, end);
  return absl::ascii_isalpha(static_cast<unsigned char>(word[0])) && word.find('|') == absl::string_view::npos &&
         (word.find('(') != absl::string_view::npos || word.back() == '+' || word.back() == '-' || word == "hd" ||
          word == "sd" || word == "he" || word == "se");
}

bool IsBinary(absl::string_view text) { return text.find('\0') != absl::string_view::npos; }

absl::StatusOr<TraceFormat> FormatOf(absl::string_view line, const std::string& where) {
  if (absl::StartsWith(line, "ordeal-lock-trace")) return TraceFormat::kOwn;
  if (LooksLikeStd(line)) return TraceFormat::kStd;
  if (LooksLikeSelftest(line)) return TraceFormat::kSelftest;
  if (absl::StartsWith(line, "all lock classes:") || absl::StartsWith(line, "all lock chains:")) {
    return absl::InvalidArgumentError(absl::StrCat(where, ": this is the text of /proc/lockdep; use --proc instead of --trace"));
  }
  return absl::InvalidArgumentError(absl::StrCat(where, ": the format of this trace is not recognised; ", kNameTheFormat));
}

// A violation's cycle as the predictor writes one: "A > B".
std::string PredictorSignature(const Violation& violation) {
  std::vector<std::string> nodes;
  for (const lockdep::DependencyReport& dependency : violation.cycle) nodes.push_back(dependency.from);
  return lockdep::CycleSignature(std::move(nodes));
}

void Predict(const lockdep::Trace& trace, TraceJudgement* judgement) {
  const lockdep::Predictor predictor(trace);
  std::set<std::string> reported;
  for (Violation& violation : judgement->violations) {
    if (violation.kind != lockdep::ViolationKind::kCircular && violation.kind != lockdep::ViolationKind::kRecursive) continue;
    predictor.GradeInPlace(&violation);
    if (!violation.cycle.empty()) reported.insert(PredictorSignature(violation));
  }
  for (const GradedCycle& cycle : predictor.cycles()) {
    if (reported.insert(cycle.signature).second) judgement->predicted.push_back(cycle);
  }
  judgement->complete = predictor.stats().complete;
}

}  // namespace

absl::StatusOr<TraceFormat> DetectTraceFormat(const std::string& path) {
  if (path == "-") return TraceFormat::kOwn;
  std::ifstream in(path, std::ios::binary);
  if (!in) return absl::NotFoundError(absl::StrCat(path, ": cannot open: ", std::strerror(errno)));
  std::string head(kDetectBytes, '\0');
  in.read(head.data(), static_cast<std::streamsize>(head.size()));
  if (in.bad() || (in.fail() && !in.eof())) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": cannot be read: ", std::strerror(errno)));
  }
  head.resize(static_cast<size_t>(in.gcount()));
  int number = 1;
  for (absl::string_view rest = head; !rest.empty(); ++number) {
    const size_t end = rest.find('\n');
    const absl::string_view line = absl::StripAsciiWhitespace(rest.substr(0, end));
    rest.remove_prefix(end == absl::string_view::npos ? rest.size() : end + 1);
    const std::string where = absl::StrCat(path, ":", number);
    if (IsBinary(line)) {
      return absl::InvalidArgumentError(absl::StrCat(where, ": this is no text; a trace has one event a line"));
    }
    if (line.empty() || line[0] == '#' || absl::StartsWith(line, "nr\t")) continue;
    return FormatOf(line, where);
  }
  return absl::InvalidArgumentError(absl::StrCat(path, ":1: the file is empty; a trace has one event a line"));
}

absl::StatusOr<TraceJudgement> JudgeTrace(const std::string& path, const JudgeTraceOptions& options) {
  TraceJudgement judgement;
  judgement.trace = std::make_unique<lockdep::Trace>();
  lockdep::Trace& trace = *judgement.trace;
  lockdep::Validator validator({.grade_online = true, .count_sites = true});
  const bool keep = options.predict || options.keep_events;
  {
    lockdep::Player player(&trace.symbols, &validator);
    RETURN_IF_ERROR(lockdep::ReadTraceFile(path, options.format, &trace.symbols, [&](const LockEvent& event) {
      if (keep) trace.events.push_back(event);
      player.Play(event);
    }));
    player.Finish();
    judgement.events = player.events();
    judgement.violations = validator.Violations();
    judgement.stats = validator.stats();
  }
  if (options.predict) {
    for (uint32_t i = 0; i < trace.symbols.classes(); ++i) {
      if (trace.symbols.class_row(i).options.kind == nullptr) continue;
      return absl::InvalidArgumentError(absl::StrCat(path, ": lock class '", trace.symbols.class_id(i),
                                                     "' has a kind, which prediction does not know; leave --grade out"));
    }
    Predict(trace, &judgement);
  }
  return judgement;
}

}  // namespace ordeal
