#include "lockdep/graph/topological_order.h"

#include <gtest/gtest.h>

#include <vector>

namespace ordeal::lockdep {
namespace {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint32_t Below(uint32_t bound) {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return static_cast<uint32_t>((state_ >> 33) % bound);
  }

 private:
  uint64_t state_;
};

// A naive twin: the edges alone; everything else is found by walking them.
class NaiveGraph {
 public:
  explicit NaiveGraph(uint32_t size) : edges_(size, std::vector<bool>(size, false)) {}
  bool Has(uint32_t from, uint32_t to) const { return edges_[from][to]; }
  void Add(uint32_t from, uint32_t to) { edges_[from][to] = true; }
  void Remove(uint32_t vertex) {
    for (uint32_t other = 0; other < edges_.size(); ++other) edges_[vertex][other] = edges_[other][vertex] = false;
  }
  std::vector<bool> ReachedFrom(uint32_t start) const {
    std::vector<bool> reached(edges_.size(), false);
    std::vector<uint32_t> open = {start};
    reached[start] = true;
    while (!open.empty()) {
      const uint32_t from = open.back();
      open.pop_back();
      for (uint32_t to = 0; to < edges_.size(); ++to) {
        if (!edges_[from][to] || reached[to]) continue;
        reached[to] = true;
        open.push_back(to);
      }
    }
    return reached;
  }

 private:
  std::vector<std::vector<bool>> edges_;
};

TEST(TopologicalOrderTest, KeepsTheOrderOfEdgesThatAgreeWithIt) {
  TopologicalOrder order;
  const VertexId last = order.AddVertexAtEnd();
  const VertexId first = order.AddVertexAtFront();
  const VertexId second = order.AddVertexAfter(first);
  order.AddEdge(first, second);
  order.AddEdge(second, last);
  EXPECT_TRUE(order.Before(first, second));
  EXPECT_TRUE(order.Before(second, last));
  EXPECT_EQ(order.stats().repairs, 0u);
  EXPECT_TRUE(order.acyclic());
}

TEST(TopologicalOrderTest, MovesTheSideThatEndsFirst) {
  TopologicalOrder order;
  std::vector<VertexId> hub_to;
  const VertexId hub = order.AddVertexAtEnd();
  for (int i = 0; i < 1000; ++i) {
    hub_to.push_back(order.AddVertexAtEnd());
    order.AddEdge(hub, hub_to.back());
  }
  const VertexId late = order.AddVertexAtEnd();
  order.AddEdge(late, hub);  // forward there are 1000, backward there is nothing
  EXPECT_TRUE(order.Before(late, hub));
  EXPECT_EQ(order.stats().repairs, 1u);
  EXPECT_EQ(order.stats().vertices_moved, 1u);
  EXPECT_LE(order.stats().edges_walked, 2u);
  order.CheckInvariants();
}

TEST(TopologicalOrderTest, MergesACycleAndSplitsItAgain) {
  TopologicalOrder order;
  std::vector<VertexId> ring;
  for (int i = 0; i < 5; ++i) ring.push_back(order.AddVertexAtEnd());
  for (int i = 0; i < 4; ++i) order.AddEdge(ring[i], ring[i + 1]);
  EXPECT_FALSE(order.SameComponent(ring[0], ring[4]));
  order.AddEdge(ring[3], ring[0]);
  EXPECT_TRUE(order.SameComponent(ring[0], ring[3]));
  EXPECT_FALSE(order.SameComponent(ring[0], ring[4])) << "behind the cycle, not on it";
  EXPECT_FALSE(order.acyclic());
  order.AddEdge(ring[4], ring[0]);
  EXPECT_TRUE(order.SameComponent(ring[0], ring[4]));
  order.CheckInvariants();
  order.RemoveVertex(ring[3]);  // 0 > 1 > 2 and 4 > 0 are left
  EXPECT_TRUE(order.acyclic());
  EXPECT_TRUE(order.Before(ring[4], ring[0]));
  EXPECT_TRUE(order.Before(ring[0], ring[1]));
  EXPECT_TRUE(order.Before(ring[1], ring[2]));
  order.CheckInvariants();
  EXPECT_EQ(order.size(), 4u);
}

// Goal: labels never run out where vertices are put into one place again and again.
TEST(TopologicalOrderTest, MakesRoomBetweenTwoNeighbours) {
  TopologicalOrder order;
  const VertexId first = order.AddVertexAtEnd();
  const VertexId last = order.AddVertexAtEnd();
  std::vector<VertexId> middle = {last};
  for (int i = 0; i < 20'000; ++i) middle.push_back(order.AddVertexAfter(first));
  for (size_t i = 1; i < middle.size(); ++i) ASSERT_TRUE(order.Before(middle[i], middle[i - 1]));
  EXPECT_TRUE(order.Before(first, middle.back()));
  EXPECT_GT(order.stats().labels_written, 0u);
  EXPECT_LT(order.stats().labels_written, 20'000u * 20);
  for (int i = 0; i < 20'000; ++i) order.AddVertexAtFront();
  order.CheckInvariants();
}

// Goal: components are exactly the strong ones and the order holds, after every insertion and removal.
// Method: seeded random graphs of growing density beside a matrix of edges.
TEST(TopologicalOrderTest, AgreesWithANaiveGraph) {
  int cyclic_rounds = 0;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    Random random(seed);
    const uint32_t size = 4 + random.Below(28);
    const uint32_t removals_in_100 = random.Below(6);
    TopologicalOrder order;
    NaiveGraph naive(size);
    std::vector<VertexId> vertices;
    for (uint32_t i = 0; i < size; ++i) {
      vertices.push_back(random.Below(2) == 0 ? order.AddVertexAtEnd() : order.AddVertexAtFront());
    }
    for (uint32_t step = 0; step < size * 4; ++step) {
      const uint32_t from = random.Below(size);
      const uint32_t to = random.Below(size);
      if (random.Below(100) < removals_in_100) {
        naive.Remove(from);
        order.RemoveVertex(vertices[from]);
        vertices[from] = order.AddVertexAtEnd();
      } else if (from != to && !naive.Has(from, to)) {
        naive.Add(from, to);
        order.AddEdge(vertices[from], vertices[to]);
      }
      order.CheckInvariants();
      bool acyclic = true;
      std::vector<std::vector<bool>> reached;
      for (uint32_t a = 0; a < size; ++a) reached.push_back(naive.ReachedFrom(a));
      for (uint32_t a = 0; a < size; ++a) {
        for (uint32_t b = 0; b < size; ++b) {
          if (a == b) continue;
          const bool together = reached[a][b] && reached[b][a];
          acyclic = acyclic && !together;
          ASSERT_EQ(order.SameComponent(vertices[a], vertices[b]), together) << "seed " << seed << " step " << step;
          ASSERT_TRUE(!reached[a][b] || together || order.Before(vertices[a], vertices[b]));
        }
      }
      ASSERT_EQ(order.acyclic(), acyclic);
    }
    cyclic_rounds += !order.acyclic();
  }
  EXPECT_GT(cyclic_rounds, 30);
}

// Goal: the same on a graph that has room for long repairs; the twin is the invariant check and one walk an edge.
TEST(TopologicalOrderTest, RepairsLongStretches) {
  Random random(7);
  constexpr uint32_t kSize = 400;
  TopologicalOrder order;
  NaiveGraph naive(kSize);
  std::vector<VertexId> vertices;
  std::vector<uint32_t> place;  // a hidden order that most edges respect
  for (uint32_t i = 0; i < kSize; ++i) {
    vertices.push_back(order.AddVertexAtEnd());
    place.push_back(random.Below(1'000'000));
  }
  for (int step = 0; step < 1500; ++step) {
    uint32_t from = random.Below(kSize);
    uint32_t to = random.Below(kSize);
    if (from == to) continue;
    if (place[from] > place[to] && random.Below(40) != 0) std::swap(from, to);
    if (naive.Has(from, to)) continue;
    naive.Add(from, to);
    order.AddEdge(vertices[from], vertices[to]);
    ASSERT_EQ(order.SameComponent(vertices[from], vertices[to]), naive.ReachedFrom(to)[from]) << "step " << step;
    if (step % 50 == 0) order.CheckInvariants();
  }
  EXPECT_GT(order.stats().vertices_moved, 500u);
  EXPECT_GT(order.stats().merges, 1u);
}

}  // namespace
}  // namespace ordeal::lockdep
