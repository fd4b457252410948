#include "lockdep/graph/dependency_graph.h"

#include <gtest/gtest.h>

#include <functional>
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
  graph.MarkSeen(first, 3);
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
