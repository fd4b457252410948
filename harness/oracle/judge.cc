#include "harness/oracle/judge.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace ordeal {
namespace {

bool ReadsThroughCache(FileOperationKind kind) {
  return kind == FileOperationKind::kRead || kind == FileOperationKind::kLoad;
}

bool IsBufferedWrite(const OperationEvent& event) {
  return IsBufferedWriteCall(event.operation.kind) && event.error == 0 && event.end != kUnfinished;
}

// Its data carries the labels of where it came from, which do not name it.
bool CopiesIntoFile(const OperationEvent& event) {
  return event.copies_values && event.operation.buffer_file != kAnonymousBuffer;
}

bool Covers(const OperationEvent& event, uint32_t cell) {
  return cell >= event.operation.offset_cells && cell - event.operation.offset_cells < event.completed_cells;
}

// Where the first of event.observed lies.
CellAt ObservedAt(const FileOperation& operation) {
  if (IsWriteCall(operation.kind)) {
    return {operation.buffer_file, operation.buffer_offset_cells};
  }
  return {operation.file, operation.offset_cells};
}

bool Poison(const CellValue& value) {
  return value.kind == CellKind::kFreedPoison || value.kind == CellKind::kBlankPoison;
}

}  // namespace

absl::string_view DataViolationKindName(DataViolationKind kind) {
  switch (kind) {
    case DataViolationKind::kTorn: return "torn";
    case DataViolationKind::kExposure: return "exposure";
    case DataViolationKind::kForeign: return "foreign";
    case DataViolationKind::kStale: return "stale";
    case DataViolationKind::kNotZero: return "not-zero";
    case DataViolationKind::kUnwrittenZero: return "unwritten-zero";
    case DataViolationKind::kLostWrite: return "lost-write";
    case DataViolationKind::kIncoherent: return "incoherent";
    case DataViolationKind::kSplitCall: return "split-call";
    case DataViolationKind::kInversion: return "inversion";
    case DataViolationKind::kShortRead: return "short-read";
    case DataViolationKind::kBeyondEnd: return "beyond-end";
    case DataViolationKind::kLostBlock: return "lost-block";
    case DataViolationKind::kLeakedBlock: return "leaked-block";
  }
  return "unknown";
}

const std::vector<DataViolation>& HistoryJudge::Judge(const History& history) {
  history_ = &history;
  violations_.clear();
  sights_.clear();
  versions_.Build(history);
  last_sequence_ = 0;
  for (const OperationEvent& event : history.events) {
    last_sequence_ = std::max(last_sequence_, event.end == kUnfinished ? event.start : event.end);
  }
  for (const ReportedError& error : history.errors) last_sequence_ = std::max(last_sequence_, error.sequence);
  for (size_t i = 0; i < history.events.size(); ++i) JudgeEvent(static_cast<int>(i));
  JudgeInversions();
  for (const FinalState& state : history.final_states) JudgeFinal(state);
  return violations_;
}

void HistoryJudge::JudgeEvent(int index) {
  const OperationEvent& event = history_->events[static_cast<size_t>(index)];
  if (event.observed.empty() && event.completed_cells == event.operation.length_cells) return;
  const CellAt first = ObservedAt(event.operation);
  const Interval interval{event.start, event.end};
  const bool cached = ReadsThroughCache(event.operation.kind) && event.error == 0;
  for (size_t i = 0; i < event.observed.size(); ++i) {
    const Sight sight{
        Reader::kEvent, index, {first.file, first.cell + static_cast<uint32_t>(i)}, interval, event.observed[i]};
    JudgeSight(sight, false);
    if (cached && sight.value.kind != CellKind::kMixture) sights_.push_back(sight);
  }
  JudgeLength(index);
  if (history_->promises.atomic_calls && event.operation.kind == FileOperationKind::kRead) {
    JudgeSplitCalls(Reader::kEvent, index, first.file, first.cell, event.observed, interval);
  }
}

// A read ends where the file ends: neither earlier nor later.
void HistoryJudge::JudgeLength(int index) {
  const OperationEvent& event = history_->events[static_cast<size_t>(index)];
  const FileOperation& operation = event.operation;
  if (!IsReadCall(operation.kind)) return;
  if (event.error != 0 || event.end == kUnfinished) return;
  const Interval interval{event.start, event.end};
  Sight sight{Reader::kEvent, index, {operation.file, 0}, interval, {}};
  for (uint32_t i = 0; i < event.completed_cells; ++i) {
    sight.at.cell = operation.offset_cells + i;
    if (i < event.observed.size()) sight.value = event.observed[i];
    if (versions_.SurelyOutside(sight.at, interval)) Report(DataViolationKind::kBeyondEnd, sight, kNoEvent);
  }
  if (event.completed_cells >= operation.length_cells || history_->promises.short_transfers ||
      operation.buffer_file != kAnonymousBuffer) {
    return;
  }
  sight.at.cell = operation.offset_cells + event.completed_cells;
  sight.value = {};
  if (versions_.SurelyInside(sight.at, interval)) Report(DataViolationKind::kShortRead, sight, kNoEvent);
}

absl::Span<const CellValue> HistoryJudge::PartsOf(const CellValue& value) const {
  if (value.kind == CellKind::kMixture) return history_->mixtures[value.operation];
  return absl::MakeConstSpan(&value, 1);
}

const CellValue* HistoryJudge::Offending(CellAt at, Interval interval, const CellValue& value) const {
  for (const CellValue& part : PartsOf(value)) {
    if (part.kind != CellKind::kUnknown && !versions_.Allows(at, interval, part)) return &part;
  }
  return nullptr;
}

void HistoryJudge::JudgeSight(const Sight& sight, bool quiescent) {
  const CellValue* offending = Offending(sight.at, sight.interval, sight.value);
  if (offending == nullptr) return;
  Sight blamed = sight;
  blamed.value = *offending;
  int other = kNoEvent;
  const DataViolationKind kind = Classify(blamed, quiescent, &other);
  Report(kind, blamed, other);
}

DataViolationKind HistoryJudge::Classify(const Sight& sight, bool quiescent, int* other_event) const {
  *other_event = LastRemover(sight.at, sight.interval);
  if (sight.value.kind == CellKind::kTorn) return DataViolationKind::kTorn;
  if (Poison(sight.value)) return DataViolationKind::kExposure;
  const Version* hider = nullptr;
  bool known = false;
  for (const Version& version : versions_.of(sight.at)) {
    if (!versions_.Matches(sight.at, version, sight.value)) continue;
    known = true;
    if (versions_.Erased(sight.at, sight.interval, version)) return DataViolationKind::kExposure;
    const Version* found = versions_.Hider(sight.at, sight.interval, version);
    if (found != nullptr) hider = found;
  }
  if (!known) {
    return sight.value.kind == CellKind::kZero ? DataViolationKind::kUnwrittenZero : DataViolationKind::kForeign;
  }
  if (hider == nullptr) return DataViolationKind::kForeign;  // from the future
  *other_event = hider->event;
  if (hider->content == Version::Content::kZero) return DataViolationKind::kNotZero;
  return quiescent ? DataViolationKind::kLostWrite : DataViolationKind::kStale;
}

// The punch or truncate over the cell that began last before the reader ended: it freed the block.
int HistoryJudge::LastRemover(CellAt at, Interval interval) const {
  int found = kNoEvent;
  uint64_t start = 0;
  for (const Version& version : versions_.of(at)) {
    if (version.event == kInitialEvent || !versions_.Removes(version)) continue;
    if (version.start < interval.end && version.start >= start) {
      found = version.event;
      start = version.start;
    }
  }
  return found;
}

int HistoryJudge::EventOf(const CellValue& value) const {
  if (value.kind != CellKind::kData) return kNoEvent;
  for (size_t i = 0; i < history_->events.size(); ++i) {
    if (history_->events[i].id == value.operation) return static_cast<int>(i);
  }
  return kNoEvent;
}

void HistoryJudge::JudgeFinalSize(const FinalState& state) {
  if (!state.size_known) return;
  Sight sight{Reader::kFinalCached, kNoEvent, {state.file, state.size_cells}, {last_sequence_ + 1, kUnfinished}, {}};
  if (versions_.SurelyInside(sight.at, sight.interval)) Report(DataViolationKind::kShortRead, sight, kNoEvent);
  if (state.size_cells == 0) return;
  sight.at.cell = state.size_cells - 1;
  if (versions_.SurelyOutside(sight.at, sight.interval)) Report(DataViolationKind::kBeyondEnd, sight, kNoEvent);
}

void HistoryJudge::JudgeFinal(const FinalState& state) {
  JudgeFinalSize(state);
  const size_t cells = std::max({state.disk.size(), state.cached.size(), state.direct.size(), state.dropped.size()});
  for (uint32_t cell = 0; cell < cells; ++cell) JudgeFinalCell(state, cell);
  if (!history_->promises.whole_writes) return;
  JudgeSplitCalls(Reader::kFinalCached, kNoEvent, state.file, 0, state.cached, {last_sequence_ + 1, kUnfinished});
}

// C = cached, D = direct, E = after dropping caches, K = the device (protocols 4.5). C and E allowed but different, or
// one of them not allowed: they disagree. Both the same and not allowed: what is missing is lost.
void HistoryJudge::JudgeFinalCell(const FinalState& state, uint32_t cell) {
  const CellAt at{state.file, cell};
  const Interval quiet{last_sequence_ + 1, kUnfinished};
  const auto value = [cell](const std::vector<CellValue>& values) {
    return cell < values.size() ? values[cell] : CellValue{};
  };
  const CellValue cached = value(state.cached);
  const struct {
    Reader reader;
    CellValue value;
  } others[] = {{Reader::kFinalDropped, value(state.dropped)},
                {Reader::kFinalDirect, value(state.direct)},
                {Reader::kFinalDisk, value(state.disk)}};
  const bool excused = versions_.ErrorReported(at, 0, kUnfinished);
  for (const auto& other : others) {
    if (other.value.kind == CellKind::kUnknown || cached.kind == CellKind::kUnknown || other.value == cached) continue;
    const CellValue* cached_wrong = Offending(at, quiet, cached);
    const CellValue* other_wrong = Offending(at, quiet, other.value);
    const bool cached_allowed = cached_wrong == nullptr;
    const bool other_allowed = other_wrong == nullptr;
    if (excused && cached_allowed && other_allowed) continue;
    // Blame the side that holds what it must not; poison and the like keep their own verdict.
    const CellValue& value_seen = other_allowed ? (cached_allowed ? cached : *cached_wrong) : *other_wrong;
    const Sight sight{other_allowed ? Reader::kFinalCached : other.reader, kNoEvent, at, quiet, value_seen};
    int blamed = kNoEvent;
    DataViolationKind kind = DataViolationKind::kIncoherent;
    if (!cached_allowed || !other_allowed) {
      kind = Classify(sight, true, &blamed);
      if (other_allowed && kind == DataViolationKind::kLostWrite) kind = DataViolationKind::kIncoherent;
    }
    Report(kind, sight, blamed);
    return;
  }
  for (const auto& other : others) {
    if (cached.kind != CellKind::kUnknown) break;
    JudgeSight({other.reader, kNoEvent, at, quiet, other.value}, true);
  }
  JudgeSight({Reader::kFinalCached, kNoEvent, at, quiet, cached}, true);
}

// The value at that cell can only be what this event wrote (a copy may carry the same label).
bool HistoryJudge::OnlyFrom(CellAt at, int event, const CellValue& value) const {
  bool found = false;
  for (const Version& version : versions_.of(at)) {
    if (!versions_.Matches(at, version, value)) continue;
    if (version.event != event) return false;
    found = true;
  }
  return found;
}

void HistoryJudge::CollectSeen(uint32_t first, const std::vector<CellValue>& values) {
  seen_.clear();
  for (size_t i = 0; i < values.size(); ++i) {
    for (const CellValue& part : PartsOf(values[i])) seen_.push_back({first + static_cast<uint32_t>(i), part});
  }
}

// Where what was seen shows one buffered write and, at another cell of the same call (or beside it in the same cell),
// something older.
const HistoryJudge::Seen* HistoryJudge::SplitAt(const OperationEvent& write, int write_index, uint32_t file,
                                                Interval interval) const {
  const Seen* whole = nullptr;
  for (const Seen& seen : seen_) {
    if (seen.value.kind == CellKind::kData && OnlyFrom({file, seen.cell}, write_index, seen.value)) {
      whole = &seen;
      break;
    }
  }
  if (whole == nullptr) return nullptr;
  for (const Seen& seen : seen_) {
    const CellAt at{file, seen.cell};
    if (!Covers(write, at.cell) || seen.value.kind == CellKind::kUnknown) continue;
    if (versions_.ErrorReported(at, write.start, interval.end)) continue;
    bool older = false;
    bool legal = false;
    for (const Version& version : versions_.of(at)) {
      if (!versions_.Matches(at, version, seen.value) || !versions_.Visible(at, interval, version)) continue;
      const OperationEvent* other =
          version.event == kInitialEvent ? nullptr : &history_->events[static_cast<size_t>(version.event)];
      const bool before = version.end < write.start;
      // Two buffered writes exclude each other: one that also covers the cell where `write` is seen came before it.
      const bool excluded = other != nullptr && version.event != write_index && IsBufferedWrite(*other) &&
                            !CopiesIntoFile(*other) && Covers(*other, whole->cell);
      if (before || excluded) {
        older = true;
      } else {
        legal = true;
      }
    }
    if (older && !legal) return &seen;
  }
  return nullptr;
}

void HistoryJudge::JudgeSplitCalls(Reader reader, int event, uint32_t file, uint32_t first,
                                   const std::vector<CellValue>& values, Interval interval) {
  CollectSeen(first, values);
  if (seen_.size() < 2) return;
  for (size_t i = 0; i < history_->events.size(); ++i) {
    const OperationEvent& write = history_->events[i];
    if (write.operation.file != file || !IsBufferedWrite(write) || CopiesIntoFile(write)) continue;
    const Seen* at = SplitAt(write, static_cast<int>(i), file, interval);
    if (at == nullptr) continue;
    Report(DataViolationKind::kSplitCall, {reader, event, {file, at->cell}, interval, at->value}, static_cast<int>(i));
  }
}

// True when `early` saw a write that was still under way and `late`, which began after `early` had ended, saw only what
// had been there before that write.
bool HistoryJudge::Inverted(const Sight& early, const Sight& late, int* newer) const {
  if (early.at.file != late.at.file || early.at.cell != late.at.cell || early.interval.end >= late.interval.start) {
    return false;
  }
  *newer = EventOf(early.value);
  if (*newer == kNoEvent) return false;
  const OperationEvent& write = history_->events[static_cast<size_t>(*newer)];
  if (write.end <= late.interval.start || write.error != 0 || write.end == kUnfinished) return false;
  bool older = false;
  for (const Version& version : versions_.of(early.at)) {
    const bool overlaps = version.end > write.start && version.start < late.interval.end;
    if (version.event == *newer) {
      if (!version.certain) return false;
      continue;
    }
    if (overlaps) return false;  // something else went on: either order may be right
    if (version.end < write.start && versions_.Matches(late.at, version, late.value)) older = true;
  }
  return older && !versions_.ErrorReported(early.at, write.start, late.interval.end);
}

void HistoryJudge::JudgeInversions() {
  for (const Sight& late : sights_) {
    for (const Sight& early : sights_) {
      int newer = kNoEvent;
      if (early.value == late.value || !Inverted(early, late, &newer)) continue;
      const FileOperationKind kind = history_->events[static_cast<size_t>(newer)].operation.kind;
      if (!IsBufferedWriteCall(kind) && kind != FileOperationKind::kStore) continue;
      Report(DataViolationKind::kInversion, late, newer);
      break;
    }
  }
}

const char* HistoryJudge::ReaderName(const Sight& sight) const {
  switch (sight.reader) {
    case Reader::kEvent: break;
    case Reader::kFinalDisk: return "final look at the device";
    case Reader::kFinalCached: return "final read";
    case Reader::kFinalDirect: return "final direct read";
    case Reader::kFinalDropped: return "final read after dropping caches";
  }
  return FileOperationKindName(history_->events[static_cast<size_t>(sight.event)].operation.kind).data();
}

void HistoryJudge::Report(DataViolationKind kind, const Sight& sight, int other_event) {
  const absl::string_view name = DataViolationKindName(kind);
  const absl::string_view other =
      other_event < 0 ? absl::string_view()
                      : FileOperationKindName(history_->events[static_cast<size_t>(other_event)].operation.kind);
  std::string signature = absl::StrCat(name, ": ", ReaderName(sight));
  if (!other.empty()) absl::StrAppend(&signature, " vs ", other);
  if (!violations_.empty()) {
    DataViolation& last = violations_.back();
    if (last.signature == signature && last.file == sight.at.file && last.cell + last.cells == sight.at.cell &&
        last.reader_event == sight.event && last.other_event == other_event) {
      ++last.cells;
      return;
    }
  }
  DataViolation violation;
  violation.kind = kind;
  violation.file = sight.at.file;
  violation.cell = sight.at.cell;
  violation.observed = sight.value;
  violation.reader = sight.reader;
  violation.reader_event = sight.event;
  violation.other_event = other_event;
  violation.origin_event = EventOf(sight.value);
  violation.signature = std::move(signature);
  violation.message = absl::StrCat(name, ": ", ReaderName(sight), " of file ", sight.at.file, " cell ", sight.at.cell);
  if (kind == DataViolationKind::kShortRead) {
    absl::StrAppend(&violation.message, " stopped there, inside the file");
  } else {
    absl::StrAppend(&violation.message, " saw ", ToString(sight.value));
  }
  if (!other.empty())
    absl::StrAppend(&violation.message, "; see ", other, " (operation ",
                    history_->events[static_cast<size_t>(other_event)].id, ")");
  violations_.push_back(std::move(violation));
}

std::vector<DataViolation> Judge(const History& history) {
  HistoryJudge judge;
  return judge.Judge(history);
}

std::string Explain(const History& history, const DataViolation& violation) {
  std::string text = absl::StrCat(violation.message, "\n");
  if (violation.cells > 1) absl::StrAppend(&text, "  and of the ", violation.cells - 1, " cells that follow\n");
  const auto line = [&](const char* role, int event) {
    if (event >= 0) absl::StrAppend(&text, "  ", role, ToString(history.events[static_cast<size_t>(event)]), "\n");
  };
  line("seen by:  ", violation.reader_event);
  line("against:  ", violation.other_event);
  line("written by: ", violation.origin_event);
  if (violation.kind == DataViolationKind::kLostBlock || violation.kind == DataViolationKind::kLeakedBlock) return text;
  VersionTable versions;
  versions.Build(history);
  const CellAt at{violation.file, violation.cell};
  Interval interval{kUnfinished - 1, kUnfinished};
  if (violation.reader_event >= 0) {
    const OperationEvent& reader = history.events[static_cast<size_t>(violation.reader_event)];
    interval = {reader.start, reader.end};
  }
  absl::StrAppend(&text, "  allowed at that cell:\n");
  for (const Version& version : versions.of(at)) {
    if (!versions.Visible(at, interval, version)) continue;
    if (version.event == kInitialEvent) {
      absl::StrAppend(&text, "    ", version.content == Version::Content::kZero ? "zero" : "the initial data", "\n");
    } else {
      absl::StrAppend(&text, "    the result of ", ToString(history.events[static_cast<size_t>(version.event)]), "\n");
    }
  }
  return text;
}

}  // namespace ordeal
