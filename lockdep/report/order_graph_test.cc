#include "lockdep/report/order_graph.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lockdep/runtime/validator.h"

namespace ordeal::lockdep {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

OrderGraph Example() {
  const OrderNode io{"xfs_iolock", 0, Mode::kShared};
  const OrderNode mm{"mmap_lock", 0, Mode::kShared};
  const OrderNode low{"xfs_ilock", 0, Mode::kExclusive};
  const OrderNode high{"xfs_ilock", 1, Mode::kExclusive};
  OrderGraph graph;
  graph.source = "kernel 6.18 xfs";
  graph.nodes = {{io, 7}, {mm, 5}};
  graph.edges = {{low, high, Instances::kAscending, 2, "xfs_lock_two_inodes", "xfs_lock_two_inodes"},
                 {io, mm, Instances::kUnrelated, 4, "xfs_file_dio_read", ""}};
  graph.counters = {{"edges lost", 0}, {"unlock without lock", 3}};
  graph.Normalise();
  return graph;
}

constexpr char kGolden[] = R"(# ordeal order graph: which locks were acquired while which others were held
format: 1
checksum: "CHECKSUM"
source: "kernel 6.18 xfs"
node {
  id: 1
  lock_class: "mmap_lock"
  mode: SHARED
  acquired: 5
}
node {
  id: 2
  lock_class: "xfs_ilock"
  mode: EXCLUSIVE
}
node {
  id: 3
  lock_class: "xfs_ilock"
  subclass: 1
  mode: EXCLUSIVE
}
node {
  id: 4
  lock_class: "xfs_iolock"
  mode: SHARED
  acquired: 7
}
edge {
  from: 2
  to: 3
  instances: ASCENDING
  count: 2
  from_site: "xfs_lock_two_inodes"
  to_site: "xfs_lock_two_inodes"
}
edge {
  from: 4
  to: 1
  count: 4
  from_site: "xfs_file_dio_read"
}
counter {
  name: "edges lost"
}
counter {
  name: "unlock without lock"
  value: 3
}
)";

std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(OrderGraphTest, TextIsGolden) {
  EXPECT_EQ(FormatOrderGraph(Example()), Replaced(kGolden, "CHECKSUM", "a3f1cbd416f5ac25"));
}

TEST(OrderGraphTest, ComesBackAsItWas) {
  const absl::StatusOr<OrderGraph> again = ParseOrderGraph(FormatOrderGraph(Example()), "g.txtpb");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(*again, Example());
}

TEST(OrderGraphTest, StacksMakeItFormat2AndComeBack) {
  OrderGraph graph = Example();
  graph.edges[0].from_stack = {"xfs_ilock", "xfs_lock_two_inodes"};
  graph.edges[1].to_stack = {"down_read"};
  const std::string text = FormatOrderGraph(graph);
  EXPECT_THAT(text, HasSubstr("format: 2\n"));
  EXPECT_THAT(FormatOrderGraph(Example()), HasSubstr("format: 1\n"));
  const absl::StatusOr<OrderGraph> again = ParseOrderGraph(text, "g.txtpb");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(*again, graph);
  EXPECT_FALSE(ParseOrderGraph(Replaced(text, "down_read", "down_write"), "g.txtpb").ok());
}

TEST(OrderGraphTest, NormaliseMergesEqualEdgesAndAddsTheirNodes) {
  const OrderNode a{"a", 0, Mode::kExclusive};
  const OrderNode b{"b", 0, Mode::kShared};
  OrderGraph graph;
  graph.edges = {{a, b, Instances::kSame, 1, "first", ""}, {a, b, Instances::kSame, 2, "second", ""}, {a, b}};
  graph.Normalise();
  ASSERT_THAT(graph.edges, SizeIs(2));
  EXPECT_EQ(graph.edges[1].count, 3u);
  EXPECT_EQ(graph.edges[1].from_site, "first");
  EXPECT_THAT(graph.nodes, SizeIs(2));
}

TEST(OrderGraphTest, CommentsAndIndentationAreNoEdits) {
  const std::string text = FormatOrderGraph(Example());
  EXPECT_TRUE(ParseOrderGraph("# kept from last week\n\n" + Replaced(text, "  id: 1", "id: 1  # first"), "g").ok());
}

TEST(OrderGraphTest, RefusesANewerFormatAndSaysSo) {
  const std::string text = Replaced(FormatOrderGraph(Example()), "format: 1", "format: 3\nweather: SUNNY");
  const absl::Status status = ParseOrderGraph(text, "g.txtpb").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(),
            "g.txtpb:2: format 3 is newer than the one that this program reads (2); use the program that wrote it, or "
            "write the file again with this one");
}

TEST(OrderGraphTest, RefusesEveryTruncation) {
  const std::string text = FormatOrderGraph(Example());
  for (size_t length = 0; length + 1 < text.size(); ++length) {
    const absl::Status status = ParseOrderGraph(text.substr(0, length), "g").status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << length;
    EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("g:"), HasSubstr("; "))) << length;
  }
}

TEST(OrderGraphTest, RefusesEditsOfEachField) {
  const std::string text = FormatOrderGraph(Example());
  const std::pair<const char*, const char*> edits[] = {
      {"kernel 6.18", "kernel 6.19"}, {"mmap_lock", "mmap_clock"}, {"subclass: 1", "subclass: 2"},
      {"SHARED", "EXCLUSIVE"},        {"acquired: 5", "acquired: 6"}, {"from: 2", "from: 1"},
      {"to: 3", "to: 1"},             {"ASCENDING", "DESCENDING"}, {"count: 2", "count: 3"},
      {"from_site: \"xfs_l", "from_site: \"x"}, {"value: 3", "value: 4"}, {"edges lost", "edges found"}};
  for (const auto& [from, to] : edits) {
    const absl::Status status = ParseOrderGraph(Replaced(text, from, to), "g.txtpb").status();
    EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("g.txtpb:3: the checksum"), HasSubstr("write the file")))
        << from;
  }
}

TEST(OrderGraphTest, ParserErrorsNameTheLine) {
  const std::string text = Replaced(FormatOrderGraph(Example()), "mode: SHARED", "mode SHARED");
  EXPECT_THAT(std::string(ParseOrderGraph(text, "g.txtpb").status().message()), HasSubstr("g.txtpb:8: cannot be read"));
}

TEST(OrderGraphTest, RefusesWhatIsNoOrderGraph) {
  for (const std::string& text : {std::string(), std::string("\n\n# only\n"), std::string("hello"),
                                 std::string("\x7f" "ELF\0\0\1", 7), std::string("format: x"), std::string("format: -1"),
                                 std::string("format: 99999999999999999999"), std::string(100000, '{'),
                                 "format: 1\n" + std::string(100000, '{'), std::string("format: 0\n")}) {
    EXPECT_EQ(ParseOrderGraph(text, "g").status().code(), absl::StatusCode::kInvalidArgument);
  }
}

// Goal: no byte string crashes. Method: one changed byte at each place; either refused, or (in comments, blanks) equal.
TEST(OrderGraphTest, SurvivesOneWrongByteAnywhere) {
  const std::string text = FormatOrderGraph(Example());
  for (size_t at = 0; at < text.size(); ++at) {
    for (const char wrong : {'\0', '"', '{', '9', '\xff', '\n'}) {
      std::string edited = text;
      edited[at] = wrong;
      const absl::StatusOr<OrderGraph> read = ParseOrderGraph(edited, "g");
      if (!read.ok()) continue;
      EXPECT_EQ(*read, Example());
    }
  }
}

class OrderGraphFileTest : public ::testing::Test {
 protected:
  OrderGraphFileTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "order_graph_test.XXXXXX").string();
    directory_ = mkdtemp(pattern.data());
  }
  ~OrderGraphFileTest() override { std::filesystem::remove_all(directory_); }
  std::filesystem::path directory_;
};

TEST_F(OrderGraphFileTest, WritesAndReadsAndLeavesNothingBeside) {
  const std::string path = directory_ / "g.txtpb";
  ASSERT_TRUE(WriteOrderGraph(Example(), path).ok());
  ASSERT_TRUE(WriteOrderGraph(Example(), path).ok());
  const absl::StatusOr<OrderGraph> read = ReadOrderGraph(path);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, Example());
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory_), {}), 1);
}

TEST_F(OrderGraphFileTest, AFailedWriteKeepsTheOldFile) {
  EXPECT_FALSE(WriteOrderGraph(Example(), directory_ / "missing" / "g.txtpb").ok());
  std::filesystem::create_directory(directory_ / "taken");
  EXPECT_FALSE(WriteOrderGraph(Example(), directory_ / "taken").ok());
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory_), {}), 1);
}

TEST_F(OrderGraphFileTest, AMissingFileIsNamed) {
  const absl::Status status = ReadOrderGraph(directory_ / "none").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("none: cannot open: No such file"));
}

TEST(OrderGraphFromValidatorTest, KeepsModesSubclassesAndSites) {
  Validator validator;
  const LockClassId io = validator.RegisterClass("xfs_iolock");
  const LockClassId il = validator.RegisterClass("xfs_ilock");
  const LockMap io_map = validator.NewMap(io);
  const LockMap il_map = validator.NewMap(il);
  TaskContext task("writer");
  validator.Acquire(task, io_map, Mode::kShared, {.site = Site::Here()});
  validator.Acquire(task, il_map, Mode::kExclusive, {.subclass = 1, .site = Site::Here()});
  validator.Release(task, il_map);
  validator.Release(task, io_map);
  const OrderGraph graph = OrderGraphFromValidator(validator, "model xfs");
  ASSERT_THAT(graph.edges, SizeIs(1));
  EXPECT_EQ(graph.edges[0].from.ToString(), "xfs_iolock (shared)");
  EXPECT_EQ(graph.edges[0].to.ToString(), "xfs_ilock/1 (exclusive)");
  EXPECT_THAT(graph.edges[0].to_site, HasSubstr("order_graph_test.cc"));
  EXPECT_TRUE(ParseOrderGraph(FormatOrderGraph(graph), "g").ok());
}

// Readers and writers of one pair of classes: each pair of modes that was seen is exported, and no other.
TEST(OrderGraphFromValidatorTest, KeepsThePairsOfModesApart) {
  Validator validator;
  const LockMap io = validator.NewMap(validator.RegisterClass("io"));
  const LockMap mm = validator.NewMap(validator.RegisterClass("mm"));
  TaskContext task("reader");
  for (const auto& [from, to] : {std::pair(Mode::kShared, Mode::kShared), std::pair(Mode::kExclusive, Mode::kShared),
                                 std::pair(Mode::kShared, Mode::kSharedRecursive)}) {
    validator.Acquire(task, io, from, {.site = Site::Here()});
    validator.Acquire(task, mm, to, {.site = Site::Here()});
    validator.Release(task, mm);
    validator.Release(task, io);
  }
  std::vector<std::string> edges;
  for (const OrderGraph::Edge& edge : OrderGraphFromValidator(validator, "model").edges) {
    edges.push_back(edge.from.ToString() + " -> " + edge.to.ToString());
  }
  EXPECT_THAT(edges, ElementsAre("io (exclusive) -> mm (shared)", "io (shared) -> mm (shared)",
                                 "io (shared) -> mm (shared-recursive)"));
}

}  // namespace
}  // namespace ordeal::lockdep
