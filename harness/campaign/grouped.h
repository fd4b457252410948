// Numbers for people.
//
// Thread-safety: pure function.
// Example:       Grouped(100000);  // "100,000"
#ifndef ORDEAL_HARNESS_CAMPAIGN_GROUPED_H_
#define ORDEAL_HARNESS_CAMPAIGN_GROUPED_H_

#include <cstddef>
#include <cstdint>
#include <string>

namespace ordeal {

inline std::string Grouped(uint64_t number) {
  const std::string digits = std::to_string(number);
  std::string grouped;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) grouped.push_back(',');
    grouped.push_back(digits[i]);
  }
  return grouped;
}

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_CAMPAIGN_GROUPED_H_
