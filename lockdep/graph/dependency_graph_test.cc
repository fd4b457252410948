#include "lockdep/graph/dependency_graph.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>
#include <utility>
#include <vector>

#include "lockdep/graph/chain_key.h"

namespace ordeal::lockdep {
namespace {

EdgeId Add(DependencyGraph& graph, uint32_t from, uint32_t to, uint8_t kind, uint32_t run = 1) {
  bool new_to_all = false;
  return graph.Add(NodeId{from}, NodeId{to}, {.kind = kind}, run, &new_to_all);
}

TEST(DependencyGraphTest, KeepsOneEdgeForAPairAndItsKindsByRun) {
  DependencyGraph graph;
  const EdgeId first = Add(graph, 1, 2, kEdgeEN, 1);
  const EdgeId second = Add(graph, 1, 2, kEdgeSR, 2);
  EXPECT_EQ(first, second);
  EXPECT_EQ(graph.size(), 1u);
  EXPECT_EQ(graph.edge(first).kinds, kEdgeEN | kEdgeSR);
  EXPECT_EQ(graph.edge(first).run_kinds, kEdgeSR);
  graph.MarkSeen(first, kEdgeEN, 3);
  EXPECT_EQ(graph.edge(first).run_kinds, kEdgeEN);
  graph.MarkSeen(first, kEdgeSR, 3);
  EXPECT_EQ(graph.edge(first).run_kinds, kEdgeEN | kEdgeSR);
}

TEST(DependencyGraphTest, ListsTheEdgesOfANodeBothWays) {
  DependencyGraph graph;
  const EdgeId first = Add(graph, 1, 2, kEdgeEN);
  const EdgeId second = Add(graph, 3, 2, kEdgeEN);
  const EdgeId third = Add(graph, 1, 3, kEdgeEN);
  EXPECT_EQ(graph.OutOf(NodeId{1}), (std::vector<EdgeId>{first, third}));
  EXPECT_EQ(graph.InOf(NodeId{2}), (std::vector<EdgeId>{first, second}));
  EXPECT_TRUE(graph.InOf(NodeId{1}).empty());
  EXPECT_TRUE(graph.InOf(NodeId{77}).empty());
  EXPECT_EQ(graph.Find(NodeId{3}, NodeId{2}), second);
  EXPECT_EQ(graph.Find(NodeId{2}, NodeId{3}), std::nullopt);
}

TEST(DependencyGraphTest, SearchesOneRunOrAll) {
  DependencyGraph graph;
  Add(graph, 1, 2, kEdgeEN, 1);
  const EdgeId back = Add(graph, 2, 1, kEdgeEN, 2);
  std::vector<EdgeId> path;
  EXPECT_FALSE(graph.FindCycle(back, kEdgeEN, 2, &path));
  EXPECT_TRUE(graph.FindCycleInAllRuns(back, kEdgeEN, &path));
  EXPECT_EQ(path.size(), 1u);
}

// A naive twin: tries every walk of at most 12 (node, kind) steps, the number of search states of 6 nodes.
bool NaiveStrongCycle(const DependencyGraph& graph, EdgeId start, uint8_t start_kind) {
  const Edge& closing = graph.edge(start);
  const auto into_recursive = [](uint8_t kind) { return kind == kEdgeER || kind == kEdgeSR; };
  const auto out_of_shared = [](uint8_t kind) { return kind == kEdgeSN || kind == kEdgeSR; };
  const std::function<bool(NodeId, uint8_t, int)> walk = [&](NodeId node, uint8_t arrived, int depth) {
    if (node == closing.from && !(into_recursive(arrived) && out_of_shared(start_kind))) return true;
    if (depth == 0) return false;
    for (const EdgeId id : graph.OutOf(node)) {
      for (const uint8_t kind : {kEdgeEN, kEdgeER, kEdgeSN, kEdgeSR}) {
        if ((graph.edge(id).kinds & kind) == 0) continue;
        if (into_recursive(arrived) && out_of_shared(kind)) continue;
        if (walk(graph.edge(id).to, kind, depth - 1)) return true;
      }
    }
    return false;
  };
  return walk(closing.to, start_kind, 12);
}

// Goal: the breadth-first search over doubled states finds exactly the strong cycles. Method: seeded random graphs of 6 nodes.
TEST(DependencyGraphTest, AgreesWithANaiveSearchOnRandomGraphs) {
  uint64_t random = 42;
  const auto draw = [&](uint32_t below) {
    random = MixChainKey(random, 7);
    return static_cast<uint32_t>((random >> 20) % below);
  };
  int cycles = 0;
  for (int round = 0; round < 2000; ++round) {
    DependencyGraph graph;
    for (int i = 0; i < 9; ++i) {
      const uint32_t from = draw(6);
      const uint32_t to = draw(6);
      if (from == to) continue;
      const uint8_t kind = static_cast<uint8_t>(1u << draw(4));
      const EdgeId edge = Add(graph, from, to, kind);
      std::vector<EdgeId> path;
      const bool found = graph.FindCycle(edge, kind, 1, &path);
      ASSERT_EQ(found, NaiveStrongCycle(graph, edge, kind)) << "round " << round << " edge " << i;
      if (!found) continue;
      ++cycles;
      ASSERT_EQ(graph.edge(path.front()).from, graph.edge(edge).to);
      ASSERT_EQ(graph.edge(path.back()).to, graph.edge(edge).from);
      for (size_t step = 1; step < path.size(); ++step) {
        ASSERT_EQ(graph.edge(path[step - 1]).to, graph.edge(path[step]).from);
      }
    }
  }
  EXPECT_GT(cycles, 500);
}

// A naive twin of the doubled graph: breadth first from the arrival of the closing edge, no order, no component.
bool DoubledGraphHasCycle(const DependencyGraph& graph, EdgeId start, uint8_t kind, uint32_t run) {
  const auto kinds_of = [&](EdgeId id) {
    const Edge& edge = graph.edge(id);
    return run == 0 ? edge.kinds : edge.last_run == run ? edge.run_kinds : uint8_t{0};
  };
  const Edge& closing = graph.edge(start);
  std::set<std::pair<NodeId, bool>> seen;
  std::vector<std::pair<NodeId, bool>> open;
  const auto arrive = [&](NodeId node, bool weak) {
    if (seen.emplace(node, weak).second) open.emplace_back(node, weak);
  };
  arrive(closing.to, (kind & (kEdgeER | kEdgeSR)) != 0);
  while (!open.empty()) {
    const auto [node, weak] = open.back();
    open.pop_back();
    for (const EdgeId id : graph.OutOf(node)) {
      const int kinds = kinds_of(id) & (weak ? kEdgeEN | kEdgeER : 15);
      if ((kinds & (kEdgeEN | kEdgeSN)) != 0) arrive(graph.edge(id).to, false);
      if ((kinds & (kEdgeER | kEdgeSR)) != 0) arrive(graph.edge(id).to, true);
    }
  }
  const bool from_shared = (kind & (kEdgeSN | kEdgeSR)) != 0;
  return seen.count({closing.from, false}) != 0 || (!from_shared && seen.count({closing.from, true}) != 0);
}

// The closing edge and the path: consecutive edges, closed, and strong at every joint for some choice of kinds.
void ExpectStrongCycle(const DependencyGraph& graph, EdgeId closing, uint8_t kind, const std::vector<EdgeId>& path) {
  ASSERT_FALSE(path.empty());
  NodeId at = graph.edge(closing).to;
  bool weak = (kind & (kEdgeER | kEdgeSR)) != 0;
  for (const EdgeId id : path) {
    ASSERT_EQ(graph.edge(id).from, at);
    const int kinds = graph.edge(id).kinds & (weak ? kEdgeEN | kEdgeER : 15);
    ASSERT_NE(kinds, 0);
    weak = (kinds & (kEdgeEN | kEdgeSN)) == 0;
    at = graph.edge(id).to;
  }
  ASSERT_EQ(at, graph.edge(closing).from);
  ASSERT_FALSE(weak && (kind & (kEdgeSN | kEdgeSR)) != 0);
}

// Goal: the order's verdict is that of a search of the doubled graph after every insertion, also when there are cycles
// already, and with nodes removed; so is the verdict of each run. Method: seeded random graphs, kinds and runs.
TEST(DependencyGraphTest, TheOrderAgreesWithASearchOfTheDoubledGraph) {
  int insertions = 0, cyclic = 0, run_cyclic = 0, removals = 0;
  for (uint64_t round = 1; round <= 200; ++round) {
    uint64_t random = round;
    const auto draw = [&](uint32_t below) {
      random = MixChainKey(random, 7);
      return static_cast<uint32_t>((random >> 20) % below);
    };
    DependencyGraph graph;
    const uint32_t nodes = 3 + draw(40);
    const uint32_t backward_in_100 = draw(3) == 0 ? 50 : draw(8);  // how often an edge goes against the numbering
    const uint32_t kinds = 1 + draw(4);
    const bool removes = draw(2) == 0;
    std::vector<uint32_t> name(nodes);
    for (uint32_t i = 0; i < nodes; ++i) name[i] = (i * 37) % 64;  // the hidden order is not that of the ids
    uint32_t next_name = 64;
    bool any_cycle = false;
    for (uint32_t step = 0; step < nodes * 4; ++step) {
      const uint32_t run = 1 + step / 30;
      uint32_t from = draw(nodes);
      uint32_t to = draw(nodes);
      if (from == to) continue;
      if (removes && draw(20) == 0) {
        graph.RemoveNode(NodeId{name[from]});
        ASSERT_TRUE(graph.OutOf(NodeId{name[from]}).empty());
        ASSERT_TRUE(graph.InOf(NodeId{name[from]}).empty());
        name[from] = next_name++;
        graph.CheckInvariants();
        ++removals;
        any_cycle = false;
        for (uint32_t id = 0; id < graph.size(); ++id) {
          for (const uint8_t kind : {kEdgeEN, kEdgeER, kEdgeSN, kEdgeSR}) {
            if ((graph.edge(EdgeId{id}).kinds & kind) == 0) continue;
            const bool expected = DoubledGraphHasCycle(graph, EdgeId{id}, kind, 0);
            ASSERT_EQ(graph.OnCycleInAllRuns(EdgeId{id}, kind), expected);
            any_cycle = any_cycle || expected;
          }
        }
      }
      if (from > to && draw(100) >= backward_in_100) std::swap(from, to);
      const uint8_t kind = static_cast<uint8_t>(1u << draw(kinds));
      const EdgeId edge = Add(graph, name[from], name[to], kind, run);
      ++insertions;
      const bool expected = DoubledGraphHasCycle(graph, edge, kind, 0);
      const uint64_t searches = graph.searches();
      std::vector<EdgeId> path;
      ASSERT_EQ(graph.FindCycleInAllRuns(edge, kind, &path), expected) << "round " << round << " step " << step;
      ASSERT_EQ(graph.searches(), searches + (expected ? 1 : 0)) << "no cycle, no search";
      if (expected) ExpectStrongCycle(graph, edge, kind, path);
      any_cycle = any_cycle || expected;
      ASSERT_EQ(graph.acyclic(), !any_cycle);
      const bool in_run = DoubledGraphHasCycle(graph, edge, kind, run);
      ASSERT_EQ(graph.FindCycle(edge, kind, run, &path), in_run);
      if (in_run) ExpectStrongCycle(graph, edge, kind, path);
      cyclic += expected;
      run_cyclic += in_run;
    }
    graph.CheckInvariants();
  }
  EXPECT_GT(insertions, 10'000);
  EXPECT_GT(cyclic, 2000);
  EXPECT_LT(cyclic, insertions - 2000);
  EXPECT_GT(run_cyclic, 200);
  EXPECT_GT(removals, 300);
}

// Goal: readers that cannot deadlock do not disturb the order. Control: the same with one kind that can.
TEST(DependencyGraphTest, WeakCyclesDoNotBreakTheOrder) {
  for (const uint8_t last : {kEdgeSR, kEdgeEN}) {
    DependencyGraph graph;
    for (uint32_t i = 0; i < 50; ++i) Add(graph, i, i + 1, kEdgeSR);
    const EdgeId closing = Add(graph, 50, 0, last);
    std::vector<EdgeId> path;
    EXPECT_FALSE(graph.FindCycleInAllRuns(closing, last, &path)) << "an S still follows an R";
    EXPECT_TRUE(graph.acyclic());
  }
  DependencyGraph graph;
  for (uint32_t i = 0; i < 50; ++i) Add(graph, i, i + 1, kEdgeER);
  const EdgeId closing = Add(graph, 50, 0, kEdgeEN);
  std::vector<EdgeId> path;
  EXPECT_TRUE(graph.FindCycleInAllRuns(closing, kEdgeEN, &path));
  EXPECT_EQ(path.size(), 50u);
}

// Goal: a search is confined to what lies on cycles with the closing edge, and finds the shortest path.
TEST(DependencyGraphTest, SearchesTheComponentAlone) {
  DependencyGraph graph;
  Add(graph, 1, 2, kEdgeEN);
  Add(graph, 2, 3, kEdgeEN);
  const EdgeId shortcut = Add(graph, 1, 3, kEdgeEN);
  for (uint32_t i = 100; i < 1100; ++i) Add(graph, 1, i, kEdgeEN);  // a hub; these lead nowhere
  const EdgeId closing = Add(graph, 3, 1, kEdgeEN);
  std::vector<EdgeId> path;
  ASSERT_TRUE(graph.FindCycleInAllRuns(closing, kEdgeEN, &path));
  EXPECT_EQ(path, std::vector<EdgeId>{shortcut});
  EXPECT_LE(graph.stats().states_searched, 2u);
  const EdgeId beside = Add(graph, 100, 101, kEdgeEN);
  EXPECT_FALSE(graph.FindCycleInAllRuns(beside, kEdgeEN, &path));
  EXPECT_FALSE(graph.FindCycle(beside, kEdgeEN, 1, &path));
  EXPECT_EQ(graph.searches(), 1u);
}

TEST(DependencyGraphTest, ForgetsARemovedNodeButNotItsEdgeIds) {
  DependencyGraph graph;
  const EdgeId first = Add(graph, 1, 2, kEdgeEN);
  const EdgeId second = Add(graph, 2, 3, kEdgeEN);
  const EdgeId third = Add(graph, 1, 3, kEdgeEN);
  EXPECT_GT(graph.MemoryBytes(), 3 * sizeof(Edge));
  graph.RemoveNode(NodeId{2});
  graph.RemoveNode(NodeId{2});
  EXPECT_TRUE(graph.edge(first).removed());
  EXPECT_TRUE(graph.edge(second).removed());
  EXPECT_FALSE(graph.edge(third).removed());
  EXPECT_EQ(graph.OutOf(NodeId{1}), std::vector<EdgeId>{third});
  EXPECT_EQ(graph.InOf(NodeId{3}), std::vector<EdgeId>{third});
  EXPECT_EQ(graph.Find(NodeId{1}, NodeId{2}), std::nullopt);
  EXPECT_EQ(graph.stats().edges, 1u);
  EXPECT_EQ(graph.stats().nodes, 2u);
  graph.MarkSeen(first, kEdgeEN, 5);
  EXPECT_TRUE(graph.edge(first).removed());
  graph.CheckInvariants();
}

TEST(LockClassTableTest, NamesNodesAndKeepsClassesInPlace) {
  LockClassTable classes;
  const LockClassId first = classes.Register("first");
  const LockClass* place = &classes.at(first);
  for (int i = 0; i < 5000; ++i) classes.Register(std::string("class ") + std::to_string(i));
  EXPECT_EQ(&classes.at(first), place);
  EXPECT_EQ(classes.Register("first"), first);
  EXPECT_EQ(classes.NodeName(NodeOf(first, 0)), "first");
  EXPECT_EQ(classes.NodeName(NodeOf(first, 4)), "first/4");
  EXPECT_EQ(classes.at(LockClassId{4000}).name, "class 3999");
}

TEST(SiteTest, ShowsThePathFromTheTop) {
  EXPECT_EQ(Site::Here().ToString().substr(0, 42), "lockdep/graph/dependency_graph_test.cc:" + std::to_string(__LINE__));
  EXPECT_EQ((Site{"/elsewhere/x.cc", 3}).ToString(), "/elsewhere/x.cc:3");
}

}  // namespace
}  // namespace ordeal::lockdep
