// Three philosophers eat once. Each takes the fork with the smaller number first, which is free of deadlock; with the
// bug "naive-order" each takes the left one first, and all three may wait for their right one.
#include <array>
#include <optional>
#include <utility>

#include "harness/catalogue/basics/basics_scenarios.h"
#include "harness/sync/mutex.h"

namespace ordeal {
namespace {

constexpr uint16_t kPhilosophers = 3;
constexpr const char* kForkNames[kPhilosophers] = {"fork 0", "fork 1", "fork 2"};

class DiningPhilosophers : public Scenario {
 public:
  void Setup(ScenarioRun& run) override {
    Simulation& sim = run.sim();
    if (!prepared_) Prepare(run);
    for (size_t i = 0; i < kPhilosophers; ++i) forks_[i].emplace(sim, classes_[i], kForkNames[i]);
    for (uint16_t i = 0; i < kPhilosophers; ++i) {
      sim.scheduler().Spawn("philosopher", [this, i] { Eat(i); });
    }
  }

  void Teardown() override {
    for (auto& fork : forks_) fork.reset();
  }

 private:
  void Prepare(ScenarioRun& run) {
    for (size_t i = 0; i < kPhilosophers; ++i) classes_[i] = run.sim().Class(kForkNames[i]);
    naive_ = run.HasBug("naive-order");
    prepared_ = true;
  }

  void Eat(uint16_t philosopher) {
    size_t first = philosopher;
    size_t second = (philosopher + 1u) % kPhilosophers;
    if (!naive_ && second < first) std::swap(first, second);
    forks_[first]->Lock();
    forks_[second]->Lock();
    forks_[second]->Unlock();
    forks_[first]->Unlock();
  }

  bool prepared_ = false;
  bool naive_ = false;
  std::array<lockdep::LockClassId, kPhilosophers> classes_{};
  std::array<std::optional<Mutex>, kPhilosophers> forks_;
};

}  // namespace

ScenarioEntry DiningPhilosophersScenario() {
  ScenarioEntry entry;
  entry.name = "dining-philosophers";
  entry.summary = "three philosophers take two forks each, once";
  entry.bugs = {"naive-order"};
  entry.make = [] { return std::make_unique<DiningPhilosophers>(); };
  return entry;
}

}  // namespace ordeal
