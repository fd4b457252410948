// Searches of the dependency graph for interrupt usage: does a strong path lead from a lock used in a context to a lock
// that this context may interrupt?
//
// A step forwards that arrives in a recursive reader only lets the search match exclusive usage only, since that reader does
// not wait for readers; backwards the same holds for a lock that was held shared only. The search state is (node, weak or
// strong), so a weak path does not hide a strong one.
//
// Thread-safety: none; the validator's mutex guards it.  Cost: linear in the part of the graph it reaches.
// Example:
//   UsageSearch search(graph, usage, classes, run);
//   std::vector<EdgeId> path;
//   if (search.Forwards(node, recursive_reader, MaskOf(bit), &path)) ...
#ifndef ORDEAL_LOCKDEP_RUNTIME_USAGE_SEARCH_H_
#define ORDEAL_LOCKDEP_RUNTIME_USAGE_SEARCH_H_

#include <optional>
#include <vector>

#include "lockdep/graph/dependency_graph.h"
#include "lockdep/graph/lock_class.h"
#include "lockdep/runtime/usage.h"

namespace ordeal::lockdep {

class UsageSearch {
 public:
  // Among the dependencies and usage of `run`, or of all runs if it is 0.
  UsageSearch(const DependencyGraph& graph, const UsageTable& usage, const LockClassTable& classes, uint32_t run)
      : graph_(graph), usage_(usage), classes_(classes), run_(run) {}

  // The nearest node from `start`, itself included, whose usage meets `mask`; `path` leads from `start` to it. `weak`: only
  // exclusive usage of `start` counts, and only steps out of an exclusive holder may leave it.
  std::optional<NodeId> Forwards(NodeId start, bool weak, UsageMask mask, std::vector<EdgeId>* path) const;
  // The same against the edges; `path` leads from the node found to `start`.
  std::optional<NodeId> Backwards(NodeId start, bool weak, UsageMask mask, std::vector<EdgeId>* path) const;
  // All usage of the nodes from which a strong path leads to `start`.
  UsageMask AccumulateBackwards(NodeId start, bool weak) const;
  UsageMask UsageOf(NodeId node) const { return run_ == 0 ? usage_.InAllRuns(node) : usage_.InRun(node, run_); }

 private:
  struct Step;
  template <typename Match>
  std::optional<NodeId> Search(NodeId start, bool weak, bool forwards, const Match& match, std::vector<EdgeId>* path) const;
  uint8_t KindsOf(const Edge& edge) const;
  bool Skipped(NodeId node) const;

  const DependencyGraph& graph_;
  const UsageTable& usage_;
  const LockClassTable& classes_;
  const uint32_t run_;
};

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_RUNTIME_USAGE_SEARCH_H_
