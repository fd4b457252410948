// The graph of lock classes: an edge A -> B says that B was acquired while A was held.
//
// Each edge keeps the kinds it was seen with, {holder exclusive or shared} x {acquirer recursive reader or not}, both sites
// and the last run it was seen in. A path is *strong* when no step into a recursive reader is followed by a step out of a
// shared holder: only a strong cycle can deadlock. The search state is (node, arrived weakly or strongly), not the node
// alone: the kernel's validator marks nodes and so misses cycles (FN-1 of the validator survey).
// Algorithm: the kernel's lockdep-design.rst, "strong dependency paths", with the doubled search state.
//
// Thread-safety: none; the validator's mutex guards it.
// Invariants:    at most one edge for a pair of nodes; edge ids are dense and in order of insertion.
// Cost:          Add one hash look-up; FindCycle O(edges of the run), once for each edge that is new to a cyclic graph.
// Example:
//   const EdgeId edge = graph.Add(a, b, {.kind = kEdgeEN}, run, &new_to_all);
//   std::vector<EdgeId> path;
//   if (graph.FindCycle(edge, kEdgeEN, run, &path)) ...   // path leads from b back to a
#ifndef ORDEAL_LOCKDEP_GRAPH_DEPENDENCY_GRAPH_H_
#define ORDEAL_LOCKDEP_GRAPH_DEPENDENCY_GRAPH_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "lockdep/graph/lock_class.h"
#include "lockdep/graph/site.h"

namespace ordeal::lockdep {

enum class EdgeId : uint32_t {};
constexpr uint32_t Index(EdgeId id) { return static_cast<uint32_t>(id); }

// Bits of Edge::kinds: first letter, the holder: E exclusive, S shared; second, the acquirer: R recursive reader, N not.
inline constexpr uint8_t kEdgeEN = 1;
inline constexpr uint8_t kEdgeER = 2;
inline constexpr uint8_t kEdgeSN = 4;
inline constexpr uint8_t kEdgeSR = 8;
constexpr uint8_t EdgeKind(Mode holder, Mode acquirer) {
  const bool shared = holder != Mode::kExclusive;
  const bool recursive = acquirer == Mode::kSharedRecursive;
  return shared ? (recursive ? kEdgeSR : kEdgeSN) : (recursive ? kEdgeER : kEdgeEN);
}

// A bit for each pair of modes: finer than the kinds, which do not tell a plain reader from a writer.
constexpr uint16_t ModePair(Mode holder, Mode acquirer) {
  return static_cast<uint16_t>(1u << (static_cast<unsigned>(holder) * 3 + static_cast<unsigned>(acquirer)));
}

struct Edge {
  NodeId from{};
  NodeId to{};
  uint8_t kinds = 0;      // of all runs
  uint8_t run_kinds = 0;  // of run `last_run`
  uint32_t last_run = 0;
  // Of the first sighting of each kind.
  Mode from_mode = Mode::kExclusive;
  Mode to_mode = Mode::kExclusive;
  Site from_site;
  Site to_site;
  std::string task;
  uint16_t mode_pairs = 0;  // of all runs: bits ModePair(holder, acquirer); for export
};

class DependencyGraph {
 public:
  struct Sighting {
    uint8_t kind = kEdgeEN;  // one kEdge bit
    Mode from_mode = Mode::kExclusive;
    Mode to_mode = Mode::kExclusive;
    Site from_site;
    Site to_site;
    const char* task = "";
  };

  // Records that run `run` (>= 1, ascending) saw from -> to, from != to. *new_to_all: no run had seen it with this kind.
  EdgeId Add(NodeId from, NodeId to, const Sighting& sighting, uint32_t run, bool* new_to_all);
  // Records that `run` saw all that earlier runs have seen of `edge`.
  void MarkSeen(EdgeId edge, uint32_t run);

  // A strong cycle that `edge` closes with its kind `kind` (one kEdge bit); path gets the edges from edge.to back to
  // edge.from. Among the edges of `run`, or of all runs.
  bool FindCycle(EdgeId edge, uint8_t kind, uint32_t run, std::vector<EdgeId>* path);
  bool FindCycleInAllRuns(EdgeId edge, uint8_t kind, std::vector<EdgeId>* path);

  const Edge& edge(EdgeId id) const { return edges_[Index(id)]; }
  uint32_t size() const { return static_cast<uint32_t>(edges_.size()); }
  // Ids of the edges out of `node`, ascending.
  const std::vector<EdgeId>& OutOf(NodeId node) const;
  // Ids of the edges into `node`, ascending.
  const std::vector<EdgeId>& InOf(NodeId node) const;
  // The id of the edge from -> to, or nothing.
  std::optional<EdgeId> Find(NodeId from, NodeId to) const;
  uint64_t searches() const { return searches_; }

 private:
  bool Search(EdgeId start, uint8_t kind, bool this_run_only, uint32_t run, std::vector<EdgeId>* path);

  std::vector<Edge> edges_;
  std::vector<std::vector<EdgeId>> out_;  // by node
  std::vector<std::vector<EdgeId>> in_;   // by node
  absl::flat_hash_map<uint64_t, EdgeId> by_ends_;  // PairKey(from, to); looked up, never iterated
  uint64_t searches_ = 0;
};

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_GRAPH_DEPENDENCY_GRAPH_H_
