#include "bpf/order_comparer.h"

#include "absl/strings/str_cat.h"
#include "bpf/class_map.h"
#include "bpf/comparison_dot.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ordeal::bpf {
namespace {

using lockdep::Instances;
using lockdep::Mode;
using lockdep::OrderGraph;
using lockdep::OrderNode;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// The shipped map of XFS, and classes that both sides call the same.
Comparison Compare(const OrderGraph& model, const OrderGraph& kernel, const std::string& more = "") {
  const std::string text = absl::StrCat(BuiltInClassMapText("xfs").value(), R"(
class { token: "a" } class { token: "b" } class { token: "c" } class { token: "d" })", more);
  const auto map = ParseClassMap(text, "map");
  EXPECT_TRUE(map.ok()) << map.status();
  return CompareOrderGraphs(model, kernel, *map);
}

constexpr Mode X = Mode::kExclusive;
constexpr Mode S = Mode::kShared;
constexpr Mode R = Mode::kSharedRecursive;

OrderGraph::Edge Edge(const char* from, const char* to, Mode from_mode = X, Mode to_mode = X,
                      Instances instances = Instances::kUnrelated) {
  return {.from = {from, 0, from_mode},
          .to = {to, 0, to_mode},
          .instances = instances,
          .count = 1,
          .from_site = "",
          .to_site = ""};
}

OrderGraph Graph(const char* source, std::vector<OrderGraph::Edge> edges) {
  OrderGraph graph;
  graph.source = source;
  graph.edges = std::move(edges);
  graph.Normalise();
  return graph;
}

std::vector<std::string> Names(const std::vector<ComparedPair>& pairs) {
  std::vector<std::string> names;
  for (const ComparedPair& pair : pairs) names.push_back(pair.from + " -> " + pair.to);
  return names;
}

// The same three classes on both sides under the names each side uses.
OrderGraph Model(std::vector<OrderGraph::Edge> more = {}) {
  std::vector<OrderGraph::Edge> edges = {Edge("xfs_iolock", "xfs_mmaplock"), Edge("xfs_mmaplock", "xfs_ilock")};
  edges.insert(edges.end(), more.begin(), more.end());
  return Graph("model xfs", edges);
}
OrderGraph Kernel(std::vector<OrderGraph::Edge> more = {}) {
  std::vector<OrderGraph::Edge> edges = {Edge("&sb->s_type->i_mutex_key#16", "mapping.invalidate_lock#3"),
                                         Edge("mapping.invalidate_lock#3", "&xfs_nondir_ilock_class")};
  edges.insert(edges.end(), more.begin(), more.end());
  return Graph("kernel 6.18 xfs", edges);
}

TEST(OrderComparerTest, SortsPairsIntoTheFourLists) {
  const Comparison comparison = Compare(Model({Edge("xfs_iolock", "xfs_ilock")}), Kernel());
  EXPECT_THAT(Names(comparison.both), ElementsAre("IOLOCK -> MMAPLOCK", "MMAPLOCK -> ILOCK"));
  EXPECT_THAT(Names(comparison.only_model), ElementsAre("IOLOCK -> ILOCK"));
  EXPECT_THAT(comparison.only_kernel, IsEmpty());
  EXPECT_THAT(comparison.reversed, IsEmpty());
  EXPECT_FALSE(comparison.contradicts());

  const Comparison other = Compare(Model(), Kernel({Edge("i_rwsem", "xfs_ilock")}));
  EXPECT_THAT(Names(other.only_kernel), ElementsAre("IOLOCK -> ILOCK"));
  EXPECT_THAT(other.only_model, IsEmpty());
}

// The pair: an edge against the model's is found, the same edge in its direction is not.
TEST(OrderComparerTest, FindsAReversedEdge) {
  const Comparison comparison =
      Compare(Model({Edge("mmap_lock", "xfs_mmaplock")}), Kernel({Edge("invalidate_lock", "mmap_lock")}));
  ASSERT_THAT(Names(comparison.reversed), ElementsAre("MMAPLOCK -> mmap_lock"));
  EXPECT_THAT(comparison.only_kernel, IsEmpty());
  EXPECT_THAT(comparison.only_model, IsEmpty());
  EXPECT_TRUE(comparison.contradicts());
  ASSERT_THAT(comparison.cycles, SizeIs(1));
  EXPECT_THAT(FormatComparison(comparison),
              HasSubstr("MMAPLOCK -> mmap_lock in the kernel; mmap_lock -> MMAPLOCK in the model"));
}

TEST(OrderComparerTest, ReportsNothingReversedWhenTheDirectionsAgree) {
  const Comparison comparison =
      Compare(Model({Edge("mmap_lock", "xfs_mmaplock")}), Kernel({Edge("mmap_lock", "invalidate_lock")}));
  EXPECT_THAT(comparison.reversed, IsEmpty());
  EXPECT_THAT(comparison.cycles, IsEmpty());
  EXPECT_FALSE(comparison.contradicts());
}

TEST(OrderComparerTest, AReversedPairOfReadersIsToldButIsNoCycle) {
  const Comparison comparison = Compare(Model({Edge("mmap_lock", "xfs_mmaplock", S, R)}),
                                                   Kernel({Edge("invalidate_lock", "mmap_lock", S, R)}));
  EXPECT_THAT(comparison.reversed, SizeIs(1));
  EXPECT_THAT(comparison.cycles, IsEmpty());
  EXPECT_THAT(comparison.reader_cycles, IsEmpty());
}

TEST(OrderComparerTest, SubclassesAreNodesOfTheirOwn) {
  OrderGraph::Edge up = Edge("xfs_ilock", "xfs_ilock");
  up.to.subclass = 1;
  OrderGraph::Edge down = up;
  std::swap(down.from, down.to);
  EXPECT_THAT(Names(Compare(Model({up}), Kernel({up})).both),
              ElementsAre("ILOCK -> ILOCK/1", "IOLOCK -> MMAPLOCK", "MMAPLOCK -> ILOCK"));
  EXPECT_THAT(Names(Compare(Model({up}), Kernel({down})).reversed), ElementsAre("ILOCK/1 -> ILOCK"));
}

TEST(OrderComparerTest, NamesTheEndsThatTheKernelNeverAcquired) {
  OrderGraph::Edge nested = Edge("xfs_iolock", "xfs_iolock");
  nested.to.subclass = 4;
  const Comparison comparison = Compare(Model({nested, Edge("xfs_iolock", "xfs_ilock")}), Kernel());
  ASSERT_THAT(Names(comparison.only_model), ElementsAre("IOLOCK -> ILOCK", "IOLOCK -> IOLOCK/4"));
  EXPECT_THAT(comparison.only_model[0].never_acquired, IsEmpty());
  EXPECT_THAT(comparison.only_model[1].never_acquired, ElementsAre("IOLOCK/4"));
}

TEST(OrderComparerTest, ClassesOfOneSideAreNamedNotCompared) {
  const Comparison comparison =
      Compare(Model({Edge("xfs_mmaplock", "folio_lock"), Edge("xfs_mmaplock", "a"), Edge("new_lock", "a")}), Kernel());
  EXPECT_THAT(comparison.only_model, IsEmpty());
  EXPECT_THAT(comparison.unseen_by_kernel, ElementsAre("a"));
  EXPECT_THAT(comparison.unmapped, ElementsAre(HasSubstr("folio_lock: PG_locked"), "new_lock: the map does not know it"));
}

TEST(OrderComparerTest, AnExplainedPairIsToldApartAndCounted) {
  const OrderGraph model = Model({Edge("xfs_iolock", "xfs_ilock"), Edge("xfs_iolock", "mmap_lock")});
  const OrderGraph kernel = Kernel({Edge("mmap_lock", "xfs_ilock")});
  const Comparison comparison =
      Compare(model, kernel, R"( explained { only: MODEL from: "IOLOCK" to: "ILOCK" reason: "not driven" })");
  EXPECT_THAT(Names(comparison.only_model), ElementsAre("IOLOCK -> ILOCK", "IOLOCK -> mmap_lock"));
  EXPECT_EQ(comparison.only_model[0].explanation, "not driven");
  EXPECT_EQ(comparison.only_model[1].explanation, "");
  EXPECT_EQ(comparison.coverage.model_pairs, 4u);
  EXPECT_EQ(comparison.coverage.kernel_pairs, 3u);
  EXPECT_EQ(comparison.coverage.agreed, 2u);
  EXPECT_EQ(comparison.coverage.model_explained, 1u);
  EXPECT_EQ(comparison.coverage.kernel_explained, 0u);
  EXPECT_EQ(comparison.coverage.shared_classes, 4u);
  const std::string text = FormatComparison(comparison);
  EXPECT_THAT(text, HasSubstr("  not driven\n    IOLOCK -> ILOCK\n"));
  EXPECT_THAT(text, HasSubstr("the kernel's 3 pairs: 2 also in the model (66 %), 0 explained, 1 not (66 % accounted for)"));
}

TEST(ComparisonDotTest, AgreementGapAndContradictionLookDifferent) {
  const Comparison comparison =
      Compare(Model({Edge("mmap_lock", "xfs_mmaplock"), Edge("a", "b"), Edge("c", "b")}),
              Kernel({Edge("invalidate_lock", "mmap_lock"), Edge("a", "c"), Edge("b", "b")}),
              R"( explained { only: MODEL from: "c" to: "*" reason: "why \"not\"" })");
  const std::string dot = ComparisonToDot(comparison);
  EXPECT_THAT(dot, HasSubstr("\"IOLOCK\" -> \"MMAPLOCK\" [color=black"));
  EXPECT_THAT(dot, HasSubstr("\"a\" -> \"b\" [color=gray45 style=dotted"));
  EXPECT_THAT(dot, HasSubstr("\"c\" -> \"b\" [color=gray75 style=dotted"));
  EXPECT_THAT(dot, HasSubstr("\"a\" -> \"c\" [color=darkorange2 style=dashed"));
  EXPECT_THAT(dot, HasSubstr("\"MMAPLOCK\" -> \"mmap_lock\" [color=red3 penwidth=4 dir=both"));
  EXPECT_THAT(dot, HasSubstr("why \\\"not\\\""));
}

// Goal: a contradiction that no pair shows. Method: each side is acyclic, and they share no pair.
TEST(OrderComparerTest, FindsACycleThatOnlyTheUnionHas) {
  const OrderGraph model = Graph("model", {Edge("a", "b"), Edge("b", "c")});
  const Comparison comparison = Compare(model, Graph("kernel", {Edge("c", "d"), Edge("d", "a")}));
  EXPECT_THAT(comparison.reversed, IsEmpty());
  ASSERT_THAT(comparison.cycles, SizeIs(1));
  EXPECT_THAT(comparison.cycles[0].edges, SizeIs(4));
  EXPECT_TRUE(comparison.contradicts());
  EXPECT_THAT(Compare(model, Graph("kernel", {Edge("c", "d"), Edge("a", "d")})).cycles, IsEmpty());
}

TEST(OrderCyclesTest, PlainReadersMeetingAreACycleOnlyBehindAQueuedWriter) {
  const Comparison comparison = Compare(Graph("m", {Edge("a", "b", S, S)}), Graph("k", {Edge("b", "a", S, S)}));
  EXPECT_THAT(comparison.cycles, IsEmpty());
  EXPECT_THAT(comparison.reader_cycles, SizeIs(1));
}

TEST(OrderCyclesTest, OneExclusiveSideAtEachLockMakesACycle) {
  EXPECT_THAT(Compare(Graph("m", {Edge("a", "b", S, X)}), Graph("k", {Edge("b", "a", S, X)})).cycles, SizeIs(1));
  EXPECT_THAT(Compare(Graph("m", {Edge("a", "b", S, X)}), Graph("k", {Edge("b", "a", S, R)})).cycles,
              IsEmpty());
  EXPECT_THAT(Compare(Graph("m", {Edge("a", "b", X, S)}), Graph("k", {Edge("b", "a", S, R)})).cycles,
              IsEmpty());
  EXPECT_THAT(Compare(Graph("m", {Edge("a", "b", X, R)}), Graph("k", {Edge("b", "a", X, R)})).cycles, SizeIs(1));
}

// Goal: the search looks at modes along the way, not at nodes. Method: a node that only a second, exclusive edge passes.
TEST(OrderCyclesTest, TakesTheStrongEdgeOfTwoBetweenTheSameNodes) {
  const std::vector<UnionEdge> weak = {{Edge("a", "b", X, R), ""}, {Edge("b", "c", S, X), ""}, {Edge("c", "a"), ""}};
  EXPECT_THAT(FindOrderCycles(weak), IsEmpty());
  std::vector<UnionEdge> strong = weak;
  strong.push_back({Edge("a", "b", X, X), ""});
  EXPECT_THAT(FindOrderCycles(strong), SizeIs(1));
}

TEST(OrderCyclesTest, TwoObjectsOfOneClassAreACycleOnlyInBothOrders) {
  const UnionEdge up{Edge("i", "i", X, X, Instances::kAscending), ""};
  const UnionEdge down{Edge("i", "i", X, X, Instances::kDescending), ""};
  const UnionEdge same{Edge("i", "i", X, X, Instances::kSame), ""};
  const UnionEdge unknown{Edge("i", "i"), ""};
  EXPECT_THAT(FindOrderCycles({up}), IsEmpty());
  EXPECT_THAT(FindOrderCycles({unknown}), IsEmpty());
  EXPECT_THAT(FindOrderCycles({up, down}), SizeIs(1));
  EXPECT_THAT(FindOrderCycles({same}), SizeIs(1));
}

TEST(OrderComparerTest, DirectoriesAreFoldedOnlyWhenOneSideDoesNotTellThemApart) {
  const OrderGraph kernel = Kernel({Edge("xfs_dir_ilock", "xfs_ilock")});
  EXPECT_TRUE(Compare(Model(), kernel).directories_folded);
  const Comparison apart = Compare(Model({Edge("xfs_dir_ilock", "xfs_ilock")}), kernel);
  EXPECT_FALSE(apart.directories_folded);
  EXPECT_THAT(Names(apart.both), ElementsAre("ILOCK(dir) -> ILOCK", "IOLOCK -> MMAPLOCK", "MMAPLOCK -> ILOCK"));
}

TEST(OrderComparerTest, JsonHasTheFourListsAndWhatWasLost) {
  OrderGraph kernel = Kernel({Edge("invalidate_lock", "mmap_lock")});
  kernel.counters = {{"lost: edge map full", 2}, {"events used", 9}};
  const nlohmann::ordered_json json = ComparisonToJson(Compare(Model({Edge("mmap_lock", "xfs_mmaplock")}), kernel));
  EXPECT_EQ(json["reversed"][0]["from"], "MMAPLOCK");
  EXPECT_EQ(json["both"].size(), 2u);
  EXPECT_EQ(json["cycles"].size(), 1u);
  EXPECT_EQ(json["lost"], 2);
  EXPECT_EQ(json["contradicts"], true);
}

}  // namespace
}  // namespace ordeal::bpf
