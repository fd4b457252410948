// The machine itself: boots, runs the workload on two file systems and brings back what lockdep saw. Needs a kernel and a static
// program, and some minutes: ci/test-vm builds both and sets ORDEAL_VM_KERNEL; elsewhere this says that it is skipped.
#include "bpf/vm/lockdep_vm.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "bpf/class_map.h"
#include "bpf/kernel_witnesses.h"
#include "bpf/lockdep_import.h"
#include "bpf/program.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ordeal::bpf {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
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
  static void CheckRecord(const VmFileSystemRun& run, const lockdep::OrderGraph& lockdep);
  ~LockdepVmTest() override { std::filesystem::remove_all(out_); }

  const std::string out_ = absl::StrCat(::testing::TempDir(), "/lockdep_vm_test.", getpid());
  LockdepVmOptions options_;
};

TEST_F(LockdepVmTest, BringsBackTheLockOrdersOfTheFileSystems) {
  options_.file_systems = {"xfs", "gfs2"};
  // GFS2 of 6.1 hangs when a direct read's buffer is its own page, and when mmap_lock is wanted for writing beside direct I/O
  // (corpora/kernel: gfs2-direct-read-own-page.c, mmap-lock-cycle.c).
  options_.run_options += " --without=direct-read,async-direct-read,map-unmap,remap,protect,fork";
  const auto result = RunLockdepVm(options_);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_THAT(result->release, HasSubstr("-lockdep"));
  EXPECT_TRUE(result->lockdep_stayed_on);
  for (const ConsoleFinding& finding : result->console) ADD_FAILURE() << finding.kind << ": " << finding.text;
  for (const VmFileSystemRun& run : result->runs) EXPECT_EQ(run.exit_status, 0) << run.file_system << ": " << run.errors;
  const auto graph = ImportVmResults(out_);
  ASSERT_TRUE(graph.ok()) << graph.status();
  for (const VmFileSystemRun& run : result->runs) CheckRecord(run, *graph);
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

// What eBPF recorded of the same run, held against lockdep: a part of that, of each file system most of it, and nothing lost.
void LockdepVmTest::CheckRecord(const VmFileSystemRun& run, const lockdep::OrderGraph& lockdep) {
  ASSERT_FALSE(run.record.empty()) << run.file_system << ": " << run.record_errors;
  const auto record = lockdep::ReadOrderGraph(run.record);
  ASSERT_TRUE(record.ok()) << record.status();
  const WitnessComparison witnesses = CompareWitnesses(lockdep, *record, *BuiltInClassMap(run.file_system));
  SCOPED_TRACE(absl::StrCat(run.file_system, "\n", FormatWitnesses(witnesses)));
  EXPECT_THAT(witnesses.only_recorded, IsEmpty()) << "lockdep saw all that was recorded, or the recorder is wrong";
  EXPECT_GE(witnesses.in_both, 2u);
  EXPECT_GE(2 * witnesses.in_both, witnesses.lockdep_pairs);
  EXPECT_EQ(witnesses.lost, 0u) << record->ToString();
}

// How many of the run's operations failed with that error.
uint64_t Failures(const VmFileSystemRun& run, const std::string& error) {
  std::ifstream file(run.report);
  const nlohmann::json report = nlohmann::json::parse(file, nullptr, /*allow_exceptions=*/false);
  const bool counts = report.is_object() && report.contains("counts");
  EXPECT_TRUE(counts) << run.file_system << ": " << run.errors;
  if (!counts) return 0;
  uint64_t failures = 0;
  for (const nlohmann::json& count : report.at("counts")) {
    const nlohmann::json& errors = count.at("errors");
    if (errors.contains(error)) failures += errors.at(error).get<uint64_t>();
  }
  return failures;
}

// Memory that the kernel does not get fails operations, and nothing else: the runner lives, the data is right or excused. The pair
// is below: without faults no operation lacks memory.
TEST_F(LockdepVmTest, InjectedFaultsFailOperations) {
  options_.file_systems = {"xfs", "ext4"};
  options_.record = false;
  options_.fault_kinds = {"failslab", "fail_page_alloc"};
  options_.fault_percent = 2;
  options_.run_options += " --make-it-fail";
  const auto result = RunLockdepVm(options_);
  ASSERT_TRUE(result.ok()) << result.status();
  for (const VmFileSystemRun& run : result->runs) {
    EXPECT_EQ(run.exit_status, 0) << run.file_system << ": " << run.errors;
    EXPECT_GT(Failures(run, "ENOMEM"), 0u) << run.file_system;
  }
  for (const ConsoleFinding& finding : result->console) EXPECT_TRUE(finding.consequence) << finding.text;
}

// Its pair: without a recorder there is no record, and lockdep has the orders all the same.
TEST_F(LockdepVmTest, WithoutARecorderAndFaultsThereIsNeither) {
  options_.file_systems = {"ext4"};
  options_.record = false;
  const auto result = RunLockdepVm(options_);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_THAT(result->runs[0].record, IsEmpty());
  EXPECT_EQ(Failures(result->runs[0], "ENOMEM"), 0u);
  EXPECT_TRUE(ImportVmResults(out_).ok());
}

// A panic is a finding, and what was brought back before it is there.
TEST_F(LockdepVmTest, APanicIsAFinding) {
  options_.file_systems = {"ext4"};
  options_.record = false;
  options_.crash = true;
  const auto result = RunLockdepVm(options_);
  ASSERT_TRUE(result.ok()) << result.status();
  std::vector<std::string> kinds;
  for (const ConsoleFinding& finding : result->console) kinds.push_back(finding.kind);
  EXPECT_THAT(kinds, ElementsAre("panic", "vm-died"));
  EXPECT_EQ(result->runs[0].exit_status, 0) << result->runs[0].errors;
  EXPECT_THAT(result->release, IsEmpty());
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
