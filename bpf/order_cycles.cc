// For each edge, a breadth-first search from its end back to its start over states (node, mode in which it was acquired):
// whether the walk may go on depends on that mode and the one in which the next edge holds the node (the kernel's
// lockdep-design.rst calls such paths strong). Edges between components cannot lie on a cycle and are not searched.
#include "bpf/order_cycles.h"

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <tuple>

#include "absl/strings/str_cat.h"

namespace ordeal::bpf {
namespace {

using lockdep::Instances;
using lockdep::Mode;

constexpr size_t kCyclesMax = 100;  // enough to be read; a graph with more is broken through and through

// Whether who arrives in `acquired` waits for who is there in `held`.
bool Blocks(Mode held, Mode acquired, bool writer_queued) {
  if (held == Mode::kExclusive || acquired == Mode::kExclusive) return true;
  return writer_queued && acquired == Mode::kShared;
}

class Search {
 public:
  Search(const std::vector<UnionEdge>& edges, bool writer_queued) : edges_(edges), writer_queued_(writer_queued) {
    for (size_t i = 0; i < edges.size(); ++i) {
      if (!IsLoop(edges[i])) out_[edges[i].edge.from.Name()].push_back(i);
    }
  }

  // The shortest cycle through edge `first`, as indexes; empty if there is none.
  std::vector<size_t> Through(size_t first) const {
    const lockdep::OrderGraph::Edge& start = edges_[first].edge;
    std::deque<size_t> queue = {first};
    std::map<size_t, size_t> came_from = {{first, first}};
    std::set<std::pair<std::string, Mode>> visited = {{start.to.Name(), start.to.mode}};
    while (!queue.empty()) {
      const size_t at = queue.front();
      queue.pop_front();
      const lockdep::OrderGraph::Edge& edge = edges_[at].edge;
      if (edge.to.Name() == start.from.Name() && Blocks(start.from.mode, edge.to.mode, writer_queued_)) {
        return Path(first, at, came_from);
      }
      const auto next = out_.find(edge.to.Name());
      if (next == out_.end()) continue;
      for (const size_t step : next->second) {
        const lockdep::OrderGraph::Edge& further = edges_[step].edge;
        if (!Blocks(further.from.mode, edge.to.mode, writer_queued_)) continue;
        if (!visited.insert({further.to.Name(), further.to.mode}).second) continue;
        came_from.emplace(step, at);
        queue.push_back(step);
      }
    }
    return {};
  }

  static bool IsLoop(const UnionEdge& edge) { return edge.edge.from.Name() == edge.edge.to.Name(); }

 private:
  static std::vector<size_t> Path(size_t first, size_t last, const std::map<size_t, size_t>& came_from) {
    std::vector<size_t> path;
    for (size_t at = last; at != first; at = came_from.at(at)) path.push_back(at);
    path.push_back(first);
    std::reverse(path.begin(), path.end());
    return path;
  }

  const std::vector<UnionEdge>& edges_;
  const bool writer_queued_;
  std::map<std::string, std::vector<size_t>> out_;
};

std::string NodesOf(const OrderCycle& cycle) {
  std::set<std::string> nodes;
  for (const UnionEdge& edge : cycle.edges) nodes.insert(edge.edge.from.Name());
  std::string key;
  for (const std::string& node : nodes) absl::StrAppend(&key, node, "\n");
  return key;
}

// A node inside itself: one object twice, or two objects in both orders. Two objects in one order are no cycle.
std::vector<OrderCycle> Loops(const std::vector<UnionEdge>& edges, bool writer_queued) {
  std::vector<OrderCycle> cycles;
  for (const UnionEdge& up : edges) {
    if (!Search::IsLoop(up)) continue;
    const Instances instances = up.edge.instances;
    if (instances == Instances::kSame && Blocks(up.edge.from.mode, up.edge.to.mode, writer_queued)) {
      cycles.push_back({{up}, writer_queued});
    }
    if (instances != Instances::kAscending) continue;
    for (const UnionEdge& down : edges) {
      if (down.edge.from.Name() != up.edge.from.Name() || !Search::IsLoop(down)) continue;
      if (down.edge.instances != Instances::kDescending) continue;
      if (Blocks(down.edge.from.mode, up.edge.to.mode, writer_queued) &&
          Blocks(up.edge.from.mode, down.edge.to.mode, writer_queued)) {
        cycles.push_back({{up, down}, writer_queued});
      }
    }
  }
  return cycles;
}

// Nodes from which a walk can come back are what is left when sources and sinks are taken away again and again.
std::set<size_t> EdgesThatMayCycle(const std::vector<UnionEdge>& edges) {
  std::map<std::string, int> in, out;
  std::map<std::string, std::vector<size_t>> touching;
  std::set<size_t> left;
  for (size_t i = 0; i < edges.size(); ++i) {
    if (Search::IsLoop(edges[i])) continue;
    left.insert(i);
    ++out[edges[i].edge.from.Name()];
    ++in[edges[i].edge.to.Name()];
    touching[edges[i].edge.from.Name()].push_back(i);
    touching[edges[i].edge.to.Name()].push_back(i);
  }
  std::deque<std::string> open;
  for (const auto& [node, ignored] : touching) open.push_back(node);
  while (!open.empty()) {
    const std::string node = open.front();
    open.pop_front();
    if (in[node] != 0 && out[node] != 0) continue;
    for (const size_t i : touching[node]) {
      if (left.erase(i) == 0) continue;
      --out[edges[i].edge.from.Name()];
      --in[edges[i].edge.to.Name()];
      open.push_back(edges[i].edge.from.Name() == node ? edges[i].edge.to.Name() : edges[i].edge.from.Name());
    }
  }
  return left;
}

}  // namespace

std::string OrderCycle::ToString() const {
  std::string text;
  for (const UnionEdge& step : edges) {
    const lockdep::OrderGraph::Edge& edge = step.edge;
    absl::StrAppend(&text, "    ", edge.from.ToString(), " -> ", edge.to.ToString(), "  in ", step.source);
    if (edge.instances != Instances::kUnrelated) absl::StrAppend(&text, ", ", lockdep::InstancesName(edge.instances));
    if (!edge.to_site.empty()) absl::StrAppend(&text, "  [", edge.to_site, "]");
    absl::StrAppend(&text, "\n");
  }
  return text;
}

std::vector<OrderCycle> FindOrderCycles(const std::vector<UnionEdge>& edges) {
  std::vector<OrderCycle> cycles;
  std::set<std::string> found;
  const std::set<size_t> candidates = EdgesThatMayCycle(edges);
  for (const bool writer_queued : {false, true}) {
    std::vector<OrderCycle> round = Loops(edges, writer_queued);
    const Search search(edges, writer_queued);
    for (const size_t first : candidates) {
      OrderCycle cycle{.edges = {}, .needs_queued_writer = writer_queued};
      for (const size_t i : search.Through(first)) cycle.edges.push_back(edges[i]);
      if (!cycle.edges.empty()) round.push_back(std::move(cycle));
      if (round.size() > kCyclesMax * 10) break;
    }
    std::stable_sort(round.begin(), round.end(),
                     [](const OrderCycle& a, const OrderCycle& b) { return a.edges.size() < b.edges.size(); });
    for (OrderCycle& cycle : round) {
      if (cycles.size() < kCyclesMax && found.insert(NodesOf(cycle)).second) cycles.push_back(std::move(cycle));
    }
  }
  return cycles;
}

}  // namespace ordeal::bpf
