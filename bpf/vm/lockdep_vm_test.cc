// The machine itself: boots, runs the workload on two file systems and brings back what lockdep saw. Needs a kernel and a static
// program, and a minute: ci/test-vm builds both and sets ORDEAL_VM_KERNEL; elsewhere this says that it is skipped.
#include "bpf/vm/lockdep_vm.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "bpf/lockdep_import.h"
#include "bpf/program.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ordeal::bpf {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class LockdepVmTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* kernel = getenv("ORDEAL_VM_KERNEL");
    if (kernel == nullptr) GTEST_SKIP() << "ORDEAL_SKIPPED: no lockdep kernel was named (ORDEAL_VM_KERNEL); ci/test-vm does it";
    options_.kernel = kernel;
    options_.program = absl::StrCat(ORDEAL_BINARY_DIR, "/bin/ordeal-static");
    options_.time_s = 3;
    options_.run_options = "--no-record --json";
    options_.out = out_;
    const absl::Status can = CheckLockdepVm(options_);
    if (!can.ok()) GTEST_SKIP() << "ORDEAL_SKIPPED: " << can;
  }
  ~LockdepVmTest() override { std::filesystem::remove_all(out_); }

  const std::string out_ = absl::StrCat(::testing::TempDir(), "/lockdep_vm_test.", getpid());
  LockdepVmOptions options_;
};

TEST_F(LockdepVmTest, BringsBackTheLockOrdersOfTheFileSystems) {
  options_.file_systems = {"xfs", "gfs2"};
  const auto result = RunLockdepVm(options_);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_THAT(result->release, HasSubstr("-lockdep"));
  EXPECT_TRUE(result->lockdep_stayed_on);
  for (const ConsoleFinding& finding : result->console) ADD_FAILURE() << finding.kind << ": " << finding.text;
  for (const VmFileSystemRun& run : result->runs) EXPECT_EQ(run.exit_status, 0) << run.file_system << ": " << run.errors;
  const auto graph = ImportVmResults(out_);
  ASSERT_TRUE(graph.ok()) << graph.status();
  std::vector<std::string> edges;
  for (const auto& edge : graph->edges) edges.push_back(absl::StrCat(edge.from.Name(), " -> ", edge.to.Name()));
  EXPECT_THAT(edges, Contains("&sb->s_type->i_mutex_key@xfs_fs_type -> mapping.invalidate_lock@xfs_fs_type"));
  EXPECT_THAT(edges, Contains("mapping.invalidate_lock@xfs_fs_type -> &xfs_nondir_ilock_class@xfs_nondir_ilock_class"));
  EXPECT_THAT(edges, Contains("sb_writers@gfs2_fs_type -> &sb->s_type->i_mutex_key@gfs2_fs_type"));
}

// Busybox is a static program that answers by the name it is called by: the pair, one that does not end, and one that looks around.
TEST_F(LockdepVmTest, RunsProgramsInsteadOfTheWorkload) {
  const std::string folder = out_ + ".programs";
  std::filesystem::create_directory(folder);
  for (const char* words : {"true", "false 1", "tail -f", "df -T"}) {
    const std::string path = absl::StrCat(folder, "/", std::string(words).substr(0, std::string(words).find(' ')));
    std::filesystem::copy_file(FindProgram("busybox"), path);
    const auto program = ParseGuestProgram(absl::StrCat(folder, "/", words));
    ASSERT_TRUE(program.ok()) << program.status();
    options_.programs.push_back(*program);
  }
  options_.file_systems = {"ext4", "xfs"};
  const auto result = RunLockdepVm(options_);
  std::filesystem::remove_all(folder);
  ASSERT_TRUE(result.ok()) << result.status();
  for (const VmFileSystemRun& run : result->runs) EXPECT_EQ(run.exit_status, 0) << run.file_system << ": " << run.errors;
  ASSERT_EQ(result->programs.size(), 8u);
  for (size_t i = 0; i < 8; ++i) {
    const VmProgramRun& run = result->programs[i];
    EXPECT_EQ(run.file_system, options_.file_systems[i / 4]);
    const int expected[] = {0, 1, -1, 0};
    EXPECT_EQ(run.exit_status, expected[i % 4]) << run.file_system << " " << run.program << ": " << run.output;
  }
  EXPECT_THAT(result->programs[3].output, HasSubstr("ext4"));
  EXPECT_THAT(result->programs[7].output, HasSubstr("/dev/vdb"));
}

// The pair: a machine that is not given the time to finish is a finding with its log, and the call returns.
TEST_F(LockdepVmTest, AMachineThatDoesNotEndIsAFinding) {
  options_.file_systems = {"ext4"};
  options_.time_s = 1000;
  options_.machine_time_max_s = 12;
  const auto result = RunLockdepVm(options_);
  ASSERT_TRUE(result.ok()) << result.status();
  ASSERT_EQ(result->console.size(), 1u);
  EXPECT_EQ(result->console[0].kind, "vm-hang");
  EXPECT_EQ(result->runs[0].exit_status, -1);
  EXPECT_THAT(result->release, IsEmpty());
}

}  // namespace
}  // namespace ordeal::bpf
