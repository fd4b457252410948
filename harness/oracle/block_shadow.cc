#include "harness/oracle/block_shadow.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace ordeal {
namespace {

constexpr int kInvalidArgument = 22;  // EINVAL: refused before anything was changed
constexpr uint32_t kPagesMax = kFileCellsMax / kPageCells;

uint32_t PageOf(uint32_t cell) { return cell / kPageCells; }
uint32_t PagesFor(uint32_t cells) { return (cells + kPageCells - 1) / kPageCells; }

DataViolation Violation(const History& history, const FinalState& state, uint32_t page, bool leaked, int event) {
  DataViolation violation;
  violation.kind = leaked ? DataViolationKind::kLeakedBlock : DataViolationKind::kLostBlock;
  violation.file = state.file;
  violation.cell = page * kPageCells;
  violation.reader_event = kNoEvent;
  violation.other_event = event;
  violation.signature = absl::StrCat(DataViolationKindName(violation.kind), ": final extent map");
  violation.message = absl::StrCat(DataViolationKindName(violation.kind), ": page ", page, " of file ", state.file,
                                   leaked ? " has a block" : " has no block");
  if (event < 0) {
    absl::StrAppend(&violation.message, ", unlike at the beginning, and no operation changed it");
    return violation;
  }
  const OperationEvent& last = history.events[static_cast<size_t>(event)];
  const absl::string_view name = FileOperationKindName(last.operation.kind);
  absl::StrAppend(&violation.signature, " vs ", name);
  absl::StrAppend(&violation.message, " after ", name, " (operation ", last.id, "), which came last");
  return violation;
}

}  // namespace

BlockShadow::BlockShadow(const History& history) : history_(history), initial_cells_(history.initial_cells) {
  for (size_t i = 0; i < history.events.size(); ++i) AddEvent(static_cast<int>(i), history.events[i]);
}

// The cells that were written surely have a block; those that should have been may have one.
void BlockShadow::AddWritten(Change change, const OperationEvent& event) {
  const FileOperation& operation = event.operation;
  change.to = PageSpace::kAllocated;
  change.first = PageOf(operation.offset_cells);
  change.end = PagesFor(operation.offset_cells + event.completed_cells);
  if (change.certain && event.completed_cells > 0) changes_.push_back(change);
  if (change.certain && event.completed_cells == operation.length_cells) return;
  if (change.certain) change.first = PageOf(operation.offset_cells + event.completed_cells);
  change.certain = false;
  change.end = PagesFor(operation.offset_cells + operation.length_cells);
  changes_.push_back(change);
}

// By a machine that died before it gave what it had written a block.
bool BlockShadow::WasReservedOnly(const OperationEvent& event) const {
  const FileOperation& operation = event.operation;
  if (!IsWriteCall(operation.kind) && operation.kind != FileOperationKind::kStore) return false;
  for (uint32_t i = 0; i < operation.length_cells; ++i) {
    if (MayBeLost(history_, event, operation.file, operation.offset_cells + i)) return true;
  }
  return false;
}

void BlockShadow::AddEvent(int index, const OperationEvent& event) {
  const FileOperation& operation = event.operation;
  if (event.error == kInvalidArgument) return;
  Change change;
  change.file = operation.file;
  change.first = PageOf(operation.offset_cells);
  change.end = PagesFor(operation.offset_cells + operation.length_cells);
  change.certain = event.error == 0 && event.end != kUnfinished && !WasReservedOnly(event);
  change.event = index;
  change.start_sequence = event.start;
  change.end_sequence = event.end;
  switch (operation.kind) {
    case FileOperationKind::kPunchHole: change.to = PageSpace::kHole; break;
    case FileOperationKind::kTruncate:
      change.to = PageSpace::kHole;
      change.first = PagesFor(operation.offset_cells);
      change.end = kPagesMax;
      change.only_if_shorter = true;
      break;
    case FileOperationKind::kReplace:
      change.to = PageSpace::kHole;
      change.first = 0;
      change.end = kPagesMax;
      break;
    case FileOperationKind::kZeroRange:
    case FileOperationKind::kAllocate: change.to = PageSpace::kAllocated; break;
    case FileOperationKind::kCollapseRange:
    case FileOperationKind::kInsertRange:
      change.end = kPagesMax;
      change.certain = false;
      break;
    case FileOperationKind::kDedupe:
    case FileOperationKind::kClone: {  // the target gets what the source has; dedupe may take either's block
      change.certain = false;
      Change other = change;
      other.file = operation.other_file;
      changes_.push_back(other);
      if (operation.kind == FileOperationKind::kClone) return;
      break;
    }
    default:
      if (IsWriteCall(operation.kind) || operation.kind == FileOperationKind::kStore) return AddWritten(change, event);
      if (!HasUserBuffer(operation.kind) || operation.buffer_file == kAnonymousBuffer) return;
      change.file = operation.buffer_file;  // stores of a read
      change.to = PageSpace::kAllocated;
      change.certain = false;
      change.first = PageOf(operation.buffer_offset_cells);
      change.end = PagesFor(operation.buffer_offset_cells + operation.length_cells);
  }
  changes_.push_back(change);
}

// Nothing that may have made it otherwise may have come after it.
bool BlockShadow::Stands(const Change& change, uint32_t page) const {
  return std::none_of(changes_.begin(), changes_.end(), [&](const Change& other) {
    return other.file == change.file && other.first <= page && page < other.end && other.to != change.to &&
           (other.end_sequence > change.start_sequence || (change.only_if_shorter && !other.certain));
  });
}

PageSpace BlockShadow::Surely(uint32_t file, uint32_t page, int* event) const {
  Change initial;
  initial.file = file;
  initial.to = page < PagesFor(initial_cells_[file]) ? PageSpace::kAllocated : PageSpace::kHole;
  initial.event = kInitialEvent;
  *event = initial.event;
  if (Stands(initial, page)) return initial.to;
  for (const Change& change : changes_) {
    if (!change.certain || change.file != file || page < change.first || page >= change.end) continue;
    *event = change.event;
    if (Stands(change, page)) return change.to;
  }
  return PageSpace::kUnknown;
}

std::vector<DataViolation> JudgeBlocks(const History& history) {
  std::vector<DataViolation> violations;
  const BlockShadow shadow(history);
  for (const FinalState& state : history.final_states) {
    for (uint32_t page = 0; page < state.pages.size(); ++page) {
      if (state.pages[page] == PageSpace::kUnknown) continue;
      int event = kNoEvent;
      const PageSpace surely = shadow.Surely(state.file, page, &event);
      if (surely == PageSpace::kUnknown || surely == state.pages[page]) continue;
      violations.push_back(Violation(history, state, page, surely == PageSpace::kHole, event));
    }
  }
  return violations;
}

}  // namespace ordeal
