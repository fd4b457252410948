// Regular registers per cell, after L. Lamport, "On interprocess communication" (Distributed Computing 1, 1986),
// weakened for operations that fail (they may or may not have happened) and for losses that the file system has
// reported.
#include "harness/oracle/versions.h"

#include <algorithm>

#include "lockdep/support/check.h"

namespace ordeal {
namespace {

constexpr int kCopyDepthMax = 4;

constexpr int kInvalidArgument = 22;  // EINVAL: refused before anything was changed

// To offset_cells; what replaces a file is empty, and nobody maps the old one, which who opened it before may still use.
bool CutsFile(FileOperationKind kind) {
  return kind == FileOperationKind::kTruncate || kind == FileOperationKind::kReplace;
}

bool Succeeded(const OperationEvent& event) { return event.end != kUnfinished && event.error == 0; }

}  // namespace

void VersionTable::MeasureFiles() {
  files_.clear();
  for (const uint32_t cells : history_->initial_cells) {
    File file;
    file.cells = cells;
    file.initial_cells = cells;
    files_.push_back(file);
  }
  const auto touch = [this](uint32_t file, uint64_t end) {
    LD_CHECK(file < files_.size(), "a history names a file that it does not have");
    files_[file].cells = std::max(files_[file].cells, static_cast<uint32_t>(std::min<uint64_t>(end, kFileCellsMax)));
  };
  for (const OperationEvent& event : history_->events) {
    const FileOperation& operation = event.operation;
    if (HasRange(operation.kind)) touch(operation.file, uint64_t{operation.offset_cells} + operation.length_cells);
    if (HasOtherFile(operation.kind)) touch(operation.other_file, uint64_t{operation.offset_cells} + operation.length_cells);
    if (operation.buffer_file != kAnonymousBuffer && HasUserBuffer(operation.kind)) {
      touch(operation.buffer_file, uint64_t{operation.buffer_offset_cells} + operation.length_cells);
    }
    if (operation.kind == FileOperationKind::kTruncate) touch(operation.file, operation.offset_cells);
  }
  for (const OperationEvent& event : history_->events) {
    if (event.operation.kind != FileOperationKind::kInsertRange) continue;
    touch(event.operation.file, uint64_t{files_[event.operation.file].cells} + event.operation.length_cells);
  }
  for (const FinalState& state : history_->final_states) touch(state.file, state.cached.size());
  lists_used_ = 0;
  for (File& file : files_) {
    file.first = lists_used_;
    lists_used_ += file.cells;
  }
  if (lists_.size() < lists_used_) lists_.resize(lists_used_);
}

void VersionTable::Build(const History& history) {
  history_ = &history;
  MeasureFiles();
  if (untouched_.empty()) {
    untouched_.push_back(Version{});
    Version zero;
    zero.content = Version::Content::kZero;
    beyond_.push_back(zero);
  }
  for (const File& file : files_) {
    for (uint32_t cell = 0; cell < file.cells; ++cell) {
      std::vector<Version>& list = lists_[file.first + cell];
      list.clear();
      list.push_back(cell < file.initial_cells ? untouched_[0] : beyond_[0]);
    }
  }
  sizes_.clear();
  for (const OperationEvent& event : history.events) AddSizeChanges(event);
  for (size_t i = 0; i < history.events.size(); ++i) AddEvent(static_cast<int>(i), history.events[i]);
}

const std::vector<Version>& VersionTable::of(CellAt at) const {
  if (at.file >= files_.size() || at.cell >= files_[at.file].cells) return beyond_;
  return lists_[files_[at.file].first + at.cell];
}

void VersionTable::Add(CellAt at, Version version) {
  if (at.cell >= files_[at.file].cells) return;
  if (version.certain && !history_->losses.empty()) {
    version.certain = !MayBeLost(*history_, history_->events[static_cast<size_t>(version.event)], at.file, at.cell);
  }
  lists_[files_[at.file].first + at.cell].push_back(version);
}

void VersionTable::AddSizeChanges(const OperationEvent& event) {
  const FileOperation& operation = event.operation;
  const bool ok = Succeeded(event);
  if (event.error == kInvalidArgument) return;
  if (event.place_unknown) {
    sizes_.push_back({operation.file, kFileCellsMax, event.start, event.end, false, false});
  } else if (IsWriteCall(operation.kind)) {
    const uint32_t sure = operation.offset_cells + (ok ? event.completed_cells : 0);
    const uint32_t most = operation.offset_cells + operation.length_cells;
    if (ok && event.completed_cells > 0) {
      const bool stays = !MayBeLost(*history_, event, operation.file, sure - 1);
      sizes_.push_back({operation.file, sure, event.start, event.end, stays, false});
    }
    if (most > sure) sizes_.push_back({operation.file, most, event.start, event.end, false, false});
  } else if (CutsFile(operation.kind)) {
    sizes_.push_back({operation.file, operation.offset_cells, event.start, event.end, ok, true});
    sizes_.push_back({operation.file, operation.offset_cells, event.start, event.end, ok, false});
  } else if (operation.kind == FileOperationKind::kZeroRange || operation.kind == FileOperationKind::kAllocate) {
    const uint32_t size = operation.offset_cells + operation.length_cells;
    sizes_.push_back({operation.file, size, event.start, event.end, ok, false});
  } else if (operation.kind == FileOperationKind::kClone) {
    const uint32_t size = operation.offset_cells + (ok ? event.completed_cells : operation.length_cells);
    sizes_.push_back({operation.other_file, size, event.start, event.end, ok, false});
  } else if (operation.kind == FileOperationKind::kCollapseRange) {  // to a size that depends on the old one
    sizes_.push_back({operation.file, operation.offset_cells, event.start, event.end, false, true});
  } else if (operation.kind == FileOperationKind::kInsertRange) {
    sizes_.push_back({operation.file, kFileCellsMax, event.start, event.end, false, false});
  }
}

void VersionTable::AddEvent(int index, const OperationEvent& event) {
  const FileOperation& operation = event.operation;
  const bool ok = Succeeded(event);
  if (event.error == kInvalidArgument) return;
  Version version{.event = index, .start = event.start, .end = event.end, .certain = ok};
  if (operation.kind == FileOperationKind::kCollapseRange || operation.kind == FileOperationKind::kInsertRange) {
    return AddMoved(event, version);
  }
  if (operation.kind == FileOperationKind::kClone) return AddCloned(event, version);
  if (operation.kind == FileOperationKind::kPunchHole || CutsFile(operation.kind) ||
      operation.kind == FileOperationKind::kZeroRange) {
    version.content = Version::Content::kZero;
    const uint32_t cells = files_[operation.file].cells;
    const uint32_t end = CutsFile(operation.kind)
                             ? cells
                             : std::min(cells, operation.offset_cells + operation.length_cells);
    for (uint32_t cell = operation.offset_cells; cell < end; ++cell) Add({operation.file, cell}, version);
    return;
  }
  if (IsWriteCall(operation.kind) || operation.kind == FileOperationKind::kStore) AddWritten(event, version);
  const bool stores = IsReadCall(operation.kind) || operation.kind == FileOperationKind::kReaddir;
  if (stores && operation.buffer_file != kAnonymousBuffer) AddReadIntoMapping(event, version);
}

// The target takes each cell's value at some moment of the operation; one that was refused may not have come to all.
void VersionTable::AddCloned(const OperationEvent& event, Version version) {
  const FileOperation& operation = event.operation;
  version.content = Version::Content::kCopy;
  for (uint32_t i = 0; i < operation.length_cells; ++i) {
    const uint32_t cell = operation.offset_cells + i;
    if (version.certain && i >= event.completed_cells) return;  // the source ended here
    version.source = {operation.file, cell};
    Add({operation.other_file, cell}, version);
  }
}

// Every cell from the offset on takes the value that another one had at some moment of the operation: what ran beside it may
// have been moved along, or have come after.
void VersionTable::AddMoved(const OperationEvent& event, Version version) {
  const FileOperation& operation = event.operation;
  const bool collapse = operation.kind == FileOperationKind::kCollapseRange;
  for (uint32_t cell = operation.offset_cells; cell < files_[operation.file].cells; ++cell) {
    const bool hole = !collapse && cell - operation.offset_cells < operation.length_cells;
    version.content = hole ? Version::Content::kZero : Version::Content::kMoved;
    version.source = {operation.file, collapse ? cell + operation.length_cells : cell - operation.length_cells};
    Add({operation.file, cell}, version);
  }
}

void VersionTable::AddWritten(const OperationEvent& event, Version version) {
  const FileOperation& operation = event.operation;
  if (event.place_unknown) {
    version.content = Version::Content::kAnything;
    for (uint32_t cell = 0; cell < files_[operation.file].cells; ++cell) Add({operation.file, cell}, version);
    return;
  }
  const bool ok = Succeeded(event);
  const bool copies = event.copies_values && IsWriteCall(operation.kind) && operation.buffer_file != kAnonymousBuffer;
  version.content = copies ? Version::Content::kCopy : Version::Content::kStamp;
  for (uint32_t i = 0; i < operation.length_cells; ++i) {
    const CellAt at{operation.file, operation.offset_cells + i};
    const bool done = ok && i < event.completed_cells;
    // A short buffered write leaves the rest alone; a direct one, like one that failed, may have reached the device.
    if (!done && ok && !IsDirect(operation.kind)) return;
    version.certain = done;
    // A store beyond the end of the file is seen through the mapping for a while and obliges nobody.
    if (operation.kind == FileOperationKind::kStore) {
      version.certain = done && SurelyInside(at, {event.start, event.end});
      version.behind_end = history_->promises.zeroes_tail && SurelyOutside(at, {event.start, event.end});
    }
    if (copies) version.source = {operation.buffer_file, operation.buffer_offset_cells + i};
    Add(at, version);
  }
}

void VersionTable::AddReadIntoMapping(const OperationEvent& event, Version version) {
  const FileOperation& operation = event.operation;
  const Version::Content content = event.copies_values ? Version::Content::kCopy : Version::Content::kStamp;
  const bool real_device = event.copies_values && IsDirect(operation.kind);
  for (uint32_t i = 0; i < operation.length_cells; ++i) {
    const bool done = Succeeded(event) && i < event.completed_cells;
    version.content = real_device && !done ? Version::Content::kAnything : content;
    const CellAt at{operation.buffer_file, operation.buffer_offset_cells + i};
    // The device writes into pinned pages without any lock: a direct read obliges nobody.
    version.certain = done && !IsDirect(operation.kind) && SurelyInside(at, {event.start, event.end});
    if (event.copies_values) version.source = {operation.file, operation.offset_cells + i};
    Add(at, version);
  }
}

bool VersionTable::Matches(CellAt at, const Version& version, const CellValue& value, int depth) const {
  switch (version.content) {
    case Version::Content::kInitial:
      return value.kind == CellKind::kInitial && value.file == at.file && value.cell == at.cell;
    case Version::Content::kZero: return value.kind == CellKind::kZero;
    case Version::Content::kAnything: return true;
    case Version::Content::kStamp:
      return value.kind == CellKind::kData && value.file == at.file && value.cell == at.cell &&
             value.operation == history_->events[static_cast<size_t>(version.event)].id;
    case Version::Content::kCopy:
    case Version::Content::kMoved: break;
  }
  if (depth >= kCopyDepthMax) {  // overlapping copies: too deep to tell
    return value.kind == CellKind::kInitial || value.kind == CellKind::kData || value.kind == CellKind::kZero;
  }
  const Interval copied{version.start, version.end};
  for (const Version& source : of(version.source)) {
    const bool also_moved = version.content == Version::Content::kMoved && source.event == version.event;
    if (also_moved) continue;  // the source's new value is not what was moved away
    if (Visible(version.source, copied, source) && Matches(version.source, source, value, depth + 1)) return true;
  }
  return false;
}

bool VersionTable::ErrorReported(CellAt at, uint64_t from, uint64_t to) const {
  for (const ReportedError& error : history_->errors) {
    if (error.file == at.file && error.first_cell <= at.cell && at.cell < error.end_cell && error.sequence >= from &&
        error.sequence <= to) {
      return true;
    }
  }
  return false;
}

const Version* VersionTable::Hider(CellAt at, Interval reader, const Version& version) const {
  for (const Version& later : of(at)) {
    if (!later.certain || later.start <= version.end || later.end >= reader.start) continue;
    if (!ErrorReported(at, later.start, reader.end)) return &later;
  }
  return nullptr;
}

bool VersionTable::Allows(CellAt at, Interval reader, const CellValue& value) const {
  for (const Version& version : of(at)) {
    if (Matches(at, version, value) && Visible(at, reader, version)) return true;
  }
  return false;
}

bool VersionTable::GrownOver(CellAt at, uint64_t after, uint64_t before) const {
  return std::any_of(sizes_.begin(), sizes_.end(), [&](const SizeChange& change) {
    return !change.shrinks && change.certain && change.file == at.file && change.size > at.cell && change.start > after &&
           change.end < before;
  });
}

bool VersionTable::SurelyInside(CellAt at, Interval interval) const {
  const auto survives = [&](uint64_t grown_at_start) {
    for (const SizeChange& change : sizes_) {
      if (change.shrinks && change.file == at.file && change.size <= at.cell && change.start < interval.end &&
          change.end >= grown_at_start) {
        return false;
      }
    }
    return true;
  };
  if (at.cell < files_[at.file].initial_cells && survives(0)) return true;
  for (const SizeChange& change : sizes_) {
    if (!change.shrinks && change.certain && change.file == at.file && change.size > at.cell &&
        change.end < interval.start && survives(change.start)) {
      return true;
    }
  }
  return false;
}

bool VersionTable::SurelyOutside(CellAt at, Interval interval) const {
  const auto stays = [&](uint64_t cut_at_start) {
    for (const SizeChange& change : sizes_) {
      if (!change.shrinks && change.file == at.file && change.size > at.cell && change.start < interval.end &&
          change.end >= cut_at_start) {
        return false;
      }
    }
    return true;
  };
  if (at.cell >= files_[at.file].initial_cells && stays(0)) return true;
  for (const SizeChange& change : sizes_) {
    if (change.shrinks && change.certain && change.file == at.file && change.size <= at.cell &&
        change.end < interval.start && stays(change.start)) {
      return true;
    }
  }
  return false;
}

}  // namespace ordeal
