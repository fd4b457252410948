#include "harness/oracle/history.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace ordeal {

absl::string_view CellKindName(CellKind kind) {
  switch (kind) {
    case CellKind::kUnknown: return "unknown";
    case CellKind::kZero: return "zero";
    case CellKind::kInitial: return "initial";
    case CellKind::kData: return "data";
    case CellKind::kFreedPoison: return "freed-poison";
    case CellKind::kBlankPoison: return "blank-poison";
    case CellKind::kTorn: return "torn";
    case CellKind::kMixture: return "mixture";
  }
  return "unknown";
}

std::string ToString(const CellValue& value) {
  switch (value.kind) {
    case CellKind::kUnknown: return "unknown";
    case CellKind::kZero: return "zero";
    case CellKind::kInitial: return absl::StrCat("initial data of file ", value.file, " cell ", value.cell);
    case CellKind::kData:
      return absl::StrCat("operation ", value.operation, "'s data of file ", value.file, " cell ", value.cell);
    case CellKind::kFreedPoison: return "poison of a freed block";
    case CellKind::kBlankPoison: return "poison of memory or a block never written";
    case CellKind::kTorn: return "a torn mixture";
    case CellKind::kMixture: return "words of several values";
  }
  return "unknown";
}

std::string ToString(const SourceSite& site) {
  return site.line == 0 ? std::string(site.file) : absl::StrCat(site.file, ":", site.line);
}

std::string ToString(const OperationEvent& event) {
  std::string text = absl::StrCat("operation ", event.id, " of task ", event.task, ": ", ToString(event.operation),
                                  ", from ", event.start);
  if (event.end == kUnfinished) {
    absl::StrAppend(&text, ", unfinished");
  } else {
    absl::StrAppend(&text, " to ", event.end);
  }
  if (event.error != 0) {
    absl::StrAppend(&text, ", error ", event.error);
  } else if (HasRange(event.operation.kind) && event.end != kUnfinished) {
    absl::StrAppend(&text, ", completed ", event.completed_cells);
  }
  const std::string site = ToString(event.site);
  if (!site.empty()) absl::StrAppend(&text, " [", site, "]");
  return text;
}

namespace {

// A later fsync of the same machine has promised the event's result.
bool Synced(const History& history, const OperationEvent& event, uint32_t file, const CacheLoss& loss) {
  if (event.operation.kind == FileOperationKind::kSyncWrite && event.operation.file == file) return true;
  return std::any_of(history.events.begin(), history.events.end(), [&](const OperationEvent& sync) {
    return sync.operation.kind == FileOperationKind::kFsync && sync.operation.file == file && sync.error == 0 &&
           (loss.tasks >> sync.task & 1) != 0 && sync.start > event.end && sync.end < loss.sequence;
  });
}

}  // namespace

bool MayBeLost(const History& history, const OperationEvent& event, uint32_t file, uint32_t cell) {
  return std::any_of(history.losses.begin(), history.losses.end(), [&](const CacheLoss& loss) {
    return loss.file == file && loss.first_cell <= cell && cell < loss.end_cell && (loss.tasks >> event.task & 1) != 0 &&
           event.end < loss.sequence && !Synced(history, event, file, loss);
  });
}

}  // namespace ordeal
