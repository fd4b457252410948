// What a cell holds on a real file system: each of its 128 words says which operation wrote it, as which of its cells. So a
// reader learns the writer of every word, and a cell that two writers share is told from garbage.
//
// A word: 24 bits of check, 5 of the file, 20 of the operation, 15 of the cell's index: of the operation's cells, or, with
// operation 0, of the file's first contents. The check knows the round, so that data of an earlier round, which a freed
// block may still hold, is not taken for this one's.
//
// Thread-safety: plain values; Fill and WordsOf touch memory that others may write at the same time.
// Invariants:    no stamp is 0 (a hole) or kBlankWord.
// Cost:          some 100 ns a cell.
// Example:
//   const StampCode code(/*salt=*/round);
//   Fill(buffer, code.Word({.file = 0, .operation = 7, .index = 2}));
//   Stamp stamp;  if (code.Parse(WordsOf(buffer).words[0], &stamp)) ...
#ifndef ORDEAL_BPF_CELL_STAMP_H_
#define ORDEAL_BPF_CELL_STAMP_H_

#include <cstddef>
#include <cstdint>

#include "harness/workload/file_operation.h"

namespace ordeal::bpf {

inline constexpr size_t kWordsPerCell = kCellBytes / sizeof(uint64_t);
inline constexpr uint64_t kBlankWord = 0xdbdbdbdbdbdbdbdb;  // in a read's buffer before the call
inline constexpr uint32_t kStampFilesMax = 1u << 5;
inline constexpr uint32_t kStampOperationsMax = 1u << 20;
inline constexpr uint32_t kStampIndexMax = 1u << 15;

struct CellStamp {
  uint32_t file = 0;
  uint32_t operation = 0;  // 0: the first contents
  uint32_t index = 0;
};

class StampCode {
 public:
  explicit StampCode(uint64_t salt) : salt_(salt) {}
  uint64_t Word(const CellStamp& stamp) const;
  bool Parse(uint64_t word, CellStamp* stamp) const;  // false: no stamp of this round
  // Salts of successive rounds are successive numbers.
  StampCode RoundsBack(uint64_t rounds) const { return StampCode(salt_ - rounds); }

 private:
  uint64_t Check(uint64_t fields) const;

  uint64_t salt_;
};

void Fill(volatile unsigned char* cell, uint64_t word);

// The different words of a cell, in order of their places; of more than kMost the first.
struct CellWords {
  static constexpr size_t kMost = 8;
  size_t count = 0;
  uint64_t words[kMost];

  void Add(uint64_t word);
};
CellWords WordsOf(const volatile unsigned char* cell);

}  // namespace ordeal::bpf

#endif  // ORDEAL_BPF_CELL_STAMP_H_
