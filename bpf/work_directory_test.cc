#include "bpf/work_directory.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ordeal::bpf {
namespace {

using ::testing::HasSubstr;

class WorkDirectoryTest : public ::testing::Test {
 protected:
  WorkDirectoryTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "work_directory_test.XXXXXX").string();
    parent_ = mkdtemp(pattern.data());
  }
  ~WorkDirectoryTest() override { std::filesystem::remove_all(parent_); }

  bool BecomesEmpty() const {
    for (int tries = 0; tries < 500; ++tries) {
      if (std::filesystem::is_empty(parent_)) return true;
      usleep(10000);
    }
    return false;
  }
  static void Fill(int fd) {
    ASSERT_EQ(mkdirat(fd, "round", 0700), 0);
    const int file = openat(fd, "round/a", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    ASSERT_GE(file, 0);
    close(file);
  }

  std::filesystem::path parent_;
};

TEST_F(WorkDirectoryTest, RemovesAllThatIsInIt) {
  absl::StatusOr<std::unique_ptr<WorkDirectory>> directory = WorkDirectory::MakeIn(parent_.string());
  ASSERT_TRUE(directory.ok()) << directory.status();
  Fill((*directory)->fd());
  EXPECT_FALSE((*directory)->scratch());
  EXPECT_FALSE((*directory)->file_system().empty());
  EXPECT_FALSE(std::filesystem::is_empty(parent_));
  const absl::Status removed = (*directory)->Remove();
  EXPECT_TRUE(removed.ok()) << removed;
  EXPECT_TRUE(std::filesystem::is_empty(parent_));
}

TEST_F(WorkDirectoryTest, TouchesNothingElse) {
  std::filesystem::create_directory(parent_ / "other");
  std::ofstream(parent_ / "other/precious") << "data";
  absl::StatusOr<std::unique_ptr<WorkDirectory>> directory = WorkDirectory::MakeIn(parent_.string());
  ASSERT_TRUE(directory.ok()) << directory.status();
  ASSERT_EQ(symlinkat("../../other", (*directory)->fd(), "link"), 0);
  EXPECT_TRUE((*directory)->Remove().ok());
  EXPECT_TRUE(std::filesystem::exists(parent_ / "other/precious"));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(parent_), {}), 1);
}

TEST_F(WorkDirectoryTest, TheDeathOfEveryProcessLeavesNothing) {
  const pid_t child = fork();
  if (child == 0) {
    setpgid(0, 0);
    absl::StatusOr<std::unique_ptr<WorkDirectory>> directory = WorkDirectory::MakeIn(parent_.string());
    if (!directory.ok()) _exit(1);
    Fill((*directory)->fd());
    kill(0, SIGKILL);  // the group
  }
  int status = 0;
  waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_TRUE(BecomesEmpty());
}

TEST_F(WorkDirectoryTest, SaysWhatIsNoDirectory) {
  std::ofstream(parent_ / "file") << "";
  const absl::Status status = WorkDirectory::MakeIn((parent_ / "file").string()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("Not a directory"));
}

TEST_F(WorkDirectoryTest, TheJanitorTellsWhatItCouldNotDo) {
  absl::StatusOr<std::unique_ptr<Janitor>> janitor = Janitor::Start([] { return absl::UnavailableError("no broom"); });
  ASSERT_TRUE(janitor.ok());
  EXPECT_EQ((*janitor)->CleanUp().message(), "no broom");
  EXPECT_TRUE((*janitor)->CleanUp().ok()) << "the second time there is nothing to do";
}

}  // namespace
}  // namespace ordeal::bpf
