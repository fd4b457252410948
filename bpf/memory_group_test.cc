#include "bpf/memory_group.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace ordeal::bpf {
namespace {

constexpr size_t kBytes = 64 * 4096;

class MemoryGroupTest : public ::testing::Test {
 protected:
  void SetUp() override {
    absl::StatusOr<std::unique_ptr<MemoryGroup>> made = MemoryGroup::Make();
    if (!made.ok()) {
      std::cout << "ORDEAL_SKIPPED: " << made.status().message() << std::endl;
      GTEST_SKIP();
    }
    group_ = *std::move(made);
  }

  std::unique_ptr<MemoryGroup> group_;
};

// How many pages of the file are in the page cache.
int Resident(int fd) {
  void* memory = mmap(nullptr, kBytes, PROT_READ, MAP_SHARED, fd, 0);
  std::vector<unsigned char> resident(kBytes / 4096);
  if (memory == MAP_FAILED || mincore(memory, kBytes, resident.data()) != 0) return -1;
  munmap(memory, kBytes);
  int pages = 0;
  for (const unsigned char page : resident) pages += page & 1;
  return pages;
}

// Whoever reads a page into the cache pays for it; reclaim of the group takes what its members paid for.
TEST_F(MemoryGroupTest, ReclaimsThePagesOfItsMembersAlone) {
  std::string name = (std::filesystem::temp_directory_path() / "memory_group_test.XXXXXX").string();
  const int fd = mkostemp(name.data(), O_CLOEXEC);
  unlink(name.c_str());
  const std::string data(kBytes, 'x');
  ASSERT_EQ(pwrite(fd, data.data(), data.size(), 0), static_cast<ssize_t>(data.size()));
  ASSERT_EQ(fsync(fd), 0);
  ASSERT_EQ(group_->Reclaim(), 0);
  EXPECT_EQ(Resident(fd), static_cast<int>(kBytes / 4096)) << "they are ours, not the group's";
  ASSERT_EQ(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
  if (Resident(fd) != 0) {
    std::cout << "ORDEAL_SKIPPED: the temporary directory's file system keeps its pages" << std::endl;
    GTEST_SKIP();
  }
  const pid_t member = fork();
  if (member == 0) {
    if (!group_->Add(getpid()).ok()) _exit(1);
    std::vector<char> read(kBytes);
    if (pread(fd, read.data(), read.size(), 0) != static_cast<ssize_t>(read.size())) _exit(2);
    for (int i = 0; i < 100 && Resident(fd) != 0; ++i) {
      if (group_->Reclaim() != 0) _exit(3);
    }
    _exit(Resident(fd) == 0 ? 0 : 4);
  }
  int status = 0;
  waitpid(member, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  close(fd);
}

TEST_F(MemoryGroupTest, IsGoneWhenItIsRemoved) {
  const std::string path = group_->path();
  EXPECT_TRUE(std::filesystem::exists(path));
  const absl::Status removed = group_->Remove();
  EXPECT_TRUE(removed.ok()) << removed;
  EXPECT_FALSE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace ordeal::bpf
