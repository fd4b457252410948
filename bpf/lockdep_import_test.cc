#include "bpf/lockdep_import.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ordeal::bpf {
namespace {

using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

// Two file systems whose inode locks have one name, a lock whose key is a local variable, and a subclass.
constexpr char kLockdep[] = R"(all lock classes:
ffffffff82000010 FD:    2 BD:    1 ++++: &sb->s_type->i_mutex_key#8
 -> [ffffffff82000101] &sb->s_type->i_mutex_key#9/1

ffffffff82000100 FD:    2 BD:    1 ++++: &sb->s_type->i_mutex_key#9
 -> [ffffffff82000200] &x->lock#2

ffffffff82000101 FD:    1 BD:    2 ++++: &sb->s_type->i_mutex_key#9/1

ffffffff82000200 FD:    1 BD:    2 ++++: &x->lock#2

)";
constexpr char kSymbols[] = R"(ffffffff81000000 T function
ffffffff82000000 d xfs_fs_type
ffffffff82000100 D ext4_fs_type
ffffffff82000200 b __key.42
ffffffff82000300 b after
)";

class LockdepImportTest : public ::testing::Test {
 protected:
  LockdepImportTest() {
    std::filesystem::create_directory(folder_);
    Write("lockdep.txt", kLockdep);
    Write("System.map", kSymbols);
    Write("release", "6.1.0-lockdep\n");
  }
  ~LockdepImportTest() override { std::filesystem::remove_all(folder_); }
  void Write(const std::string& name, const std::string& text) { std::ofstream(folder_ / name) << text; }
  static std::vector<std::string> Edges(const lockdep::OrderGraph& graph) {
    std::vector<std::string> edges;
    for (const auto& edge : graph.edges) edges.push_back(absl::StrCat(edge.from.Name(), " -> ", edge.to.Name()));
    return edges;
  }
  const std::filesystem::path folder_ =
      std::filesystem::path(::testing::TempDir()) / absl::StrCat("lockdep_import_test.", getpid());
};

TEST_F(LockdepImportTest, ClassesAreNamedAfterTheSymbolThatHoldsTheirKey) {
  const auto graph = ImportVmResults(folder_.string());
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_EQ(graph->source, "kernel 6.1.0-lockdep");
  EXPECT_THAT(Edges(*graph),
              UnorderedElementsAre("&sb->s_type->i_mutex_key@xfs_fs_type -> &sb->s_type->i_mutex_key@ext4_fs_type/1",
                                   "&sb->s_type->i_mutex_key@ext4_fs_type -> &x->lock#2"));
}

TEST_F(LockdepImportTest, WithoutSymbolsTheNumbersStay) {
  std::filesystem::remove(folder_ / "System.map");
  EXPECT_THAT(Edges(*ImportVmResults(folder_.string())),
              UnorderedElementsAre("&sb->s_type->i_mutex_key#8 -> &sb->s_type->i_mutex_key#9/1",
                                   "&sb->s_type->i_mutex_key#9 -> &x->lock#2"));
}

TEST_F(LockdepImportTest, BadInputIsOneErrorThatNamesTheFile) {
  Write("lockdep.txt", "all lock classes:\nnonsense\n");
  EXPECT_THAT(std::string(ImportVmResults(folder_.string()).status().message()), HasSubstr("lockdep.txt:2: "));
  std::filesystem::remove(folder_ / "lockdep.txt");
  EXPECT_THAT(std::string(ImportVmResults(folder_.string()).status().message()), HasSubstr("console.log says why"));
  const auto no_symbols = ImportLockdep({.lockdep = "/proc/nothing", .chains = "", .symbols = "", .source = ""});
  EXPECT_FALSE(no_symbols.ok());
}

}  // namespace
}  // namespace ordeal::bpf
