#include "bpf/cell_stamp.h"

namespace ordeal::bpf {
namespace {

constexpr int kIndexBits = 15;
constexpr int kOperationBits = 20;
constexpr int kFieldBits = 40;
constexpr uint64_t kFieldMask = (uint64_t{1} << kFieldBits) - 1;

}  // namespace

uint64_t StampCode::Check(uint64_t fields) const {
  uint64_t hash = (fields + 0x9e3779b97f4a7c15) ^ (salt_ * 0xd6e8feb86659fd93);
  hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9;
  hash = (hash ^ (hash >> 27)) * 0x94d049bb133111eb;
  const uint64_t check = (hash ^ (hash >> 31)) >> kFieldBits;
  return check == 0 || check == kBlankWord >> kFieldBits ? 1 : check;
}

uint64_t StampCode::Word(const CellStamp& stamp) const {
  const uint64_t fields = (uint64_t{stamp.file} << (kIndexBits + kOperationBits)) |
                          (uint64_t{stamp.operation} << kIndexBits) | stamp.index;
  return (Check(fields) << kFieldBits) | fields;
}

bool StampCode::Parse(uint64_t word, CellStamp* stamp) const {
  const uint64_t fields = word & kFieldMask;
  if (word >> kFieldBits != Check(fields)) return false;
  stamp->index = static_cast<uint32_t>(fields & (kStampIndexMax - 1));
  stamp->operation = static_cast<uint32_t>((fields >> kIndexBits) & (kStampOperationsMax - 1));
  stamp->file = static_cast<uint32_t>(fields >> (kIndexBits + kOperationBits));
  return true;
}

void Fill(volatile unsigned char* cell, uint64_t word) {
  volatile uint64_t* words = reinterpret_cast<volatile uint64_t*>(cell);
  for (size_t i = 0; i < kWordsPerCell; ++i) words[i] = word;
}

void CellWords::Add(uint64_t word) {
  for (size_t i = 0; i < count; ++i) {
    if (words[i] == word) return;
  }
  if (count < kMost) words[count++] = word;
}

CellWords WordsOf(const volatile unsigned char* cell) {
  const volatile uint64_t* words = reinterpret_cast<const volatile uint64_t*>(cell);
  CellWords result;
  uint64_t last = 0;
  for (size_t i = 0; i < kWordsPerCell; ++i) {
    const uint64_t word = words[i];
    if (i > 0 && word == last) continue;
    result.Add(word);
    last = word;
  }
  return result;
}

}  // namespace ordeal::bpf
