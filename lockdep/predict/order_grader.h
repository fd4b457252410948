// Dependencies between classes as a trace shows them, and why a cycle of them is not a feasible deadlock.
//
// For a cycle of classes, witnesses (one abstract acquire an edge) are chosen under ever fewer conditions; the condition
// whose loss first lets a choice be made is the reason.
//
// Thread-safety: none; const once built.
// Invariants:    a dependency lists its witnesses in the order of the trace.
// Cost:          building: O(held locks of all nodes); Grade visits at most kStepsMax choices.
// Example:       const GradedCycle cycle = grader.Grade({{a, b}, {b, a}});   // cycle.reason: "gate lock G at x.cc:3"
#ifndef ORDEAL_LOCKDEP_PREDICT_ORDER_GRADER_H_
#define ORDEAL_LOCKDEP_PREDICT_ORDER_GRADER_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "lockdep/predict/graded_cycle.h"
#include "lockdep/predict/lock_history.h"

namespace ordeal::lockdep {

using ClassEdge = std::pair<NodeId, NodeId>;

class OrderGrader {
 public:
  static constexpr int kStepsMax = 20'000;

  explicit OrderGrader(const LockHistory* history);

  // The edges of one cycle, in order. Grade order, or the witnesses of a cycle that only a queued writer is missing from.
  GradedCycle Grade(const std::vector<ClassEdge>& edges) const;
  // Each cycle that a dependency closes, found as the trace goes on.
  std::vector<std::vector<ClassEdge>> Cycles() const;
  // False if no such node was seen.
  bool FindNode(const std::string& name, NodeId* node) const;

 private:
  struct Dependency {
    uint32_t node = 0;           // that waits
    uint32_t from_instance = 0;  // what its task holds, or owes
    Mode from_mode = Mode::kExclusive;
    bool owes = false;
  };
  enum class Relax : uint8_t { kOrder, kGate, kTasks, kTasksAndGate, kInstances };
  struct Search {
    std::vector<const std::vector<Dependency>*> edges;
    std::vector<const Dependency*> chosen;
    Relax relax = Relax::kOrder;
    int steps = 0;
  };

  bool Extend(Search* search) const;
  bool Fits(const Dependency& next, const Search& search) const;
  bool Joins(const Dependency& first, const Dependency& second, Relax relax) const;
  std::string ReasonOf(const Search& search) const;
  std::string OrderReason(const Search& search) const;
  std::string ReaderReason(const Search& search) const;
  std::string EventReason(const Search& search) const;
  std::string GateReason(const Search& search) const;
  std::string TaskReason(const Search& search) const;
  std::string Explain(const Dependency& first, const Dependency& second, uint32_t mask) const;
  CycleEdge Describe(const Dependency& dependency) const;
  const AbstractAcquire& NodeAt(const Dependency& dependency) const { return history_.nodes()[dependency.node]; }

  const LockHistory& history_;
  std::map<std::pair<uint32_t, uint32_t>, std::vector<Dependency>> dependencies_;  // by from and to
  std::map<std::string, NodeId> names_;
};

// The tasks that the edges need, by role: {"2 x writer", "1 x reader"}.
std::vector<std::string> InstancesOf(const std::vector<CycleEdge>& edges);
// What the task holds at the occurrence.
std::vector<GuardReport> GuardsAt(const LockHistory& history, const AbstractAcquire& node, const Occurrence& at);

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_PREDICT_ORDER_GRADER_H_
