// The graph of lock classes: an edge A -> B says that B was acquired while A was held.
//
// Each edge keeps the kinds it was seen with, {holder exclusive or shared} x {acquirer recursive reader or not}, both sites
// and the last run it was seen in. A path is *strong* when no step into a recursive reader is followed by a step out of a
// shared holder: only a strong cycle can deadlock. The search state is (node, arrived weakly or strongly), not the node
// alone: the kernel's validator marks nodes and so misses cycles (FN-1 of the validator survey).
// Algorithm: the kernel's lockdep-design.rst, "strong dependency paths", with the doubled search state, and a topological
// order of the doubled graph that tells without a search that an edge closes no strong cycle (see the .cc).
//
// Thread-safety: none; the validator's mutex guards it.
// Invariants:    at most one edge for a pair of nodes; edge ids are dense and in order of insertion, never used again.
// Cost:          Add: a look-up, and for what is new to all runs the order's repair. FindCycle: O(1) if the graph of all runs
//                has no cycle through the edge, else a search of the edges that are on cycles with it.
// Example:
//   const EdgeId edge = graph.Add(a, b, {.kind = kEdgeEN}, run, &new_to_all);
//   std::vector<EdgeId> path;
//   if (graph.FindCycle(edge, kEdgeEN, run, &path)) ...   // path leads from b back to a
#ifndef ORDEAL_LOCKDEP_GRAPH_DEPENDENCY_GRAPH_H_
#define ORDEAL_LOCKDEP_GRAPH_DEPENDENCY_GRAPH_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "lockdep/graph/lock_class.h"
#include "lockdep/graph/site.h"
#include "lockdep/graph/topological_order.h"

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

  bool removed() const { return kinds == 0; }
};

struct GraphStats {
  uint64_t nodes = 0;
  uint64_t edges = 0;     // without the removed
  uint64_t searches = 0;  // for the path of a cycle; none is needed to know that there is no cycle
  uint64_t states_searched = 0;
  OrderStats order;
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
  // Records that `run` saw `edge` with `kinds`, with which an earlier run had seen it.
  void MarkSeen(EdgeId edge, uint8_t kinds, uint32_t run);
  // Removes the edges of `node`, whose id will not be used again. Their ids stay theirs: edge(id).removed().
  void RemoveNode(NodeId node);

  // A strong cycle that `edge` closes with its kind `kind` (one kEdge bit); path gets the edges from edge.to back to
  // edge.from, as few as possible. Among the edges of `run`, or of all runs. No search if the order shows that none has one.
  bool FindCycle(EdgeId edge, uint8_t kind, uint32_t run, std::vector<EdgeId>* path);
  bool FindCycleInAllRuns(EdgeId edge, uint8_t kind, std::vector<EdgeId>* path);
  // Whether FindCycleInAllRuns would find one. O(1).
  bool OnCycleInAllRuns(EdgeId edge, uint8_t kind) const;
  // No edge of any run is on a strong cycle. O(1).
  bool acyclic() const { return order_.acyclic(); }

  const Edge& edge(EdgeId id) const { return edges_[Index(id)]; }
  // All ids are below this; removed edges count.
  uint32_t size() const { return static_cast<uint32_t>(edges_.size()); }
  // Ids of the edges out of `node`, ascending. Valid until the graph changes.
  const std::vector<EdgeId>& OutOf(NodeId node) const;
  // Ids of the edges into `node`, ascending.
  const std::vector<EdgeId>& InOf(NodeId node) const;
  // The id of the edge from -> to, or nothing.
  std::optional<EdgeId> Find(NodeId from, NodeId to) const;
  uint64_t searches() const { return searches_; }
  GraphStats stats() const;
  size_t MemoryBytes() const;  // approximate; O(nodes + edges)
  void CheckInvariants() const;

 private:
  static constexpr uint32_t kNoPlace = 0xffffffffu;
  static constexpr VertexId kNoVertex{0};
  // A node that has or had edges.
  struct Place {
    VertexId strong{};  // arrived strongly, or starting here
    VertexId weak{};    // arrived weakly; kNoVertex until an edge of kind R arrives
    std::vector<EdgeId> out;
    std::vector<EdgeId> in;
  };

  uint32_t PlaceOf(NodeId node) const {
    return Index(node) < place_of_node_.size() ? place_of_node_[Index(node)] : kNoPlace;
  }
  Place& PlaceAt(NodeId node) { return places_[place_of_node_[Index(node)]]; }
  const Place& PlaceAt(NodeId node) const { return places_[place_of_node_[Index(node)]]; }
  void AddPlaces(NodeId from, NodeId to);
  void AddPlace(NodeId node, bool at_front);
  void ActivateWeak(NodeId node);
  void AddToOrder(const Edge& edge, uint8_t kinds_before);
  bool Search(EdgeId start, uint8_t kind, bool this_run_only, uint32_t run, std::vector<EdgeId>* path);

  std::vector<Edge> edges_;
  absl::flat_hash_map<uint64_t, EdgeId> by_ends_;  // by PairKey(from, to); looked up, never iterated
  std::vector<uint32_t> place_of_node_;
  std::vector<Place> places_;
  std::vector<uint32_t> free_places_;
  TopologicalOrder order_;
  std::vector<uint32_t> visited_;  // by vertex: the last search that visited it
  uint32_t last_visit_ = 0;
  uint64_t searches_ = 0;
  uint64_t states_searched_ = 0;
};

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_GRAPH_DEPENDENCY_GRAPH_H_
