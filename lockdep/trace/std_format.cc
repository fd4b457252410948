#include "lockdep/trace/std_format.h"

#include <array>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace ordeal::lockdep {
namespace {

struct StdRow {
  const char* word;
  EventOp op;
};
constexpr std::array<StdRow, 12> kStdOps = {{{"acq", EventOp::kAcquire},
                                            {"rel", EventOp::kRelease},
                                            {"r", EventOp::kRead},
                                            {"w", EventOp::kWrite},
                                            {"fork", EventOp::kFork},
                                            {"join", EventOp::kJoin},
                                            {"req", EventOp::kRequest},
                                            {"begin", EventOp::kMark},
                                            {"end", EventOp::kMark},
                                            {"dummy", EventOp::kMark},
                                            {"sync", EventOp::kMark},
                                            {"branch", EventOp::kMark}}};

std::string Quote(absl::string_view text) {
  return absl::StrCat("'", absl::CHexEscape(text.substr(0, 60)), text.size() > 60 ? "..." : "", "'");
}

absl::Status Error(absl::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat(what, "; write TASK|OPERATION(OBJECT)|LOCATION, for example T1|acq(L)|40"));
}

}  // namespace

absl::Status StdFormatParser::ParseLine(absl::string_view line, EventSink sink) {
  while (absl::EndsWith(line, "\r") || absl::EndsWith(line, " ")) line.remove_suffix(1);
  if (line.empty() || line[0] == '#') return absl::OkStatus();
  const size_t first = line.find('|');
  const size_t second = first == absl::string_view::npos ? first : line.find('|', first + 1);
  if (second == absl::string_view::npos) return Error(absl::StrCat(Quote(line), " has no three fields"));
  const absl::string_view task = line.substr(0, first);
  const absl::string_view call = line.substr(first + 1, second - first - 1);
  const absl::string_view location = line.substr(second + 1);
  if (task.empty()) return Error("the task has no name");
  if (location.find('|') != absl::string_view::npos) return Error(absl::StrCat(Quote(line), " has more than three fields"));
  const size_t open = call.find('(');
  const absl::string_view word = call.substr(0, open);
  absl::string_view object;
  if (open != absl::string_view::npos) {
    if (!absl::EndsWith(call, ")")) return Error(absl::StrCat(Quote(call), " lacks its closing parenthesis"));
    object = call.substr(open + 1, call.size() - open - 2);
  }
  LockEvent event;
  bool known = false;
  for (const StdRow& row : kStdOps) {
    if (word != row.word) continue;
    event.op = row.op;
    known = true;
    break;
  }
  if (!known) {
    return absl::InvalidArgumentError(absl::StrCat("unknown operation ", Quote(word),
                                                   "; known: acq rel req fork join r w begin end dummy sync branch"));
  }
  if (event.op != EventOp::kMark && object.empty()) return Error(absl::StrCat(Quote(call), " has no object"));
  event.task = symbols_.Task(task);
  switch (ObjectOf(event.op)) {
    case ObjectKind::kLock: event.object = symbols_.Lock(object); break;
    case ObjectKind::kTask: event.object = symbols_.Task(object); break;
    case ObjectKind::kVariable: event.object = symbols_.Variable(object); break;
    default: break;
  }
  if (!location.empty()) event.site = symbols_.SiteIndex(location);
  if (IsOutermost(event)) sink(event);
  return absl::OkStatus();
}

bool StdFormatParser::IsOutermost(const LockEvent& event) {
  if (event.op == EventOp::kAcquire) return ++depth_[{event.task, event.object}] == 1;
  if (event.op == EventOp::kRequest) return !depth_.contains({event.task, event.object});
  if (event.op != EventOp::kRelease) return true;
  const auto held = depth_.find({event.task, event.object});
  if (held == depth_.end()) return true;  // the validator's to judge
  if (--held->second > 0) return false;
  depth_.erase(held);
  return true;
}

bool AppendStdFormat(const LockEvent& event, const TraceSymbols& symbols, std::string* out) {
  const bool plain = event.mode == Mode::kExclusive && event.subclass == 0 && event.nest == kNoIndex &&
                     (event.flags & ~(kFlagTimed | kFlagInterruptible)) == 0;
  const std::string site = event.site == kNoIndex ? std::string("0") : symbols.site_text(event.site);
  for (const StdRow& row : kStdOps) {
    if (row.op != event.op || !plain) continue;
    if (event.op == EventOp::kMark) return false;  // which of the marks it was is not kept
    const absl::string_view object = ObjectOf(event.op) == ObjectKind::kLock   ? symbols.lock_name(event.object)
                                     : ObjectOf(event.op) == ObjectKind::kTask ? symbols.task_name(event.object)
                                                                               : symbols.variable_name(event.object);
    absl::StrAppend(out, symbols.task_name(event.task), "|", row.word, "(", object, ")|", site, "\n");
    return true;
  }
  return false;
}

}  // namespace ordeal::lockdep
