#include "bpf/slow_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <string>

#include "bpf/process_files.h"
#include "gtest/gtest.h"

namespace ordeal::bpf {
namespace {

class SlowMemoryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    absl::StatusOr<std::unique_ptr<SlowMemory>> made = SlowMemory::Make(/*slots=*/2, 3 * kPageBytes, /*seed=*/1);
    if (!made.ok()) {
      std::cout << "ORDEAL_SKIPPED: " << made.status().message() << std::endl;
      GTEST_SKIP();
    }
    slow_ = *std::move(made);
    std::string name = (std::filesystem::temp_directory_path() / "slow_memory_test.XXXXXX").string();
    fd_ = mkostemp(name.data(), O_CLOEXEC);
    unlink(name.c_str());
  }
  ~SlowMemoryTest() override {
    if (fd_ >= 0) close(fd_);
  }

  bool Missing(uint32_t slot) const {
    unsigned char resident = 1;
    return mincore(slow_->memory(slot), kPageBytes, &resident) == 0 && (resident & 1) == 0;
  }

  std::unique_ptr<SlowMemory> slow_;
  int fd_ = -1;
};

TEST_F(SlowMemoryTest, ACallThatCopiesFromItGetsTheSourcesData) {
  std::memset(slow_->source(1), 'x', 3 * kPageBytes);
  slow_->Arm(1);
  EXPECT_TRUE(Missing(1));
  ASSERT_EQ(pwrite(fd_, slow_->memory(1), 3 * kPageBytes, 0), static_cast<ssize_t>(3 * kPageBytes));
  std::string seen(3 * kPageBytes, ' ');
  ASSERT_EQ(pread(fd_, seen.data(), seen.size(), 0), static_cast<ssize_t>(seen.size()));
  EXPECT_EQ(seen, std::string(3 * kPageBytes, 'x'));
  EXPECT_FALSE(Missing(1)) << "it has arrived";
}

TEST_F(SlowMemoryTest, ACallThatCopiesIntoItLeavesItsDataThere) {
  const std::string data(2 * kPageBytes, 'y');
  ASSERT_EQ(pwrite(fd_, data.data(), data.size(), 0), static_cast<ssize_t>(data.size()));
  slow_->Arm(0);
  ASSERT_EQ(pread(fd_, slow_->memory(0), data.size(), 0), static_cast<ssize_t>(data.size()));
  EXPECT_EQ(std::memcmp(slow_->memory(0), data.data(), data.size()), 0);
}

}  // namespace
}  // namespace ordeal::bpf
