// Strong-path cycle search: breadth first over the states (node, arrived weakly or strongly). Arrived weakly means that the
// last step led into a recursive reader only; from there no step out of a shared holder may follow, since a recursive reader
// does not wait for readers. A cycle closes if the joint between its last step and the closing edge is strong too.

#include "lockdep/graph/dependency_graph.h"

#include <algorithm>
#include <limits>

#include "lockdep/support/check.h"

namespace ordeal::lockdep {
namespace {

constexpr uint8_t kIntoRecursive = kEdgeER | kEdgeSR;
constexpr uint8_t kIntoOther = kEdgeEN | kEdgeSN;
constexpr uint8_t kOutOfShared = kEdgeSN | kEdgeSR;
constexpr uint32_t kUnvisited = std::numeric_limits<uint32_t>::max();

struct State {
  NodeId node;
  bool weak;
  EdgeId edge;      // by which it was reached
  uint32_t parent;  // index of the state before; kUnvisited at the start
};

constexpr uint64_t PairKey(NodeId from, NodeId to) { return (uint64_t{Index(from)} << 32) | Index(to); }

const std::vector<EdgeId>& NoEdges() {
  static const std::vector<EdgeId>& kNone = *new std::vector<EdgeId>();
  return kNone;
}

}  // namespace

const std::vector<EdgeId>& DependencyGraph::OutOf(NodeId node) const {
  return Index(node) < out_.size() ? out_[Index(node)] : NoEdges();
}

const std::vector<EdgeId>& DependencyGraph::InOf(NodeId node) const {
  return Index(node) < in_.size() ? in_[Index(node)] : NoEdges();
}

std::optional<EdgeId> DependencyGraph::Find(NodeId from, NodeId to) const {
  const auto it = by_ends_.find(PairKey(from, to));
  if (it == by_ends_.end()) return std::nullopt;
  return it->second;
}

EdgeId DependencyGraph::Add(NodeId from, NodeId to, const Sighting& sighting, uint32_t run, bool* new_to_all) {
  LD_CHECK(from != to, "a self-dependency is judged by the recursion rules, not by the graph");
  const auto [place, inserted] = by_ends_.try_emplace(PairKey(from, to), EdgeId{size()});
  const EdgeId id = place->second;
  if (inserted) {
    const size_t needed = std::max(Index(from), Index(to)) + size_t{1};
    if (out_.size() < needed) {
      out_.resize(needed);
      in_.resize(needed);
    }
    edges_.push_back({from, to, sighting.kind, sighting.kind, run, sighting.from_mode, sighting.to_mode,
                      sighting.from_site, sighting.to_site, sighting.task,
                      ModePair(sighting.from_mode, sighting.to_mode)});
    out_[Index(from)].push_back(id);
    in_[Index(to)].push_back(id);
    *new_to_all = true;
    return id;
  }
  Edge& known = edges_[Index(id)];
  if (known.last_run != run) {
    known.last_run = run;
    known.run_kinds = 0;
  }
  known.run_kinds |= sighting.kind;
  *new_to_all = (known.kinds & sighting.kind) == 0;
  known.kinds |= sighting.kind;
  known.mode_pairs |= ModePair(sighting.from_mode, sighting.to_mode);
  return id;
}

void DependencyGraph::MarkSeen(EdgeId id, uint32_t run) {
  Edge& known = edges_[Index(id)];
  known.last_run = run;
  known.run_kinds = known.kinds;
}

bool DependencyGraph::FindCycle(EdgeId edge, uint8_t kind, uint32_t run, std::vector<EdgeId>* path) {
  return Search(edge, kind, true, run, path);
}

bool DependencyGraph::FindCycleInAllRuns(EdgeId edge, uint8_t kind, std::vector<EdgeId>* path) {
  return Search(edge, kind, false, 0, path);
}

bool DependencyGraph::Search(EdgeId start, uint8_t kind, bool this_run_only, uint32_t run, std::vector<EdgeId>* path) {
  ++searches_;
  const NodeId target = edge(start).from;
  const bool closing_from_shared = (kind & kOutOfShared) != 0;
  std::vector<uint8_t> visited(out_.size(), 0);  // bit 0: strongly, bit 1: weakly
  std::vector<State> states;
  const bool start_weak = (kind & kIntoRecursive) != 0;
  states.push_back({edge(start).to, start_weak, start, kUnvisited});
  visited[Index(edge(start).to)] |= start_weak ? 2 : 1;
  for (uint32_t next = 0; next < states.size(); ++next) {
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
        for (uint32_t at = next; states[at].parent != kUnvisited; at = states[at].parent) {
          path->push_back(states[at].edge);
        }
        std::reverse(path->begin(), path->end());
        return true;
      }
      // A strong arrival can do all that a weak one can, so a weak one need not be visited after it.
      const uint8_t seen = visited[Index(out.to)];
      if ((seen & 1) != 0 || (weak && (seen & 2) != 0)) continue;
      visited[Index(out.to)] |= weak ? 2 : 1;
      states.push_back({out.to, weak, id, next});
    }
  }
  return false;
}

}  // namespace ordeal::lockdep
