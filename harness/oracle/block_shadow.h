// A shadow of each file's extent map, kept from the history alone: which pages must have a block in the end, and which must have
// none (protocols 4.5: hole map and leaks; the size is judged with the data).
//
// What overlaps in time may have come in either order, and what failed may have happened: then nothing is sure.
// Thread-safety: plain values.
// Invariants:    at most one of "surely a hole" and "surely allocated" holds of a page.
// Cost:          O(events) a page.
// Example:       for (const DataViolation& violation : JudgeBlocks(history)) ...
#ifndef ORDEAL_HARNESS_ORACLE_BLOCK_SHADOW_H_
#define ORDEAL_HARNESS_ORACLE_BLOCK_SHADOW_H_

#include <cstdint>
#include <vector>

#include "harness/oracle/judge.h"

namespace ordeal {

class BlockShadow {
 public:
  explicit BlockShadow(const History& history);

  // What surely holds of a page when every operation has ended; kUnknown: either may be. *event: which operation says so, or
  // kInitialEvent.
  PageSpace Surely(uint32_t file, uint32_t page, int* event) const;

 private:
  // An operation that gives pages [first, end) blocks, or takes theirs (kUnknown: either).
  struct Change {
    uint32_t file = 0;
    uint32_t first = 0;
    uint32_t end = 0;
    PageSpace to = PageSpace::kUnknown;
    bool certain = false;
    bool only_if_shorter = false;  // a truncate: blocks that a failed write left behind the end stay where the file grows
    int event = 0;
    uint64_t start_sequence = 0;
    uint64_t end_sequence = 0;
  };
  bool WasReservedOnly(const OperationEvent& event) const;
  void AddEvent(int index, const OperationEvent& event);
  void AddWritten(Change change, const OperationEvent& event);
  bool Stands(const Change& change, uint32_t page) const;

  const History& history_;
  std::vector<Change> changes_;
  std::vector<uint32_t> initial_cells_;
};

// A page that is a hole although it was surely given a block last (kLostBlock), or the other way round (kLeakedBlock).
std::vector<DataViolation> JudgeBlocks(const History& history);

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_ORACLE_BLOCK_SHADOW_H_
