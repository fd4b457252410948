#include "bpf/class_map.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ordeal::bpf {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

TEST(ClassMapTest, MapsTheNamesOfTheModelTheRecorderAndTheKernelsValidator) {
  const ClassMap map = BuiltInClassMap("xfs").value();
  for (const char* name :
       {"xfs_iolock", "i_rwsem", "&sb->s_type->i_mutex_key#16", "&sb->s_type->i_mutex_key@xfs_fs_type", "IOLOCK"}) {
    EXPECT_EQ(map.TokenOf(name), "IOLOCK") << name;
  }
  for (const char* name : {"xfs_mmaplock", "invalidate_lock", "mapping.invalidate_lock#3"}) {
    EXPECT_EQ(map.TokenOf(name), "MMAPLOCK") << name;
  }
  EXPECT_EQ(map.TokenOf("xfs_ilock"), "ILOCK");
  EXPECT_EQ(map.TokenOf("&xfs_dir_ilock_class"), "ILOCK(dir)");
  EXPECT_EQ(map.TokenOf("&type->i_mutex_dir_key#4"), "IOLOCK(dir)");
  EXPECT_EQ(map.TokenOf("&mm->mmap_lock"), "mmap_lock");
}

TEST(ClassMapTest, ASymbolTellsTheFileSystemsOfOneNameApart) {
  EXPECT_EQ(BuiltInClassMap("xfs")->TokenOf("&sb->s_type->i_mutex_key@ext4_fs_type"), "");
  EXPECT_EQ(BuiltInClassMap("ext4")->TokenOf("&sb->s_type->i_mutex_key@ext4_fs_type"), "IOLOCK");
  EXPECT_EQ(BuiltInClassMap("xfs")->TokenOf("jbd2_handle"), "");
}

// The model's name has no symbol, and is the kernel's of all file systems.
TEST(ClassMapTest, ANameWithoutSymbolIsNotThatOfAnotherFileSystem) {
  const ClassMap map = BuiltInClassMap("ext4").value();
  EXPECT_EQ(map.TokenOf("sb_internal"), "sb_internal");
  EXPECT_EQ(map.TokenOf("sb_internal@ext4_fs_type"), "sb_internal");
  EXPECT_EQ(map.TokenOf("sb_internal#3@xfs_fs_type"), "");
  EXPECT_EQ(map.TokenOf("mapping.invalidate_lock@xfs_fs_type"), "");
  EXPECT_EQ(map.TokenOf("jbd2_handle@jbd2_trans_commit_key"), "jbd2_handle");  // no entry of that name has a symbol
}

TEST(ClassMapTest, ANumberCountsOnlyWhereTheMapGivesOne) {
  const ClassMap map = ParseClassMap("format: 1 class { token: \"T\" kernel: \"lock#2\" }", "m").value();
  EXPECT_EQ(map.TokenOf("lock#2"), "T");
  EXPECT_EQ(map.TokenOf("lock#3"), "");
  EXPECT_EQ(map.TokenOf("lock"), "");
}

TEST(ClassMapTest, EveryShippedMapReadsAndAHistoricalTypeHasThatOfItsFileSystem) {
  for (const char* name : {"btrfs", "ext4", "gfs2", "ocfs2", "xfs"}) {
    const auto map = BuiltInClassMap(name);
    ASSERT_TRUE(map.ok()) << map.status();
    EXPECT_EQ(map->file_system(), name);
    EXPECT_FALSE(map->tokens().empty());
  }
  EXPECT_EQ(BuiltInClassMap("gfs2-5.15")->file_system(), "gfs2");
  EXPECT_THAT(std::string(BuiltInClassMap("zfs").status().message()), HasSubstr("btrfs, ext4, gfs2, ocfs2, xfs"));
}

TEST(ClassMapTest, ExplainsAPairOfItsSideOnly) {
  const ClassMap map = ParseClassMap(R"(format: 1
class { token: "A" }
class { token: "B" }
explained { only: MODEL from: "A" to: "B/1" reason: "r" }
explained { only: KERNEL from: "*" to: "A" reason: "k" })", "m").value();
  EXPECT_EQ(map.Explanation(true, "A/4", "B/1"), "r");
  EXPECT_EQ(map.Explanation(true, "A", "B"), "");
  EXPECT_EQ(map.Explanation(false, "A", "B/1"), "");
  EXPECT_EQ(map.Explanation(false, "B", "A"), "k");
}

TEST(ClassMapTest, OnlyMappedClassesAndWhatIsBetweenThemStay) {
  lockdep::OrderGraph graph;
  graph.edges = {{.from = {"xfs_ilock"}, .to = {"other"}}, {.from = {"xfs_iolock"}, .to = {"xfs_ilock"}}};
  graph.Normalise();
  const lockdep::OrderGraph mapped = BuiltInClassMap("xfs")->Mapped(graph, false);
  EXPECT_THAT(mapped.nodes, SizeIs(2));
  ASSERT_THAT(mapped.edges, SizeIs(1));
  EXPECT_EQ(mapped.edges[0].from.lock_class, "IOLOCK");
}

struct Bad {
  const char* text;
  const char* error;
};
class BadClassMapTest : public ::testing::TestWithParam<Bad> {};

TEST_P(BadClassMapTest, IsRefusedWithFileLineAndRemedy) {
  const auto map = ParseClassMap(GetParam().text, "my.txtpb");
  ASSERT_FALSE(map.ok());
  EXPECT_EQ(map.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(map.status().message()), HasSubstr(GetParam().error));
  EXPECT_THAT(std::string(map.status().message()), HasSubstr("class-map.md"));
}

INSTANTIATE_TEST_SUITE_P(
    Texts, BadClassMapTest,
    ::testing::Values(Bad{"format: 1\nclas { }", "my.txtpb:2: "}, Bad{"format: 2", "my.txtpb:1: the format is 2"},
                      Bad{"", "the format is 0"}, Bad{"format: 1\nclass { model: \"x\" }", "a class has no token"},
                      Bad{"format: 1\nclass { token: \"A\" }\nclass { token: \"A\" }", "the token A is named twice"},
                      Bad{"format: 1\nclass { token: \"A\" model: \"x\" }\nclass { token: \"B\" kernel: \"x\" }",
                          "my.txtpb:2: 'x' belongs to A and to B"},
                      Bad{"format: 1\nclass { token: \"A\"\n files: \"B\" }", "my.txtpb:3: no class has the token B"},
                      Bad{"format: 1\n\nunmapped { model: \"x\" }", "my.txtpb:3: 'x' is left out without a reason"},
                      Bad{"format: 1\nclass { token: \"A\" }\nunmapped { model: \"A\" reason: \"r\" }", "both mapped and left out"},
                      Bad{"format: 1\nexplained { from: \"A\" to: \"*\" reason: \"r\" }", "does not say which side"},
                      Bad{"format: 1\nexplained { only: MODEL from: \"*\" to: \"Q\" reason: \"r\" }",
                          "no class has the token 'Q'"}));

TEST(ClassMapTest, AMissingFileIsNamed) {
  EXPECT_THAT(std::string(ReadClassMap("/nonexistent/map").status().message()), HasSubstr("/nonexistent/map: No such file"));
}

}  // namespace
}  // namespace ordeal::bpf
