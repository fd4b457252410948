// The named bugs that the generic operations know how to have. A file system is made with a set of them; all are off by
// default. Numbers are those of the bug catalogue (B01 ...).
//
// Thread-safety: plain values.
// Example:       if (world.bugs().Has(Bug::kB14InvalidateOnlyBefore)) return;
#ifndef ORDEAL_HARNESS_PAGECACHE_BUG_H_
#define ORDEAL_HARNESS_PAGECACHE_BUG_H_

#include <cstdint>

namespace ordeal::pagecache {

enum class Bug : uint8_t {
  kB01ReadFillSkipsInvalidateLock = 1,
  kB02FaultFillSkipsInvalidateLock = 2,
  kB09NoMappingRecheck = 9,
  kB14InvalidateOnlyBefore = 14,
  kB16InvalidateBeforeConversion = 16,
  kB17SilentInvalidateFailure = 17,
  kB18DirectReadSkipsFlush = 18,
  kB27WriteFaultsUnderPageLock = 27,
  kB67ArgumentOrder = 67,
  kB70NestedInvalidateLock = 70,
};

class BugSet {
 public:
  void Add(Bug bug) {
    const auto number = static_cast<uint8_t>(bug);
    words_[number / 64] |= uint64_t{1} << (number % 64);
  }
  bool Has(Bug bug) const {
    const auto number = static_cast<uint8_t>(bug);
    return ((words_[number / 64] >> (number % 64)) & 1) != 0;
  }
  bool empty() const { return words_[0] == 0 && words_[1] == 0; }

 private:
  uint64_t words_[2] = {0, 0};
};

}  // namespace ordeal::pagecache

#endif  // ORDEAL_HARNESS_PAGECACHE_BUG_H_
