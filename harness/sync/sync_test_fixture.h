// What the tests of this room share: one simulation, and a run of one schedule in it.
//
// Thread-safety: none. Invariants: the world that a setup returns lives until the run has been unwound.
// Example:
//   TEST_F(SyncTest, ...) { SeededSource source(1); const RunEnd end = Run(source, [&] { ...Spawn...; return world; }); }
#ifndef ORDEAL_HARNESS_SYNC_SYNC_TEST_FIXTURE_H_
#define ORDEAL_HARNESS_SYNC_SYNC_TEST_FIXTURE_H_

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "harness/sync/simulation.h"
#include "injectors/schedule/random_walk.h"

namespace ordeal {

// A random walk that counts how often a reader was asked whether to pass the queue.
class SeededSource final : public ChoiceSource {
 public:
  explicit SeededSource(uint64_t seed) : walk_(seed) {}
  int Choose(const ChoicePoint& point) override {
    if (point.kind == ChoiceKind::kReaderSteal) ++steals_asked;
    return walk_.Choose(point);
  }
  int steals_asked = 0;

 private:
  RandomWalk walk_;
};

class SyncTest : public ::testing::Test {
 protected:
  // One schedule: setup spawns the tasks; what it returns lives until the run has been unwound.
  template <typename Setup>
  RunEnd Run(ChoiceSource& source, Setup setup, FaultSet faults = {}) {
    choices_.Begin(&source);
    sim_.BeginRun(&choices_);
    sim_.scheduler().set_faults(faults);
    auto world = setup();
    const RunEnd end = sim_.scheduler().Run();
    sim_.EndRun();
    return end;
  }
  std::vector<std::string> Violations() const {
    std::vector<std::string> signatures;
    for (const lockdep::Violation& violation : sim_.validator().violations()) {
      signatures.push_back(violation.signature);
    }
    return signatures;
  }
  void Pause(int points = 1) {
    for (int i = 0; i < points; ++i) sim_.scheduler().Point(OperationKind::kYield, kNoObject);
  }

  mutable Simulation sim_{{.steps_max = 20'000, .idle_steps_max = 10'000}};
  ChoiceRecorder choices_;
};

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_SYNC_SYNC_TEST_FIXTURE_H_
