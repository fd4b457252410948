// For the tests of this room: uniform answers from a seed, and how many schedules a clean twin must survive.
#ifndef ORDEAL_HARNESS_SCENARIO_SEEDED_SOURCE_FOR_TEST_H_
#define ORDEAL_HARNESS_SCENARIO_SEEDED_SOURCE_FOR_TEST_H_

#include "harness/choice/choice_source.h"
#include "harness/choice/prng.h"

namespace ordeal {

#if defined(__SANITIZE_ADDRESS__)
inline constexpr uint64_t kCleanSchedules = 1'000;
#else
inline constexpr uint64_t kCleanSchedules = 10'000;
#endif

class SeededSource final : public ChoiceSource {
 public:
  explicit SeededSource(uint64_t seed) : seed_(seed), prng_(seed) {}
  int Choose(const ChoicePoint& point) override {
    return static_cast<int>(prng_.Below(static_cast<uint32_t>(point.options)));
  }
  void BeginRun(uint64_t run) override { prng_ = Prng(DeriveSeed(seed_, run)); }

 private:
  uint64_t seed_;
  Prng prng_;
};

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_SCENARIO_SEEDED_SOURCE_FOR_TEST_H_
