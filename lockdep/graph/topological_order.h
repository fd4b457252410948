// A topological order of a growing directed graph, and its strong components once it has cycles.
//
// An edge that agrees with the order costs O(1). Any other is repaired by a search that runs forward from its head and
// backward from its tail at the same pace, both within the stretch of the order between the two; the side that ends first
// is moved past the other end. An edge that closes a cycle merges the components on that cycle into one, which keeps one
// place in the order; so the order never breaks, and "is this edge on a cycle" is one comparison, before and after cycles.
//
// Thread-safety: none. Determinism: depends on the sequence of calls alone.
// Invariants:    every edge leads to a later place or stays inside one component; components are exactly the strong ones.
// Cost:          AddEdge O(1) in order, else the smaller of the two searched regions (plus O(log V) amortised for each vertex
//                moved); closing a cycle: the forward region. RemoveVertex: its edges and their lists; its component, if not alone.
// Example:
//   const VertexId a = order.AddVertexAtEnd(), b = order.AddVertexAtEnd();
//   order.AddEdge(a, b);
//   order.AddEdge(b, a);
//   order.SameComponent(a, b);   // true: both lie on one cycle
#ifndef ORDEAL_LOCKDEP_GRAPH_TOPOLOGICAL_ORDER_H_
#define ORDEAL_LOCKDEP_GRAPH_TOPOLOGICAL_ORDER_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/container/inlined_vector.h"

namespace ordeal::lockdep {

enum class VertexId : uint32_t {};
constexpr uint32_t Index(VertexId id) { return static_cast<uint32_t>(id); }

struct OrderStats {
  uint64_t repairs = 0;         // edges that did not agree with the order
  uint64_t edges_walked = 0;    // by all repairs
  uint64_t vertices_moved = 0;  // by all repairs (components count as one)
  uint64_t region_max = 0;      // vertices reached by the largest repair
  uint64_t labels_written = 0;  // to make room between two places
  uint64_t merges = 0;          // edges that closed a cycle over several components
};

class TopologicalOrder {
 public:
  TopologicalOrder();

  // Where a new vertex is placed matters for speed alone: one that will first get edges out belongs to the front.
  VertexId AddVertexAtFront();
  VertexId AddVertexAtEnd();
  VertexId AddVertexAfter(VertexId place);
  // Removes `vertex` and its edges; the id is used again by a later vertex.
  void RemoveVertex(VertexId vertex);

  // Not a known edge, from != to.
  void AddEdge(VertexId from, VertexId to);

  bool SameComponent(VertexId a, VertexId b) const { return Component(Index(a)) == Component(Index(b)); }
  // `a` comes before `b`; false within one component.
  bool Before(VertexId a, VertexId b) const {
    return vertices_[Component(Index(a))].label < vertices_[Component(Index(b))].label;
  }
  // No cycle.
  bool acyclic() const { return cyclic_components_ == 0; }
  // Vertices that exist, and the bound of their ids.
  uint32_t size() const { return static_cast<uint32_t>(vertices_.size() - free_.size()) - 1; }
  uint32_t id_bound() const { return static_cast<uint32_t>(vertices_.size()); }
  const OrderStats& stats() const { return stats_; }
  size_t MemoryBytes() const;  // O(vertices)
  // Crashes unless the order, its list and the components agree with each other. O(V + E).
  void CheckInvariants() const;

 private:
  static constexpr size_t kInline = 4;
  using Neighbours = absl::InlinedVector<uint32_t, kInline>;
  // A component is named by one of its vertices, which alone has its label, links and size.
  struct Vertex {
    uint64_t label = 0;  // place in the order: ascending along the list, with gaps
    uint32_t component = 0;
    uint32_t next_member = 0;  // a ring
    uint32_t members = 1;
    uint32_t previous = 0;
    uint32_t next = 0;
    uint32_t mark = 0;  // of the search that reached the component
  };
  // One side of a search: the components reached, and where it stands.
  struct Side {
    bool forward;
    uint64_t bound;  // label of the last component that counts
    uint32_t mark;
    std::vector<uint32_t> reached;
    size_t at = 0;
    uint32_t member = 0;  // of reached[at]; 0 before its first
    size_t edge = 0;
  };
  enum class Step { kOn, kEnded, kMet };

  uint32_t Component(uint32_t vertex) const { return vertices_[vertex].component; }
  VertexId NewVertex(uint32_t after);
  void Repair(uint32_t from, uint32_t to);
  void Start(Side& side, bool forward, uint32_t start, uint64_t bound);
  Step Advance(Side& side, uint32_t other_mark);
  void MoveAfter(uint32_t place, std::vector<uint32_t>& components);
  void Merge(uint32_t from, uint32_t to);
  void Absorb(uint32_t into, uint32_t component);
  void Split(uint32_t component, uint32_t leaving);
  std::vector<std::vector<uint32_t>> StrongComponents(const std::vector<uint32_t>& vertices);
  void ForgetMarks();
  void Unlink(uint32_t component);
  void LinkAfter(uint32_t place, uint32_t component, uint64_t to_follow);
  void MakeRoomAt(uint32_t place);

  // Index 0 is the head of the list of components in order, not a vertex.
  std::vector<Vertex> vertices_;
  std::vector<Neighbours> out_;
  std::vector<Neighbours> in_;
  std::vector<uint32_t> free_;
  Side forward_{};  // kept for their memory
  Side backward_{};
  uint32_t last_mark_ = 0;
  uint32_t cyclic_components_ = 0;
  OrderStats stats_;
};

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_GRAPH_TOPOLOGICAL_ORDER_H_
