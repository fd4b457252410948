#include "lockdep/report/proc_export.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lockdep/graph/lock_kind.h"
#include "lockdep/report/order_graph.h"
#include "lockdep/report/order_graph_proc.h"
#include "lockdep/report/proc_revalidation.h"
#include "lockdep/runtime/validator.h"

namespace ordeal::lockdep {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;

class ProcExportTest : public ::testing::Test {
 protected:
  LockMap NewLock(const char* name, LockClassOptions options = {}) {
    return validator_.NewMap(validator_.RegisterClass(name, options));
  }
  void Take(const LockMap& lock, AcquireOptions options = {}, Mode mode = Mode::kExclusive) {
    validator_.Acquire(task_, lock, mode, options);
  }
  void ReleaseAll() {
    while (!task_.held().empty()) validator_.Release(task_, *task_.held().back().map);
  }

  Validator validator_;
  TaskContext task_{"task"};
};

// Every kind of acquisition that the text can, or cannot, tell.
TEST_F(ProcExportTest, PrintsTheFormOfTheKernel) {
  const LockMap a = NewLock("&a->lock", {.inner = WaitType::kConfig});
  const LockMap b = NewLock("b", {.inner = WaitType::kConfig});
  const LockMap c = NewLock("c", {.inner = WaitType::kConfig});
  const LockMap rcu = NewLock("rcu_read_lock", {.no_validate = true, .inner = WaitType::kConfig});
  Take(a);
  Take(b);
  Take(c, {.subclass = 1});
  ReleaseAll();
  Take(c);
  Take(a, {.trylock = true});
  Take(b);
  ReleaseAll();
  Take(rcu);
  Take(b);
  ReleaseAll();
  validator_.EnterHardirq(task_);
  validator_.DisableHardirqs(task_);
  Take(c, {.subclass = 1}, Mode::kSharedRecursive);
  ReleaseAll();

  const std::string text = FormatProcLockdep(ProcLockdepFromValidator(validator_));
  EXPECT_EQ(text, R"(all lock classes:
ffff888000000000 FD:    3 BD:    1 +.+.: &a->lock
 -> [ffff888000000008] b

ffff888000000008 FD:    2 BD:    3 +.+.: b
 -> [ffff888000000011] c/1

ffff888000000010 FD:    3 BD:    1 +.+.: c

ffff888000000011 FD:    1 BD:    4 +-+.: c/1

ffff888000000018 FD:    1 BD:    1 ....: rcu_read_lock

)");
  const std::string chains = FormatProcChains(ProcChainsFromValidator(validator_));
  EXPECT_EQ(chains, R"(all lock chains:
irq_context: 0
[ffff888000000000] &a->lock

irq_context: 0
[ffff888000000000] &a->lock
[ffff888000000008] b

irq_context: 0
[ffff888000000000] &a->lock
[ffff888000000008] b
[ffff888000000011] c/1

irq_context: 0
[ffff888000000010] c

irq_context: 0
[ffff888000000010] c
[ffff888000000000] &a->lock
[ffff888000000008] b

irq_context: 0
[ffff888000000018] rcu_read_lock
[ffff888000000008] b

irq_context: hardirq
[ffff888000000011] c/1

)");

  // It reads back, and the inference finds again what the text does not say.
  const auto graph = ParseProcLockdep(text, "lockdep");
  ASSERT_TRUE(graph.ok()) << graph.status();
  const auto parsed = ParseProcChains(chains, "chains", &*graph);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(graph->unlisted + parsed->unlisted, 0u);
  const ProcRevalidation result = RevalidateProc(*graph, &*parsed);
  EXPECT_THAT(result.unchecked, ElementsAre("rcu_read_lock"));
  EXPECT_EQ(result.counts_equal, result.counts_compared);
  EXPECT_TRUE(result.remaining.empty());
}

// Whoever waits for c reads b, and a is held while b is read recursively: no reader of b waits for another one.
TEST_F(ProcExportTest, CountsAlongStrongPathsOnly) {
  const LockMap a = NewLock("a");
  const LockMap b = NewLock("b");
  const LockMap c = NewLock("c");
  Take(a);
  Take(b, {}, Mode::kSharedRecursive);
  ReleaseAll();
  Take(b, {}, Mode::kSharedRecursive);
  Take(c);
  ReleaseAll();
  const ProcLockdep graph = ProcLockdepFromValidator(validator_);
  EXPECT_EQ(graph.classes[0].forward, 2u);
  EXPECT_EQ(graph.classes[1].forward, 2u);
  EXPECT_EQ(graph.classes[2].backward, 2u);
}

// The groups of a lock kind's modes are nodes of the graph; the text has one class.
TEST_F(ProcExportTest, PrintsALockKindAsOneClass) {
  const LockMap btree = NewLock("btree", {.kind = &kSixLock});
  const LockMap journal = NewLock("journal");
  for (const int mode : {kSixShared, kSixIntent}) {
    validator_.AcquireMode(task_, btree, mode, {});
    Take(journal);
    ReleaseAll();
  }
  const ProcLockdep graph = ProcLockdepFromValidator(validator_);
  ASSERT_EQ(graph.classes.size(), 2u);
  EXPECT_EQ(graph.classes[0].name, "btree");
  EXPECT_EQ(graph.classes[0].forward, 2u);
  ASSERT_EQ(graph.classes[0].successors.size(), 1u);
  EXPECT_EQ(graph.classes[0].successors[0].name, "journal");
  EXPECT_EQ(graph.classes[1].backward, 2u);
  const ProcChains chains = ProcChainsFromValidator(validator_);
  EXPECT_TRUE(RevalidateProc(graph, &chains).findings.empty());
}

TEST_F(ProcExportTest, BecomesAnOrderGraphForTheComparer) {
  const LockMap a = NewLock("a");
  const LockMap b = NewLock("b#2");
  const LockMap c = NewLock("c");
  Take(a);
  Take(b, {.subclass = 3});
  Take(c);
  ReleaseAll();
  const ProcLockdep graph = ProcLockdepFromValidator(validator_);
  const ProcChains chains = ProcChainsFromValidator(validator_);
  const OrderGraph order = OrderGraphFromProc(graph, &chains, "kernel 6.1 test");
  std::vector<std::string> edges;
  for (const OrderGraph::Edge& edge : order.edges) edges.push_back(edge.from.Name() + " -> " + edge.to.Name());
  EXPECT_THAT(edges, ElementsAre("a -> b#2/3", "a -> c", "b#2/3 -> c"));
  EXPECT_EQ(order.edges[0].to.lock_class, "b#2");
  EXPECT_EQ(order.edges[0].to.subclass, 3);
  // Without chains only neighbours are known.
  EXPECT_EQ(OrderGraphFromProc(graph, nullptr, "x").edges.size(), 2u);
  const auto again = ParseOrderGraph(FormatOrderGraph(order), "file");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(*again, order);
}

}  // namespace
}  // namespace ordeal::lockdep
