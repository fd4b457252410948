// B80: two classes taken in both orders, but always under a third lock: their classes contradict each other, their tasks never can.
// Lockdep reports it all the same; here the report must be graded "order" and name the gate. The twin of it is real: the same two
// orders where one task forgets the gate must be graded feasible, and block.
#include <optional>

#include "harness/catalogue/lock_order/lock_order_scenarios.h"
#include "harness/sync/mutex.h"

namespace ordeal {
namespace {

class GateLock : public Scenario {
 public:
  void Setup(ScenarioRun& run) override {
    Simulation& sim = run.sim();
    gate_.emplace(sim, sim.Class("gate"), "gate");
    directory_.emplace(sim, sim.Class("directory"), "directory");
    file_.emplace(sim, sim.Class("file"), "file");
    const bool forgets_gate = run.HasBug("gate-forgotten");
    const bool swaps = run.HasBug("B80") || forgets_gate;
    sim.scheduler().Spawn("lookup", [this] { LockBoth(*directory_, *file_, true); });
    sim.scheduler().Spawn("reclaim", [this, swaps, forgets_gate] {
      swaps ? LockBoth(*file_, *directory_, !forgets_gate) : LockBoth(*directory_, *file_, true);
    });
  }
  void Teardown() override {
    file_.reset();
    directory_.reset();
    gate_.reset();
  }

 private:
  void LockBoth(Mutex& first, Mutex& second, bool under_gate) {
    if (under_gate) gate_->Lock();
    first.Lock();
    second.Lock();
    second.Unlock();
    first.Unlock();
    if (under_gate) gate_->Unlock();
  }

  std::optional<Mutex> gate_;
  std::optional<Mutex> directory_;
  std::optional<Mutex> file_;
};

}  // namespace

ScenarioEntry GateLockScenario() {
  ScenarioEntry entry;
  entry.name = "gate-lock";
  entry.summary = "two locks taken in both orders under a third one";
  entry.bugs = {"B80", "gate-forgotten"};
  entry.make = [] { return std::make_unique<GateLock>(); };
  return entry;
}

}  // namespace ordeal
