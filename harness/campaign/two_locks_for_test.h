// For tests of campaigns: the smallest registry in which there is something to find.
//
// Thread-safety: none.
// Example:
//   const auto result = Explore(TestRegistry(), Spec("new", {"T1"}), {});
#ifndef ORDEAL_HARNESS_CAMPAIGN_TWO_LOCKS_FOR_TEST_H_
#define ORDEAL_HARNESS_CAMPAIGN_TWO_LOCKS_FOR_TEST_H_

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "harness/scenario/scenario.h"
#include "harness/sync/mutex.h"

namespace ordeal {

// Two tasks take two mutexes, in opposite orders if the bug is on or the file system is the old one.
class TwoLocks : public Scenario {
 public:
  void Setup(ScenarioRun& run) override {
    Simulation& sim = run.sim();
    a_.emplace(sim, sim.Class("A"), "A");
    b_.emplace(sim, sim.Class("B"), "B");
    const bool abba = run.HasBug("T1") || run.spec().filesystem == "old";
    sim.scheduler().Spawn("forward", [this] { Nest(*a_, *b_); });
    sim.scheduler().Spawn("other", [this, abba] { abba ? Nest(*b_, *a_) : Nest(*a_, *b_); });
  }
  void Teardown() override {
    a_.reset();
    b_.reset();
  }

 private:
  static void Nest(Mutex& outer, Mutex& inner) {
    outer.Lock();
    inner.Lock();
    inner.Unlock();
    outer.Unlock();
  }
  std::optional<Mutex> a_, b_;
};

inline Registry TestRegistry(std::vector<std::string> bugs_of_scenario = {"T1"}, std::string kind_of_bug = "deadlock") {
  Registry registry;
  ScenarioEntry entry;
  entry.name = "two-locks";
  entry.filesystems = {"new", "old"};
  entry.bugs = std::move(bugs_of_scenario);
  entry.holes = {{"T1", "old", "new", "deadlock"}};
  entry.make = [] { return std::make_unique<TwoLocks>(); };
  registry.Add(std::move(entry));
  registry.Add(FileSystemType{.name = "new"});
  registry.Add(FileSystemType{.name = "old", .inherent_bugs = {"T1"}});
  registry.Add(BugEntry{.id = "T1", .slug = "abba", .filesystems = {"new"}, .kind = std::move(kind_of_bug)});
  return registry;
}

inline ScenarioSpec Spec(std::string filesystem, std::vector<std::string> bugs = {}) {
  return {"two-locks", std::move(filesystem), std::move(bugs), {}};
}

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_CAMPAIGN_TWO_LOCKS_FOR_TEST_H_
