// Wall-clock time for time boxes and rates: the one place of the harness that reads a clock. Nothing that a run decides or
// that a corpus file holds may depend on it.
//
// Thread-safety: none.
// Example:       Stopwatch watch; ... if (watch.Seconds() > budget) break;
#ifndef ORDEAL_HARNESS_CAMPAIGN_STOPWATCH_H_
#define ORDEAL_HARNESS_CAMPAIGN_STOPWATCH_H_

#include <chrono>
#include <ctime>
#include <string>

namespace ordeal {

class Stopwatch {
 public:
  double Seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

// "2026-11-21 04:00:07 UTC": the head of a report.
inline std::string UtcNow() {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[64];
  std::strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &parts);
  return text;
}

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_CAMPAIGN_STOPWATCH_H_
