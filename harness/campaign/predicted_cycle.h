// The cycle of a violation, recognised in a running simulation: which tasks stand at one of its dependencies, and whether a
// deadlock is the one that it predicts.
//
// A task stands at the dependency A -> B when it holds a lock of A and has declared that it acquires, or waits for, one of
// B's class. Subclasses of what is held are compared; a declaration does not name one.
//
// Thread-safety: none; belongs to one simulation.
// Example:
//   PredictedCycle cycle(runner.sim(), violation);
//   Directed source(runner.sim().scheduler(), seed, [&](const Candidate& task) { return cycle.StandsAtEdge(task); });
#ifndef ORDEAL_HARNESS_CAMPAIGN_PREDICTED_CYCLE_H_
#define ORDEAL_HARNESS_CAMPAIGN_PREDICTED_CYCLE_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "harness/choice/choice_point.h"
#include "harness/sync/simulation.h"
#include "lockdep/runtime/violation.h"

namespace ordeal {

class PredictedCycle {
 public:
  PredictedCycle(Simulation& sim, const lockdep::Violation& violation);

  bool StandsAtEdge(const Candidate& task);
  // The deadlock's tasks wait for exactly the classes of the cycle.
  static bool Predicts(const Deadlock& deadlock, const lockdep::LockClassTable& classes,
                       const lockdep::Violation& violation);

  // "2 instances of writer" if the tasks that were seen at the dependencies are too few for one task each; empty if they
  // are enough.
  std::string MissingTasks() const;

 private:
  struct Edge {
    std::string from;
    std::string to;
    bool from_event = false;
    std::string task;    // who was seen to make it
    bool event = false;  // either end is one
    uint64_t seen = 0;  // bit t: task t stood there in some run
  };
  static std::vector<Edge> EdgesOf(const lockdep::Violation& violation);
  // Bit i: edge i begins at the node, or leads to a lock of the class.
  uint64_t EdgesFrom(lockdep::NodeId node);
  uint64_t EdgesTo(lockdep::LockClassId lock_class);

  Simulation& sim_;
  std::vector<Edge> edges_;
  std::map<lockdep::NodeId, uint64_t> from_;      // known answers: names are compared once
  std::map<lockdep::LockClassId, uint64_t> to_;
  std::map<int, std::string> task_names_;
};

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_CAMPAIGN_PREDICTED_CYCLE_H_
