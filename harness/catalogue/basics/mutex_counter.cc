// Two tasks raise one counter ten times each under one mutex: the smallest program that has schedules, for measuring.
#include <optional>

#include "harness/catalogue/basics/basics_scenarios.h"
#include "harness/sync/mutex.h"

namespace ordeal {
namespace {

constexpr int kTasks = 2;
constexpr int kRounds = 10;

class MutexCounter : public Scenario {
 public:
  void Setup(ScenarioRun& run) override {
    Simulation& sim = run.sim();
    if (!lock_class_.has_value()) lock_class_ = sim.Class("counter");
    counter_ = 0;
    mutex_.emplace(sim, *lock_class_, "counter");
    for (int task = 0; task < kTasks; ++task) {
      sim.scheduler().Spawn("counter", [this] { Count(); });
    }
  }

  void Check(ScenarioRun& run) override {
    if (counter_ == kTasks * kRounds) return;
    run.Report({.kind = FindingKind::kInvariant,
                .signature = "invariant: an increment was lost",
                .summary = "invariant: an increment under the mutex was lost"});
  }

  void Teardown() override { mutex_.reset(); }

 private:
  void Count() {
    for (int round = 0; round < kRounds; ++round) {
      mutex_->Lock();
      ++counter_;
      mutex_->Unlock();
    }
  }

  std::optional<lockdep::LockClassId> lock_class_;
  std::optional<Mutex> mutex_;
  int counter_ = 0;
};

}  // namespace

ScenarioEntry MutexCounterScenario() {
  ScenarioEntry entry;
  entry.name = "mutex-counter";
  entry.summary = "two tasks raise a counter ten times each under one mutex";
  entry.make = [] { return std::make_unique<MutexCounter>(); };
  return entry;
}

}  // namespace ordeal
