// The only pseudo-random generator of the project: 64-bit state, one multiply a draw, the same on every machine.
// Algorithm: Steele, Lea, Flood, "Fast splittable pseudorandom number generators" (OOPSLA 2014), SplitMix64.
//
// Thread-safety: none. Test vectors are in prng_test.cc.
// Example:       Prng prng(seed); const uint32_t coin = prng.Below(2);
#ifndef ORDEAL_HARNESS_CHOICE_PRNG_H_
#define ORDEAL_HARNESS_CHOICE_PRNG_H_

#include <cstdint>

namespace ordeal {

class Prng {
 public:
  explicit Prng(uint64_t seed = 0) : state_(seed) {}
  uint64_t Next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  // Uniform in [0, bound), bound >= 1; bias below 2^-32 * bound (Lemire's multiply-shift, without rejection).
  uint32_t Below(uint32_t bound) {
    return static_cast<uint32_t>(((Next() >> 32) * static_cast<uint64_t>(bound)) >> 32);
  }

 private:
  uint64_t state_;
};

// An independent seed for stream `index` of `seed`: run n of a campaign, one of two sources in one run ...
inline uint64_t DeriveSeed(uint64_t seed, uint64_t index) {
  Prng prng(seed ^ (index * 0xd1342543de82ef95u + 0x2545f4914f6cdd1du));
  prng.Next();
  return prng.Next();
}

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_CHOICE_PRNG_H_
