// A history: what file operations were asked, when, and what they returned. The model records one in every run, the
// kernel runner records one of real system calls; the data oracle judges both alike.
//
// Thread-safety: plain values.
// Invariants:    event ids are unique and not 0; start < end; sequence numbers are unique and begin at 1, so that one
//                operation precedes another exactly when its end is smaller than the other's start.
// Example:
//   History history;
//   history.initial_cells = {8, 8};
//   history.events.push_back({.id = 1, .operation = punch, .start = 1, .end = 2, .completed_cells = 4});
//   for (const DataViolation& violation : Judge(history)) ...
#ifndef ORDEAL_HARNESS_ORACLE_HISTORY_H_
#define ORDEAL_HARNESS_ORACLE_HISTORY_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "harness/workload/file_operation.h"

namespace ordeal {

// What one cell was seen to hold.
enum class CellKind : uint8_t {
  kUnknown = 0,      // not sampled: never judged
  kZero = 1,         // all zero: a hole, a punched or a truncated cell
  kInitial = 2,      // what the file held at first
  kData = 3,         // written by `operation`
  kFreedPoison = 4,  // the allocator's mark on a freed block
  kBlankPoison = 5,  // a block or page that was never written
  kTorn = 6,         // garbage: its checksum is wrong
  kMixture = 7,      // words of several values, each whole: `operation` indexes History::mixtures, `cell` is a hash of all
};
absl::string_view CellKindName(CellKind kind);

// A value names where it was written: file, cell and operation; kZero and the poisons have no such identity.
struct CellValue {
  CellKind kind = CellKind::kUnknown;
  uint32_t file = 0;
  uint32_t cell = 0;
  uint32_t operation = 0;  // an event's id; kData only

  friend bool operator==(const CellValue& a, const CellValue& b) {
    if (a.kind != b.kind) return false;
    if (a.kind == CellKind::kMixture) return a.cell == b.cell;
    if (a.kind != CellKind::kInitial && a.kind != CellKind::kData) return true;
    return a.file == b.file && a.cell == b.cell && (a.kind == CellKind::kInitial || a.operation == b.operation);
  }
  friend bool operator!=(const CellValue& a, const CellValue& b) { return !(a == b); }
};
// "operation 3's data of file 0 cell 2", "zero", "poison of a freed block".
std::string ToString(const CellValue& value);

// Where the code under trial did it; file is a string literal or outlives the history. Line 0: only the file is known.
struct SourceSite {
  const char* file = "";
  int line = 0;
};

std::string ToString(const SourceSite& site);  // "read.cc:12", "read.cc" or nothing

inline constexpr uint64_t kUnfinished = ~uint64_t{0};

struct OperationEvent {
  uint32_t id = 0;
  uint32_t task = 0;
  FileOperation operation;
  uint64_t start = 0;
  uint64_t end = kUnfinished;
  // Cells transferred, of operations with a range. Fewer than asked: a short read or write.
  uint32_t completed_cells = 0;
  int error = 0;  // errno; with an error completed_cells does not count
  // Values of the first observed.size() cells that it read: of the range for reads and loads, of the buffer for writes
  // from a mapping.
  std::vector<CellValue> observed;
  // What a read or write moves between file and mapping. False: every cell it writes, on either side, is labelled with
  // this operation (the model). True: cells keep the label of their origin (real memory).
  bool copies_values = false;
  // A real append that failed: the kernel says neither where it would have begun nor how much of it was written.
  bool place_unknown = false;
  SourceSite site;
};

// The file system has said that data of these cells may be lost or incoherent (EIO on the mapping): a write before it
// no longer obliges anybody.
struct ReportedError {
  uint32_t file = 0;
  uint32_t first_cell = 0;
  uint32_t end_cell = 0;
  uint64_t sequence = 0;
};

// A machine has died: what its tasks have written into these cells was in its cache only, and may be lost, unless a later fsync of
// theirs has ended well. Seen or not, it obliges nobody.
struct CacheLoss {
  uint32_t file = 0;
  uint32_t first_cell = 0;
  uint32_t end_cell = 0;
  uint64_t sequence = 0;  // of the death
  uint64_t tasks = 0;     // bit i: OperationEvent::task i
};

// Whether a page of a file has a block on the device.
enum class PageSpace : uint8_t { kUnknown = 0, kHole = 1, kAllocated = 2 };

// What a file holds after every operation has ended, seen along each path. Vectors have one entry a cell of the file or
// are empty (not sampled).
struct FinalState {
  uint32_t file = 0;
  bool size_known = false;
  uint32_t size_cells = 0;
  std::vector<CellValue> disk;     // K: the device, before anything else; kUnknown where the cache is dirty
  std::vector<CellValue> cached;   // C: read through the cache
  std::vector<CellValue> direct;   // D: read past it (writes dirty cells back first)
  std::vector<CellValue> dropped;  // E: read after the caches were dropped
  std::vector<PageSpace> pages;    // the extent map, once nothing is dirty; one entry a page, also behind the end of file
};

// What a file system promises beyond the common rules (protocols 4.3).
struct Promises {
  bool atomic_calls = false;     // a buffered read sees each buffered write wholly or not at all (XFS)
  bool whole_writes = true;      // two buffered writes of one file exclude each other
  bool short_transfers = false;  // faults are on: a read may stop short inside the file
  // What was stored behind the end of file, through a mapping of the last page, is gone when the file grows over it. (XFS; ext4
  // does not before 6.14.)
  bool zeroes_tail = false;
};

struct History {
  std::vector<uint32_t> initial_cells;  // initial size of each file
  std::vector<OperationEvent> events;
  std::vector<ReportedError> errors;
  std::vector<CacheLoss> losses;
  std::vector<FinalState> final_states;
  // The parts of each kMixture: real memory is copied word by word, so that a reader may meet two writers in one cell. Each part
  // must be allowed there. The model copies cells whole and has none.
  std::vector<std::vector<CellValue>> mixtures;
  Promises promises;

  // For the next run; keeps the memory.
  void Clear() {
    initial_cells.clear();
    events.clear();
    errors.clear();
    losses.clear();
    final_states.clear();
    mixtures.clear();
  }
};

// The event's mutation of the cell was in a cache that is gone.
bool MayBeLost(const History& history, const OperationEvent& event, uint32_t file, uint32_t cell);

// "operation 3 of task 1: read file 0 cells [0, 4), from 5 to 9, completed 4 [read.cc:12]".
std::string ToString(const OperationEvent& event);

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_ORACLE_HISTORY_H_
