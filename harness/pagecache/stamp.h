// A stamp: the content of one cell, the smallest unit of data that the model moves atomically. It names its origin, so that
// an observer can tell a legal old value from another file's data, freed space and memory that nobody filled.
//
// Thread-safety: plain value.
// Invariants:    the all-zero stamp is an empty cell; checksum is a function of the other fields, so a mix of two shows.
// Example:       const Stamp stamp = Stamp::Make(StampKind::kWrite, /*file=*/1, /*cell=*/7, /*operation=*/42);
#ifndef ORDEAL_HARNESS_PAGECACHE_STAMP_H_
#define ORDEAL_HARNESS_PAGECACHE_STAMP_H_

#include <array>
#include <cstdint>
#include <string>

namespace ordeal::pagecache {

inline constexpr uint32_t kPageCells = 4;  // cells of one page and of one block

enum class StampKind : uint8_t {
  kZero = 0,          // hole, unwritten space, past the end of file
  kWrite = 1,         // buffered write(2); also the initial content (operation 0)
  kDirect = 2,        // O_DIRECT write
  kStore = 3,         // a store through a shared mapping
  kPoisonFree = 4,    // a freed block
  kPoisonUninit = 5,  // a block that was never written
  kPoisonPage = 6,    // page memory that nobody filled
};
const char* StampKindName(StampKind kind);

struct Stamp {
  uint16_t file = 0;  // Inode::uid
  StampKind kind = StampKind::kZero;
  uint8_t reserved = 0;
  uint32_t cell = 0;  // index in the file (in the device or the memory, for poison)
  uint32_t operation = 0;
  uint32_t checksum = 0;

  static constexpr Stamp Make(StampKind kind, uint32_t file, uint32_t cell, uint32_t operation) {
    Stamp stamp;
    stamp.file = static_cast<uint16_t>(file);
    stamp.kind = kind;
    stamp.cell = cell;
    stamp.operation = operation;
    stamp.checksum = stamp.ExpectedChecksum();
    return stamp;
  }
  static constexpr Stamp Zero() { return Stamp{}; }

  constexpr uint32_t ExpectedChecksum() const {
    return (file * 0x9e3779b1u) ^ (static_cast<uint32_t>(kind) * 0x85ebca6bu) ^ (cell * 0xc2b2ae35u) ^
           (operation * 0x27d4eb2fu);
  }
  constexpr bool intact() const { return checksum == ExpectedChecksum(); }
  constexpr bool poison() const { return kind >= StampKind::kPoisonFree; }

  friend constexpr bool operator==(const Stamp& a, const Stamp& b) {
    return a.file == b.file && a.kind == b.kind && a.cell == b.cell && a.operation == b.operation &&
           a.checksum == b.checksum;
  }
  friend constexpr bool operator!=(const Stamp& a, const Stamp& b) { return !(a == b); }
};
// "write(file 1, cell 7, operation 42)".
std::string ToString(const Stamp& stamp);

using PageCells = std::array<Stamp, kPageCells>;

// A stamp as one number for trace hashes.
constexpr uint64_t HashOf(const Stamp& stamp) {
  return (static_cast<uint64_t>(stamp.checksum) << 32) ^ (static_cast<uint64_t>(stamp.operation) << 8) ^
         static_cast<uint64_t>(stamp.kind);
}

}  // namespace ordeal::pagecache

#endif  // ORDEAL_HARNESS_PAGECACHE_STAMP_H_
