// Strong cycles without a search. The *doubled* graph has two vertices for each node: arrived strongly and arrived weakly.
// Arrived weakly means that the last step led into a recursive reader only; from there no step out of a shared holder may
// follow, since a recursive reader does not wait for readers. So a dependency a -> b leads from (a, strong) with every
// kind and from (a, weak) with the E kinds, to (b, weak) with the R kinds and to (b, strong) with the others.
//
// A strong cycle of the classes exists if and only if the doubled graph has a cycle. Only if: along a strong cycle each step
// arrives where the next may leave, and so does the last for the first. If: drop the marks from a cycle of the doubled
// graph and a closed walk remains in which no R is followed by an S. If it meets a class once only, it is a strong cycle.
// Else it meets some class c at both its vertices, and falls apart there into a walk from (c, strong) to (c, weak) and one
// from (c, weak) to (c, strong). The second leaves c with an E kind and comes back with an N kind, so its joint at c is
// strong and it is a shorter closed walk of the same sort; repeat with it.
//
// A topological order of the doubled graph (topological_order.h) hence shows that an edge closes no strong cycle, and its
// components show that it does. Cycles of readers that cannot deadlock do not disturb it. The weak vertex of a node that
// no R kind leads to cannot be on a cycle and is left out.
//
// The path of a cycle is searched breadth first, in the component of the closing edge alone: every cycle through an edge
// of the doubled graph stays in one component, and the cycles of one run are cycles of all runs.

#include "lockdep/graph/dependency_graph.h"

#include <algorithm>
#include <limits>

#include "lockdep/support/check.h"

namespace ordeal::lockdep {
namespace {

constexpr uint8_t kIntoRecursive = kEdgeER | kEdgeSR;
constexpr uint8_t kIntoOther = kEdgeEN | kEdgeSN;
constexpr uint8_t kOutOfShared = kEdgeSN | kEdgeSR;
constexpr uint32_t kNoParent = std::numeric_limits<uint32_t>::max();

// Which edges of the doubled graph a dependency of some kinds has: first word the tail, second the head.
constexpr uint8_t kStrongStrong = 1;
constexpr uint8_t kStrongWeak = 2;
constexpr uint8_t kWeakStrong = 4;
constexpr uint8_t kWeakWeak = 8;
constexpr uint8_t Doubled(uint8_t kinds) {
  return static_cast<uint8_t>(((kinds & kIntoOther) != 0 ? kStrongStrong : 0) |
                              ((kinds & kIntoRecursive) != 0 ? kStrongWeak : 0) |
                              ((kinds & kEdgeEN) != 0 ? kWeakStrong : 0) | ((kinds & kEdgeER) != 0 ? kWeakWeak : 0));
}

struct State {
  NodeId node;
  bool weak;
  EdgeId edge;      // by which it was reached
  uint32_t parent;  // index of the state before; kNoParent at the start
};

constexpr uint64_t PairKey(NodeId from, NodeId to) { return (uint64_t{Index(from)} << 32) | Index(to); }

const std::vector<EdgeId>& NoEdges() {
  static const std::vector<EdgeId>& kNone = *new std::vector<EdgeId>();
  return kNone;
}

void EraseId(std::vector<EdgeId>& ids, EdgeId id) { ids.erase(std::lower_bound(ids.begin(), ids.end(), id)); }

}  // namespace

const std::vector<EdgeId>& DependencyGraph::OutOf(NodeId node) const {
  const uint32_t place = PlaceOf(node);
  return place == kNoPlace ? NoEdges() : places_[place].out;
}

const std::vector<EdgeId>& DependencyGraph::InOf(NodeId node) const {
  const uint32_t place = PlaceOf(node);
  return place == kNoPlace ? NoEdges() : places_[place].in;
}

std::optional<EdgeId> DependencyGraph::Find(NodeId from, NodeId to) const {
  const auto it = by_ends_.find(PairKey(from, to));
  if (it == by_ends_.end()) return std::nullopt;
  return it->second;
}

EdgeId DependencyGraph::Add(NodeId from, NodeId to, const Sighting& sighting, uint32_t run, bool* new_to_all) {
  LD_CHECK(from != to, "a self-dependency is judged by the recursion rules, not by the graph");
  const auto [entry, inserted] = by_ends_.try_emplace(PairKey(from, to), EdgeId{size()});
  const EdgeId id = entry->second;
  if (inserted) {
    edges_.push_back({from, to, sighting.kind, sighting.kind, run, sighting.from_mode, sighting.to_mode,
                      sighting.from_site, sighting.to_site, sighting.task,
                      ModePair(sighting.from_mode, sighting.to_mode)});
    AddPlaces(from, to);
    PlaceAt(from).out.push_back(id);
    PlaceAt(to).in.push_back(id);
    AddToOrder(edges_.back(), 0);
    *new_to_all = true;
    return id;
  }
  Edge& known = edges_[Index(id)];
  if (known.last_run != run) {
    known.last_run = run;
    known.run_kinds = 0;
  }
  known.run_kinds |= sighting.kind;
  known.mode_pairs |= ModePair(sighting.from_mode, sighting.to_mode);
  const uint8_t kinds_before = known.kinds;
  *new_to_all = (kinds_before & sighting.kind) == 0;
  known.kinds |= sighting.kind;
  if (*new_to_all) AddToOrder(known, kinds_before);
  return id;
}

// A new node that first gets an edge out belongs to the front, one that gets an edge in to the end: both keep the order.
void DependencyGraph::AddPlaces(NodeId from, NodeId to) {
  const bool to_is_known = PlaceOf(to) != kNoPlace;
  if (PlaceOf(from) == kNoPlace) AddPlace(from, to_is_known);
  if (!to_is_known) AddPlace(to, false);
}

void DependencyGraph::AddPlace(NodeId node, bool at_front) {
  if (place_of_node_.size() <= Index(node)) {
    place_of_node_.resize(std::max<size_t>(Index(node) + size_t{1}, place_of_node_.size() * 3 / 2), kNoPlace);
  }
  uint32_t place = static_cast<uint32_t>(places_.size());
  if (free_places_.empty()) {
    places_.emplace_back();
  } else {
    place = free_places_.back();
    free_places_.pop_back();
  }
  place_of_node_[Index(node)] = place;
  places_[place].strong = at_front ? order_.AddVertexAtFront() : order_.AddVertexAtEnd();
}

// Right behind the strong vertex it precedes all that it leads to, since the strong one leads there too.
void DependencyGraph::ActivateWeak(NodeId node) {
  Place& place = PlaceAt(node);
  place.weak = order_.AddVertexAfter(place.strong);
  for (const EdgeId id : place.out) {
    const Edge& out = edge(id);
    const uint8_t doubled = Doubled(out.kinds);
    if ((doubled & kWeakStrong) != 0) order_.AddEdge(place.weak, PlaceAt(out.to).strong);
    if ((doubled & kWeakWeak) != 0) order_.AddEdge(place.weak, PlaceAt(out.to).weak);
  }
}

// Adds the edges of the doubled graph that `edge` has now and had not with `kinds_before`.
void DependencyGraph::AddToOrder(const Edge& edge, uint8_t kinds_before) {
  if ((edge.kinds & kIntoRecursive) != 0 && PlaceAt(edge.to).weak == kNoVertex) ActivateWeak(edge.to);
  const Place& from = PlaceAt(edge.from);
  const Place& to = PlaceAt(edge.to);
  const auto added = static_cast<uint8_t>(Doubled(edge.kinds) & ~Doubled(kinds_before));
  if ((added & kStrongStrong) != 0) order_.AddEdge(from.strong, to.strong);
  if ((added & kStrongWeak) != 0) order_.AddEdge(from.strong, to.weak);
  if (from.weak == kNoVertex) return;
  if ((added & kWeakStrong) != 0) order_.AddEdge(from.weak, to.strong);
  if ((added & kWeakWeak) != 0) order_.AddEdge(from.weak, to.weak);
}

void DependencyGraph::MarkSeen(EdgeId id, uint8_t kinds, uint32_t run) {
  Edge& known = edges_[Index(id)];
  if (known.last_run != run) {
    known.last_run = run;
    known.run_kinds = 0;
  }
  known.run_kinds |= kinds & known.kinds;  // none if it is removed
}

void DependencyGraph::RemoveNode(NodeId node) {
  const uint32_t index = PlaceOf(node);
  if (index == kNoPlace) return;
  Place& place = places_[index];
  for (const EdgeId id : place.out) EraseId(PlaceAt(edge(id).to).in, id);
  for (const EdgeId id : place.in) EraseId(PlaceAt(edge(id).from).out, id);
  for (const std::vector<EdgeId>* ids : {&place.out, &place.in}) {
    for (const EdgeId id : *ids) {
      Edge& removed = edges_[Index(id)];
      by_ends_.erase(PairKey(removed.from, removed.to));
      const NodeId from = removed.from;
      const NodeId to = removed.to;
      removed = Edge{from, to};
    }
  }
  if (place.weak != kNoVertex) order_.RemoveVertex(place.weak);
  order_.RemoveVertex(place.strong);
  place = Place();
  place_of_node_[Index(node)] = kNoPlace;
  free_places_.push_back(index);
}

bool DependencyGraph::OnCycleInAllRuns(EdgeId id, uint8_t kind) const {
  const Edge& closing = edge(id);
  LD_CHECK((closing.kinds & kind) == kind, "the edge was not seen with this kind, or is removed");
  const Place& from = PlaceAt(closing.from);
  const Place& to = PlaceAt(closing.to);
  const VertexId arrival = (kind & kIntoRecursive) != 0 ? to.weak : to.strong;
  if (order_.SameComponent(from.strong, arrival)) return true;
  return (kind & kOutOfShared) == 0 && from.weak != kNoVertex && order_.SameComponent(from.weak, arrival);
}

bool DependencyGraph::FindCycle(EdgeId edge, uint8_t kind, uint32_t run, std::vector<EdgeId>* path) {
  return OnCycleInAllRuns(edge, kind) && Search(edge, kind, true, run, path);
}

bool DependencyGraph::FindCycleInAllRuns(EdgeId edge, uint8_t kind, std::vector<EdgeId>* path) {
  if (!OnCycleInAllRuns(edge, kind)) return false;
  LD_CHECK(Search(edge, kind, false, 0, path), "an edge inside one component is on a cycle");
  return true;
}

bool DependencyGraph::Search(EdgeId start, uint8_t kind, bool this_run_only, uint32_t run, std::vector<EdgeId>* path) {
  ++searches_;
  if (++last_visit_ == 0) std::fill(visited_.begin(), visited_.end(), last_visit_++);
  visited_.resize(order_.id_bound(), 0);
  const NodeId target = edge(start).from;
  const bool closing_from_shared = (kind & kOutOfShared) != 0;
  const bool start_weak = (kind & kIntoRecursive) != 0;
  const Place& start_place = PlaceAt(edge(start).to);
  const VertexId start_vertex = start_weak ? start_place.weak : start_place.strong;
  std::vector<State> states;
  states.push_back({edge(start).to, start_weak, start, kNoParent});
  visited_[Index(start_vertex)] = last_visit_;
  for (uint32_t next = 0; next < states.size(); ++next) {
    ++states_searched_;
    const State state = states[next];
    for (const EdgeId id : OutOf(state.node)) {
      const Edge& out = edge(id);
      if (this_run_only && out.last_run != run) continue;
      uint8_t kinds = this_run_only ? out.run_kinds : out.kinds;
      if (state.weak) kinds &= static_cast<uint8_t>(~kOutOfShared);
      if (kinds == 0) continue;
      const bool weak = (kinds & kIntoOther) == 0;
      if (out.to == target && !(weak && closing_from_shared)) {
        path->assign(1, id);
        for (uint32_t at = next; states[at].parent != kNoParent; at = states[at].parent) {
          path->push_back(states[at].edge);
        }
        std::reverse(path->begin(), path->end());
        return true;
      }
      const Place& place = PlaceAt(out.to);
      const VertexId vertex = weak ? place.weak : place.strong;
      if (!order_.SameComponent(vertex, start_vertex)) continue;
      // A strong arrival can do all that a weak one can, so a weak one need not be visited after it.
      if (visited_[Index(place.strong)] == last_visit_ || visited_[Index(vertex)] == last_visit_) continue;
      visited_[Index(vertex)] = last_visit_;
      states.push_back({out.to, weak, id, next});
    }
  }
  return false;
}

GraphStats DependencyGraph::stats() const {
  return {places_.size() - free_places_.size(), by_ends_.size(), searches_, states_searched_, order_.stats()};
}

size_t DependencyGraph::MemoryBytes() const {
  size_t bytes = edges_.capacity() * sizeof(Edge) + by_ends_.capacity() * (sizeof(uint64_t) + sizeof(EdgeId) + 1) +
                 (place_of_node_.capacity() + free_places_.capacity() + visited_.capacity()) * sizeof(uint32_t) +
                 places_.capacity() * sizeof(Place) + order_.MemoryBytes();
  for (const Place& place : places_) bytes += (place.out.capacity() + place.in.capacity()) * sizeof(EdgeId);
  for (const Edge& edge : edges_) {
    if (edge.task.capacity() > std::string().capacity()) bytes += edge.task.capacity() + 1;
  }
  return bytes;
}

void DependencyGraph::CheckInvariants() const {
  order_.CheckInvariants();
  uint64_t live = 0;
  for (uint32_t index = 0; index < size(); ++index) {
    const Edge& each = edges_[index];
    const std::optional<EdgeId> found = Find(each.from, each.to);
    if (each.removed()) {
      LD_CHECK(found != EdgeId{index}, "a removed edge is not found");
      continue;
    }
    ++live;
    LD_CHECK(found == EdgeId{index}, "an edge is found by its ends");
    LD_CHECK(std::binary_search(OutOf(each.from).begin(), OutOf(each.from).end(), EdgeId{index}), "listed at its tail");
    LD_CHECK(std::binary_search(InOf(each.to).begin(), InOf(each.to).end(), EdgeId{index}), "listed at its head");
    LD_CHECK((each.kinds & kIntoRecursive) == 0 || PlaceAt(each.to).weak != kNoVertex, "R kinds arrive weakly");
  }
  LD_CHECK(live == by_ends_.size(), "every edge is indexed once");
}

}  // namespace ordeal::lockdep
