// A possible deadlock that a trace shows, with how sure it is and why.
//
// Thread-safety: plain values.
// Invariants:    edges[i].to is edges[i + 1].from, cyclically; of a feasible cycle, witness and schedule are those of a real
//                reordering of the trace: doing the first schedule[t] events of each task t, in trace order, leaves each
//                task of the cycle before its event of witness, all of which then block on each other.
// Example:       for (const GradedCycle& cycle : predictor.cycles()) out << cycle.ToString();
#ifndef ORDEAL_LOCKDEP_PREDICT_GRADED_CYCLE_H_
#define ORDEAL_LOCKDEP_PREDICT_GRADED_CYCLE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "lockdep/graph/lock_class.h"
#include "lockdep/graph/site.h"
#include "lockdep/runtime/violation.h"

namespace ordeal::lockdep {

struct GuardReport {
  std::string node;
  std::string lock;
  Mode mode = Mode::kExclusive;
  Site site;  // where it was acquired
};

// One task of the cycle: it waits for `to` while it holds (or owes) `from`, for which the edge before it waits.
struct CycleEdge {
  std::string task;
  std::string role;
  std::string from;       // node names, as the validator prints them
  std::string to;
  std::string from_lock;  // instances
  std::string to_lock;
  Mode from_mode = Mode::kExclusive;
  Mode to_mode = Mode::kExclusive;
  Site from_site;
  Site to_site;
  bool waits_for_event = false;  // `to` is an event, a barrier or the end of a task
  bool owes = false;             // `from` is an event that the task would trigger later
  bool queued = false;           // waits behind the next edge's writer, not for a holder
  std::vector<GuardReport> held;
};

struct GradedCycle {
  Grade grade = Grade::kOrder;
  std::string reason;  // kOrder: what excludes it
  std::vector<CycleEdge> edges;
  std::vector<std::string> instances;  // "2 x T1": the tasks that a deadlock needs, by role
  std::vector<uint32_t> witness;       // kFeasible: the events of the trace that block, one an edge
  std::vector<uint32_t> schedule;      // kFeasible: by task of the trace, how many of its first events come before
  std::string signature;               // "A > B": the nodes in order, the least first; queued writers left out

  // "feasible: A > B [T1 holds A at x.cc:1 and waits for B at x.cc:2; ...]"
  std::string ToString() const;
};

// The nodes of a cycle, in order, turned so that the least comes first: "A > B > C".
std::string CycleSignature(std::vector<std::string> nodes);

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_PREDICT_GRADED_CYCLE_H_
