// For tests: how many schedules a clean twin must survive.
#ifndef ORDEAL_HARNESS_SCENARIO_CLEAN_SCHEDULES_FOR_TEST_H_
#define ORDEAL_HARNESS_SCENARIO_CLEAN_SCHEDULES_FOR_TEST_H_

#include <cstdint>

namespace ordeal {

#if defined(__SANITIZE_ADDRESS__)
inline constexpr uint64_t kCleanSchedules = 1'000;
#else
inline constexpr uint64_t kCleanSchedules = 10'000;
#endif

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_SCENARIO_CLEAN_SCHEDULES_FOR_TEST_H_
