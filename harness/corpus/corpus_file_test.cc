#include "harness/corpus/corpus_file.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ordeal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class CorpusFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = absl::StrCat(::testing::TempDir(), "/corpus_file_test.",
                           ::testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  static CorpusEntry Entry(const std::string& signature) {
    CorpusEntry entry;
    entry.spec = {"two-locks", "", {}, {}};
    entry.finding = ExpectedFinding{FindingKind::kDeadlock, signature, "s"};
    return entry;
  }
  std::string Path(const std::string& name) const { return absl::StrCat(folder_, "/", name); }

  std::string folder_;
};

TEST_F(CorpusFileTest, WrittenEntryIsReadBackAndNothingElseIsLeft) {
  const std::string path = Path("a/b/x.txtpb");
  ASSERT_TRUE(WriteCorpusEntry(path, Entry("one")).ok());
  ASSERT_TRUE(WriteCorpusEntry(path, Entry("two")).ok());
  const auto entry = ReadCorpusEntry(path);
  ASSERT_TRUE(entry.ok()) << entry.status();
  EXPECT_EQ(entry->finding->signature, "two");
  int files = 0;
  for ([[maybe_unused]] const auto& item : std::filesystem::directory_iterator(Path("a/b"))) ++files;
  EXPECT_EQ(files, 1);
}

TEST_F(CorpusFileTest, NameTellsFindingsApart) {
  EXPECT_EQ(CorpusFileName(Entry("one")), CorpusFileName(Entry("one")));
  EXPECT_NE(CorpusFileName(Entry("one")), CorpusFileName(Entry("two")));
  EXPECT_THAT(CorpusFileName(Entry("one")), ::testing::MatchesRegex("two-locks-deadlock-[0-9a-f]{8}.txtpb"));
}

TEST_F(CorpusFileTest, ListsFoldersSortedAndFilesAsGiven) {
  for (const char* name : {"b/2.txtpb", "b/1.txtpb", "a.txtpb", "b/note.md"}) {
    ASSERT_TRUE(WriteFileAtomically(Path(name), "x").ok());
  }
  const auto files = ListCorpusFiles({Path("b/note.md"), folder_});
  ASSERT_TRUE(files.ok()) << files.status();
  EXPECT_THAT(*files, ElementsAre(Path("b/note.md"), Path("a.txtpb"), Path("b/1.txtpb"), Path("b/2.txtpb")));
}

TEST_F(CorpusFileTest, MissingAndEmptyPathsAreErrors) {
  EXPECT_THAT(std::string(ListCorpusFiles({Path("none")}).status().message()), HasSubstr("none: cannot open: No such file"));
  EXPECT_THAT(std::string(ListCorpusFiles({folder_}).status().message()), HasSubstr("no corpus entry (*.txtpb)"));
  EXPECT_EQ(ReadCorpusEntry(Path("none")).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(CorpusFileTest, OnlyRegularFilesOfBoundedSizeAreRead) {
  EXPECT_THAT(std::string(ReadCorpusEntry(folder_).status().message()), HasSubstr("not a regular file"));
  ASSERT_EQ(mkfifo(Path("fifo").c_str(), 0600), 0);
  EXPECT_THAT(std::string(ReadCorpusEntry(Path("fifo")).status().message()), HasSubstr("not a regular file"));
  std::ofstream(Path("big")).close();
  std::filesystem::resize_file(Path("big"), static_cast<uintmax_t>(kCorpusFileBytesMax) + 1);
  EXPECT_THAT(std::string(ReadCorpusEntry(Path("big")).status().message()), HasSubstr("bytes; at most"));
}

TEST_F(CorpusFileTest, WriteErrorsNameThePath) {
  ASSERT_TRUE(WriteFileAtomically(Path("file"), "x").ok());
  EXPECT_THAT(std::string(WriteFileAtomically(Path("file/below"), "x").message()), HasSubstr("file"));
}

}  // namespace
}  // namespace ordeal
