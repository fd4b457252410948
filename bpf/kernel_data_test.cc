// The data oracle and the hang watch on a real file system: pairs of a planted fault, which is found, and the same run without
// it, which is silent. Needs root, loop devices and mkfs; says ORDEAL_SKIPPED with the reason where it cannot run.
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <string>

#include "bpf/kernel_run.h"
#include "bpf/process_files.h"
#include "bpf/scratch_file_system.h"
#include "bpf/workload_runner.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "harness/workload/workload_text.h"

namespace ordeal::bpf {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Kind = FileOperationKind;

// Writes, reads and drops, in two processes; small enough to be judged at once.
absl::StatusOr<Workload> SomeWrites(uint64_t) {
  std::vector<FileOperation> one;
  std::vector<FileOperation> two;
  for (int i = 0; i < 20; ++i) {
    one.push_back({.kind = Kind::kWrite, .file = 0, .offset_cells = 2, .length_cells = 6});
    one.push_back({.kind = Kind::kDirectWrite, .file = 0, .offset_cells = 8, .length_cells = 4});
    one.push_back({.kind = Kind::kStore, .file = 0, .offset_cells = 12, .length_cells = 3});
    two.push_back({.kind = Kind::kRead, .file = 0, .offset_cells = 0, .length_cells = 16});
    two.push_back({.kind = Kind::kDirectRead, .file = 0, .offset_cells = 0, .length_cells = 16});
    two.push_back({.kind = Kind::kLoad, .file = 0, .offset_cells = 0, .length_cells = 16});
    two.push_back({.kind = Kind::kDropCaches, .file = 0});
  }
  return Workload{.files = {{"a", 16}}, .tasks = {one, two}, .processes = {0, 1}};
}

class KernelDataTest : public ::testing::Test {
 protected:
  void SetUp() override {
    options_.workload = SomeWrites;
    options_.record = false;
    options_.time_s = 30;
    options_.operations_max = 1;
    const absl::Status possible = CheckKernelRun(options_);
    if (possible.ok()) return;
    std::cout << "ORDEAL_SKIPPED: " << possible.message() << std::endl;
    GTEST_SKIP();
  }
  KernelRunResult Run() {
    absl::StatusOr<KernelRunResult> result = RunOnKernel(options_);
    EXPECT_TRUE(result.ok()) << result.status();
    if (!result.ok()) return {};
    for (const KernelFinding& finding : result->findings) std::cout << finding.details << std::endl;
    return *std::move(result);
  }
  static void Overwrite(int directory_fd, const char* name, uint32_t cell, const std::string& data) {
    const int fd = openat(directory_fd, name, O_RDWR | O_CLOEXEC);
    const ssize_t n = pwrite(fd, data.data(), data.size(), static_cast<off_t>(CellsToBytes(cell)));
    if (n != static_cast<ssize_t>(data.size()) || fsync(fd) != 0) _exit(9);
    close(fd);
  }
  static std::string Contents(int directory_fd, const char* name, uint32_t cell) {
    std::string data(kCellBytes, '\0');
    const int fd = openat(directory_fd, name, O_RDONLY | O_CLOEXEC);
    if (pread(fd, data.data(), data.size(), static_cast<off_t>(CellsToBytes(cell))) != static_cast<ssize_t>(data.size())) _exit(9);
    close(fd);
    return data;
  }

  KernelRunOptions options_;
};

TEST_F(KernelDataTest, IsSilentOnARealFileSystem) {
  for (const char* file_system : {"xfs", "ext4", "btrfs"}) {
    options_.file_system = file_system;
    if (const absl::Status possible = CheckKernelRun(options_); !possible.ok()) {
      std::cout << "ORDEAL_SKIPPED: " << possible.message() << std::endl;
      continue;
    }
    const KernelRunResult result = Run();
    EXPECT_THAT(result.findings, IsEmpty()) << file_system;
    EXPECT_GT(result.cells_judged, 100u);
  }
}

// Somebody puts back what the file held at first: as if the last write had been lost.
TEST_F(KernelDataTest, FindsALostWrite) {
  std::string first;
  options_.at_round_begin = [&first](int directory_fd) { first = Contents(directory_fd, "a", 3); };
  options_.at_round_end = [&first](int directory_fd) { Overwrite(directory_fd, "a", 3, first); };
  const KernelRunResult result = Run();
  // Besides, it is half a buffered write.
  const auto lost = std::find_if(result.findings.begin(), result.findings.end(), [](const KernelFinding& finding) {
    return finding.signature == "lost-write: final read vs write";
  });
  ASSERT_NE(lost, result.findings.end());
  EXPECT_EQ(lost->kind, "data");
  EXPECT_THAT(lost->details, HasSubstr("initial data of file 0 cell 3"));
  EXPECT_THAT(lost->history, HasSubstr("cached cell 3: initial data of file 0 cell 3"));
  EXPECT_TRUE(ParseWorkload(lost->workload).ok());
}

// What each way to read it sees while the round runs.
TEST_F(KernelDataTest, FindsDataOfAnotherPlaceWhileTheRoundRuns) {
  options_.at_round_begin = [](int directory_fd) { Overwrite(directory_fd, "a", 0, Contents(directory_fd, "a", 1)); };
  const KernelRunResult result = Run();
  for (const char* wanted : {"foreign: read", "foreign: direct-read", "foreign: load"}) {
    EXPECT_TRUE(std::any_of(result.findings.begin(), result.findings.end(),
                            [&](const KernelFinding& finding) { return finding.signature == wanted; }))
        << wanted;
  }
}

TEST_F(KernelDataTest, FindsZerosThatNobodyWrote) {
  options_.at_round_end = [](int directory_fd) { Overwrite(directory_fd, "a", 0, std::string(kCellBytes, '\0')); };
  const KernelRunResult result = Run();
  ASSERT_THAT(result.findings, SizeIs(1));
  EXPECT_EQ(result.findings[0].signature, "unwritten-zero: final read");
}

TEST_F(KernelDataTest, FindsAMixtureOfGoodAndForeignWords) {
  options_.at_round_end = [](int directory_fd) { Overwrite(directory_fd, "a", 0, "01234567"); };
  const KernelRunResult result = Run();
  ASSERT_THAT(result.findings, SizeIs(1));
  EXPECT_EQ(result.findings[0].signature, "torn: final read");
}

// The planted cause is real: the file system is frozen, so that a write waits until it is thawed, also when it is killed.
TEST_F(KernelDataTest, ReportsAnOperationThatHangs) {
  options_.hang_s = 1;
  options_.kill_s = 0.5;
  options_.at_round_begin = [](int directory_fd) {
    if (ioctl(directory_fd, FIFREEZE, 0) != 0) _exit(9);
  };
  const KernelRunResult result = Run();
  ASSERT_THAT(result.findings, SizeIs(1));
  const KernelFinding& hang = result.findings[0];
  EXPECT_EQ(hang.kind, "hang");
  EXPECT_THAT(hang.signature, HasSubstr("hang: "));
  EXPECT_THAT(hang.details, HasSubstr("task 0"));
  EXPECT_THAT(hang.details, HasSubstr("vfs_write")) << "the kernel stack of a write that waits";
  EXPECT_THAT(hang.details, HasSubstr("they ended when the file system was thawed"));
}

TEST_F(KernelDataTest, NothingHangsWithoutACause) {
  options_.hang_s = 20;
  options_.at_round_begin = [](int directory_fd) {
    if (ioctl(directory_fd, FIFREEZE, 0) != 0 || ioctl(directory_fd, FITHAW, 0) != 0) _exit(9);
  };
  EXPECT_THAT(Run().findings, IsEmpty());
}

// A frozen file system is thawed by nobody: its writer stays whatever is sent to it, is reported, and does not hold us up. In a
// child, whose mounts are its own. "": as it should be.
std::string WaitForAWriterOfAFrozenFileSystem(bool thaws) {
  const absl::StatusOr<std::unique_ptr<ScratchFileSystem>> scratch = ScratchFileSystem::Make({.file_system = "ext4"});
  if (!scratch.ok()) return std::string(scratch.status().message());
  const int directory_fd = (*scratch)->directory_fd();
  const Workload workload = {
      .files = {{"a", 16}}, .tasks = {{{.kind = Kind::kWrite, .file = 0, .offset_cells = 0, .length_cells = 4}}}, .processes = {0}};
  const std::unique_ptr<RunStatistics> statistics = *RunStatistics::Make();
  const std::unique_ptr<OperationLog> log = *OperationLog::Make(workload);
  const RunEnvironment environment{
      .directory_fd = directory_fd, .log = log.get(), .statistics = statistics.get(), .perturb = false};
  if (!PrepareFiles(workload, directory_fd, StampCode(environment.salt)).ok()) return "cannot prepare the file";
  absl::StatusOr<std::unique_ptr<WorkloadProcesses>> run = WorkloadProcesses::Fork(workload, environment);
  if (!run.ok()) return std::string(run.status().message());
  const pid_t pid = (*run)->pids()[0];
  const auto thaw = [directory_fd] { ioctl(directory_fd, FITHAW, 0); };
  if (ioctl(directory_fd, FIFREEZE, 0) != 0) return "cannot freeze";
  (*run)->Start();
  const auto unblock = [&] { thaws ? thaw() : void(); };
  const absl::StatusOr<RunOutcome> outcome = (*run)->Wait({.hang_s = 0.5, .kill_s = 1, .unblock = unblock});
  const bool there = kill(pid, 0) == 0;
  if (!thaws) {
    thaw();
    waitpid(pid, nullptr, 0);
  }
  if (!outcome.ok()) return std::string(outcome.status().message());
  if (outcome->left_behind == thaws) return "left_behind: " + outcome->hang;
  if (there == thaws) return "there: " + outcome->hang;
  const char* const said = thaws ? "they ended when the file system was thawed" : "only a reboot ends them";
  return outcome->hang.find(said) != std::string::npos ? "" : outcome->hang;
}

TEST(UnkillableProcessTest, IsReportedAndLeftUnlessTheThawEndsIt) {
  if (const absl::Status possible = CheckScratchFileSystem("ext4"); !possible.ok()) {
    std::cout << "ORDEAL_SKIPPED: " << possible.message() << std::endl;
    GTEST_SKIP();
  }
  for (const bool thaws : {false, true}) {
    int answer[2];
    ASSERT_EQ(pipe2(answer, O_CLOEXEC), 0);
    const pid_t child = fork();
    if (child == 0) {
      const std::string said = "done:" + WaitForAWriterOfAFrozenFileSystem(thaws);
      _exit(write(answer[1], said.data(), said.size()) == static_cast<ssize_t>(said.size()) ? 0 : 1);
    }
    close(answer[1]);
    std::string said(4096, '\0');
    said.resize(static_cast<size_t>(std::max<ssize_t>(read(answer[0], said.data(), said.size()), 0)));
    close(answer[0]);
    waitpid(child, nullptr, 0);
    EXPECT_EQ(said, "done:") << "thaws: " << thaws;
  }
}

TEST(KernelFindingTest, GoesThroughAPipe) {
  const KernelFinding finding{.kind = "data", .signature = "a: b", .summary = "s\n", .details = "", .workload = "w",
                              .history = "h", .seed = 7, .count = 2};
  std::vector<KernelFinding> findings = {finding};
  AddFinding(finding, &findings);
  ASSERT_THAT(findings, SizeIs(1));
  const std::string text = FormatFindings(findings) + "rest";
  absl::string_view view = text;
  const absl::StatusOr<std::vector<KernelFinding>> parsed = ParseFindings(&view);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(view, "rest");
  ASSERT_THAT(*parsed, SizeIs(1));
  EXPECT_EQ((*parsed)[0].summary, "s\n");
  EXPECT_EQ((*parsed)[0].count, 4u);
  for (size_t length = 0; length + 5 < text.size(); ++length) {
    view = absl::string_view(text).substr(0, length);
    EXPECT_FALSE(ParseFindings(&view).ok()) << length;
  }
}

}  // namespace
}  // namespace ordeal::bpf
