// The versions that each cell of a history may have had, and which of them a reader may see (protocols 4.2).
//
// A mutation m precedes m' when end(m) < start(m'). A reader over [s, e] may see m when start(m) < e and no certain m'
// follows m and ends before s: a regular register per cell. A mutation is certain when it said that it succeeded; one
// that failed, or whose loss the file system reported, may be seen but replaces nothing.
//
// Thread-safety: none; refers to the history it was built from.
// Invariants:    versions of a cell are in order of their events; version 0 is the initial one.
// Cost:          Build: cells touched; Allows: (versions of the cell)^2 at worst.
// Example:
//   VersionTable table;
//   table.Build(history);
//   if (!table.Allows(CellAt{file, cell}, {s, e}, value)) ...
#ifndef ORDEAL_HARNESS_ORACLE_VERSIONS_H_
#define ORDEAL_HARNESS_ORACLE_VERSIONS_H_

#include <cstdint>
#include <vector>

#include "harness/oracle/history.h"

namespace ordeal {

struct CellAt {
  uint32_t file = 0;
  uint32_t cell = 0;
};

// A reader's time. Quiescence is {last + 1, kUnfinished}.
struct Interval {
  uint64_t start = 0;
  uint64_t end = 0;
};

inline constexpr int kInitialEvent = -1;

struct Version {
  // kAnything: what a real transfer that failed may have left (btrfs zeroes what does not match its checksum).
  enum class Content : uint8_t { kInitial, kZero, kStamp, kCopy, kMoved, kAnything };
  int event = kInitialEvent;  // index into History::events
  uint64_t start = 0;
  uint64_t end = 0;
  Content content = Content::kInitial;
  bool certain = true;
  bool behind_end = false;  // a store behind the end of file, for certain
  CellAt source;  // kCopy and kMoved (collapse, insert): whose value it took during [start, end]
};

class VersionTable {
 public:
  void Build(const History& history);

  // All versions of a cell; the initial one alone for a cell that nobody touched.
  const std::vector<Version>& of(CellAt at) const;
  uint32_t cells(uint32_t file) const { return file < files_.size() ? files_[file].cells : 0; }

  bool Allows(CellAt at, Interval reader, const CellValue& value) const;
  // `value` could be this version's.
  bool Matches(CellAt at, const Version& version, const CellValue& value, int depth = 0) const;
  // The certain version that hides `version` from the reader; null if it may be seen.
  const Version* Hider(CellAt at, Interval reader, const Version& version) const;
  // The reader may see `version`.
  bool Visible(CellAt at, Interval reader, const Version& version) const {
    return version.start < reader.end && !Erased(at, reader, version) && Hider(at, reader, version) == nullptr;
  }
  // It was stored behind the end of file before an operation that let the file grow over it, and which has ended.
  bool Erased(CellAt at, Interval reader, const Version& version) const {
    return version.behind_end && GrownOver(at, version.end, reader.start);
  }
  // What was at the cell before is gone, by an operation that is about blocks.
  bool Removes(const Version& version) const {
    return version.content == Version::Content::kZero || version.content == Version::Content::kMoved;
  }
  bool ErrorReported(CellAt at, uint64_t from, uint64_t to) const;

  // Whether the cell lies within the file during the whole interval, for certain; and the contrary. Neither: it
  // depends.
  bool SurelyInside(CellAt at, Interval interval) const;
  bool SurelyOutside(CellAt at, Interval interval) const;

 private:
  struct File {
    uint32_t cells = 0;  // that the history touches
    uint32_t initial_cells = 0;
    size_t first = 0;  // of its cells in lists_
  };
  // A change of a file's size. Grows: it makes cells below `size` exist; shrinks: cells from `size` on end to exist.
  struct SizeChange {
    uint32_t file;
    uint32_t size;
    uint64_t start;
    uint64_t end;
    bool certain;
    bool shrinks;
  };

  bool GrownOver(CellAt at, uint64_t after, uint64_t before) const;
  void MeasureFiles();
  void AddEvent(int index, const OperationEvent& event);
  void AddWritten(const OperationEvent& event, Version version);
  void AddCloned(const OperationEvent& event, Version version);
  void AddMoved(const OperationEvent& event, Version version);
  void AddReadIntoMapping(const OperationEvent& event, Version version);
  void AddSizeChanges(const OperationEvent& event);
  void Add(CellAt at, Version version);

  const History* history_ = nullptr;
  std::vector<File> files_;
  std::vector<std::vector<Version>> lists_;  // pooled: the first lists_used_ are of this history
  size_t lists_used_ = 0;
  std::vector<SizeChange> sizes_;
  std::vector<Version> untouched_;  // the initial version within a file
  std::vector<Version> beyond_;     // beyond its initial size: zero
};

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_ORACLE_VERSIONS_H_
