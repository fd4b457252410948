// What a dependency that is new to all runs costs, in graphs of 1,000 to 100,000 classes with 3 edges out of each.
//
// Two methods get the same edges in one process: DependencyGraph, whose topological order decides, and the *baseline*, the
// breadth-first search of the graph from each new edge that it replaced (and that kernel lockdep does). The baseline is
// run for a sample of the edges spread evenly over the building of the graph, since all of them would take hours.
//
//   ns_edge        mean of DependencyGraph::Add + FindCycleInAllRuns, over every edge of the graph
//   baseline_ns    mean of the baseline's add and search, over the sampled edges
//   ratio          baseline_ns / ns_edge
//   repairs        share of the edges that did not agree with the order; walked, moved: edges and vertices a new edge
//   region_max     vertices of the largest repair
//   bytes_edge     memory of DependencyGraph for each edge
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

#include "lockdep/graph/dependency_graph.h"
#include "lockdep/support/check.h"

namespace ordeal::lockdep {
namespace {

constexpr uint32_t kOutEdges = 3;
constexpr uint32_t kWindow = 64;

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint32_t Below(uint32_t bound) {
    state_ += 0x9e3779b97f4a7c15u;
    uint64_t mixed = (state_ ^ (state_ >> 30)) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
    return static_cast<uint32_t>(((mixed >> 32) * bound) >> 32);
  }

 private:
  uint64_t state_;
};

struct NewEdge {
  NodeId from;
  NodeId to;
  uint8_t kind;
};

enum Pattern : int64_t {
  kInOrder,    // anywhere to anywhere, and classes were first seen in an order that all edges respect
  kHidden,     // anywhere to anywhere, in an order that the graph must find out: most early edges violate its own
  kWindow64,   // to one of the next 64 classes of an order that differs locally from the one first seen
  kReaders,    // kWindow64 with shared and recursive-shared holders and acquirers, and weak cycles that are no deadlock
  kCyclic,     // kWindow64, and one edge of 100 goes the other way, which closes cycles
  kBackwards,  // adversarial: a chain whose pieces of equal length are joined, each time the later-seen before the earlier
  kBlocks,     // adversarial: chains of sqrt(n) classes, bubble-sorted: every other edge has two neighbours change places
};

NodeId Class(uint32_t index) { return NodeOf(LockClassId{index}, 0); }

uint8_t DrawKind(Random& random, bool forward) {
  if (!forward) return kEdgeSR;  // between edges of the same kind: no strong cycle
  const uint32_t draw = random.Below(100);
  return draw < 70 ? kEdgeEN : draw < 80 ? kEdgeSN : draw < 90 ? kEdgeER : kEdgeSR;
}

std::vector<NewEdge> ChainBackwards(uint32_t classes) {
  std::vector<NewEdge> edges;
  for (uint32_t length = 1; length < classes; length *= 2) {
    for (uint32_t begin = 0; begin + length < classes; begin += 2 * length) {
      // The order of the chain is that of descending numbers: the later piece leads to the earlier one.
      edges.push_back({Class(begin + length), Class(std::min(begin + length, classes) - 1), kEdgeEN});
    }
  }
  return edges;
}

std::vector<NewEdge> BubbleSortedBlocks(uint32_t classes) {
  const auto block = static_cast<uint32_t>(std::sqrt(classes));
  std::vector<NewEdge> edges;
  for (uint32_t i = 0; i + 1 < block * block; ++i) {
    if ((i + 1) % block != 0) edges.push_back({Class(i), Class(i + 1), kEdgeEN});
  }
  std::vector<uint32_t> order(block);
  std::iota(order.begin(), order.end(), 0);
  for (uint32_t pass = block; pass-- > 1;) {
    for (uint32_t at = 0; at < pass; ++at) {
      edges.push_back({Class(order[at + 1] * block + block - 1), Class(order[at] * block), kEdgeEN});
      std::swap(order[at], order[at + 1]);
    }
  }
  return edges;
}

std::vector<NewEdge> DrawEdges(Pattern pattern, uint32_t classes) {
  if (pattern == kBackwards) return ChainBackwards(classes);
  if (pattern == kBlocks) return BubbleSortedBlocks(classes);
  Random random(classes + static_cast<uint64_t>(pattern));
  // by_rank: the classes in the order that edges respect.
  std::vector<uint32_t> by_rank(classes);
  std::iota(by_rank.begin(), by_rank.end(), 0);
  for (uint32_t i = classes; i-- > 1;) {
    const uint32_t span = pattern == kInOrder ? 1 : pattern == kHidden ? i + 1 : std::min(i + 1, kWindow);
    std::swap(by_rank[i], by_rank[i - random.Below(span)]);
  }
  const bool anywhere = pattern == kInOrder || pattern == kHidden;
  std::vector<NewEdge> edges;
  for (uint32_t rank = 0; rank + 1 < classes; ++rank) {
    for (uint32_t i = 0; i < kOutEdges; ++i) {
      const uint32_t span = classes - 1 - rank;
      const uint32_t to = rank + 1 + random.Below(anywhere ? span : std::min(span, kWindow));
      NewEdge edge{Class(by_rank[rank]), Class(by_rank[to]), kEdgeEN};
      const bool backward = (pattern == kCyclic && random.Below(100) == 0) ||
                            (pattern == kReaders && random.Below(20) == 0);
      if (backward) std::swap(edge.from, edge.to);
      if (pattern == kReaders) edge.kind = DrawKind(random, !backward);
      edges.push_back(edge);
    }
  }
  for (size_t i = edges.size(); i-- > 1;) std::swap(edges[i], edges[random.Below(static_cast<uint32_t>(i + 1))]);
  return edges;
}

// The graph before it had an order: a list of edges out of each node, scanned, and a search of all that a new edge leads to.
class Baseline {
 public:
  explicit Baseline(uint32_t nodes) : out_(nodes) {}
  // The new edge, or an old one.
  uint32_t Add(const NewEdge& edge) {
    std::vector<uint32_t>& out = out_[Index(edge.from)];
    const auto known = std::find_if(out.begin(), out.end(), [&](uint32_t id) { return edges_[id].to == edge.to; });
    if (known != out.end()) {
      edges_[*known].kinds |= edge.kind;
      return *known;
    }
    Edge added;
    added.from = edge.from;
    added.to = edge.to;
    added.kinds = edge.kind;
    edges_.push_back(std::move(added));
    out.push_back(static_cast<uint32_t>(edges_.size() - 1));
    return out.back();
  }
  bool FindCycle(uint32_t start, uint8_t kind) const {
    struct State {
      NodeId node;
      bool weak;
      uint32_t edge;
      uint32_t parent;
    };
    const NodeId target = edges_[start].from;
    const bool closing_from_shared = (kind & (kEdgeSN | kEdgeSR)) != 0;
    const bool start_weak = (kind & (kEdgeER | kEdgeSR)) != 0;
    std::vector<uint8_t> visited(out_.size(), 0);  // bit 0: strongly, bit 1: weakly
    std::vector<State> states;
    states.push_back({edges_[start].to, start_weak, start, 0});
    visited[Index(edges_[start].to)] |= start_weak ? 2 : 1;
    for (uint32_t next = 0; next < states.size(); ++next) {
      const State state = states[next];
      for (const uint32_t id : out_[Index(state.node)]) {
        const Edge& out = edges_[id];
        uint8_t kinds = out.kinds;
        if (state.weak) kinds &= static_cast<uint8_t>(~(kEdgeSN | kEdgeSR));
        if (kinds == 0) continue;
        const bool weak = (kinds & (kEdgeEN | kEdgeSN)) == 0;
        if (out.to == target && !(weak && closing_from_shared)) return true;
        const uint8_t seen = visited[Index(out.to)];
        if ((seen & 1) != 0 || (weak && (seen & 2) != 0)) continue;
        visited[Index(out.to)] |= weak ? 2 : 1;
        states.push_back({out.to, weak, id, next});
      }
    }
    return false;
  }

 private:
  std::vector<Edge> edges_;
  std::vector<std::vector<uint32_t>> out_;
};

class Stopwatch {
 public:
  void Start() { start_ = std::chrono::steady_clock::now(); }
  void Stop() { total_ += std::chrono::steady_clock::now() - start_; }
  double total_ns() const { return std::chrono::duration<double, std::nano>(total_).count(); }

 private:
  std::chrono::steady_clock::time_point start_;
  std::chrono::steady_clock::duration total_{};
};

struct Costs {
  Stopwatch graph;
  Stopwatch baseline;
  uint32_t cycles = 0;
  uint32_t sampled = 0;
};

// Gives both the same edges; one edge of `stride` is searched by the baseline too, and the verdicts compared.
Costs Build(const std::vector<NewEdge>& edges, uint32_t stride, DependencyGraph& graph, Baseline& baseline) {
  Costs costs;
  std::vector<EdgeId> path;
  for (size_t done = 0; done < edges.size(); done += stride) {
    const size_t end = std::min(done + stride, edges.size());
    bool cycle = false;
    costs.graph.Start();  // a stretch of edges at a time, so that the clock does not count
    for (size_t i = done; i < end; ++i) {
      bool new_to_all = false;
      const EdgeId edge = graph.Add(edges[i].from, edges[i].to, {.kind = edges[i].kind}, 1, &new_to_all);
      cycle = new_to_all && graph.FindCycleInAllRuns(edge, edges[i].kind, &path);
      costs.cycles += cycle;
    }
    costs.graph.Stop();
    for (size_t i = done; i + 1 < end; ++i) baseline.Add(edges[i]);
    costs.baseline.Start();
    const bool baseline_cycle = baseline.FindCycle(baseline.Add(edges[end - 1]), edges[end - 1].kind);
    costs.baseline.Stop();
    ++costs.sampled;
    LD_CHECK(cycle == baseline_cycle || !graph.acyclic(), "both methods agree");
  }
  return costs;
}

void BM_NewDependency(benchmark::State& state) {
  const auto pattern = static_cast<Pattern>(state.range(0));
  const auto classes = static_cast<uint32_t>(state.range(1));
  const std::vector<NewEdge> edges = DrawEdges(pattern, classes);
  const auto count = static_cast<double>(edges.size());
  const uint32_t samples = classes >= 100'000 ? 60 : 300;
  for (auto _ : state) {
    DependencyGraph graph;
    Baseline baseline(classes * kSubclasses);
    if (pattern != kHidden) {  // the classes are first seen in order of their numbers
      bool new_to_all = false;
      const NodeId first = NodeOf(LockClassId{classes}, 0);
      for (uint32_t i = 0; i < classes; ++i) graph.Add(first, Class(i), {}, 1, &new_to_all);
      graph.RemoveNode(first);
    }
    const OrderStats before = graph.stats().order;
    const Costs costs = Build(edges, static_cast<uint32_t>(edges.size() / samples), graph, baseline);
    const OrderStats after = graph.stats().order;
    const double ns = costs.graph.total_ns() / count;
    const double baseline_ns = costs.baseline.total_ns() / costs.sampled;
    state.SetIterationTime(ns * 1e-9);
    state.counters["ns_edge"] = ns;
    state.counters["baseline_ns"] = baseline_ns;
    state.counters["ratio"] = baseline_ns / ns;
    state.counters["repairs"] = static_cast<double>(after.repairs - before.repairs) / count;
    state.counters["walked"] = static_cast<double>(after.edges_walked - before.edges_walked) / count;
    state.counters["moved"] = static_cast<double>(after.vertices_moved - before.vertices_moved) / count;
    state.counters["region_max"] = static_cast<double>(after.region_max);
    state.counters["cycles"] = costs.cycles;
    state.counters["bytes_edge"] = static_cast<double>(graph.MemoryBytes()) / count;
  }
}

double Lowest(const std::vector<double>& values) { return *std::min_element(values.begin(), values.end()); }
double Highest(const std::vector<double>& values) { return *std::max_element(values.begin(), values.end()); }

void EachPatternAndSize(benchmark::internal::Benchmark* benchmark) {
  for (const Pattern pattern : {kInOrder, kHidden, kWindow64, kReaders, kCyclic, kBackwards, kBlocks}) {
    for (const int64_t classes : {1'000, 10'000, 100'000}) benchmark->Args({pattern, classes});
  }
}
// Patterns: 0 in order, 1 hidden order, 2 window, 3 window with readers, 4 window with cycles, 5 backwards, 6 blocks.
BENCHMARK(BM_NewDependency)
    ->ArgNames({"pattern", "classes"})
    ->Apply(EachPatternAndSize)
    ->UseManualTime()
    ->Iterations(1)
    ->Repetitions(7)
    ->ComputeStatistics("min", Lowest)
    ->ComputeStatistics("max", Highest)
    ->ReportAggregatesOnly();

}  // namespace
}  // namespace ordeal::lockdep
