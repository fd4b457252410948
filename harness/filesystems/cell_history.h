// For tests: what each cell may show, as a regular register (protocols 4.2). Small and independent of the oracle room.
//
// Thread-safety: none. Cost: linear in the writes of a cell; histories are short.
// Example:
//   CellHistory history;
//   history.Write(file, cell, stamp, start, end, /*optional=*/false);
//   if (!history.Allows(file, cell, seen, start, end)) ...
#ifndef ORDEAL_HARNESS_FILESYSTEMS_CELL_HISTORY_H_
#define ORDEAL_HARNESS_FILESYSTEMS_CELL_HISTORY_H_

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "harness/pagecache/inode.h"
#include "harness/pagecache/stamp.h"

namespace ordeal {

class CellHistory {
 public:
  void Clear() {
    for (auto& file : cells_) {
      for (auto& cell : file) cell.clear();
    }
  }
  // An optional write may have happened or not, or may be lost later.
  void Write(uint32_t file, uint32_t cell, const pagecache::Stamp& value, int64_t start, int64_t end, bool optional) {
    Of(file, cell).push_back({value, start, end, optional});
  }
  bool Allows(uint32_t file, uint32_t cell, const pagecache::Stamp& seen, int64_t start, int64_t end) {
    const auto& writes = Of(file, cell);
    if (writes.empty()) return seen == pagecache::Stamp::Zero();
    for (const Event& m : writes) {
      if (m.value != seen || m.start >= end) continue;
      bool overwritten = false;
      for (const Event& later : writes) {
        overwritten |= !later.optional && m.end < later.start && later.end < start;
      }
      if (!overwritten) return true;
    }
    return false;
  }
  std::string Describe(uint32_t file, uint32_t cell) {
    std::string text;
    for (const Event& m : Of(file, cell)) {
      absl::StrAppend(&text, "  [", m.start, ", ", m.end, "] ", pagecache::ToString(m.value),
                      m.optional ? " optional" : "", "\n");
    }
    return text;
  }

 private:
  struct Event {
    pagecache::Stamp value;
    int64_t start;
    int64_t end;
    bool optional;
  };
  std::vector<Event>& Of(uint32_t file, uint32_t cell) {
    if (cells_.size() <= file) cells_.resize(file + 1);
    if (cells_[file].size() <= cell) cells_[file].resize(cell + 1);
    return cells_[file][cell];
  }

  std::vector<std::vector<std::vector<Event>>> cells_;
};

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_FILESYSTEMS_CELL_HISTORY_H_
