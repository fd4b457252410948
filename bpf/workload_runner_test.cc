// The part of the runner that needs no privilege: real system calls in a directory of whatever file system is there.
#include "bpf/workload_runner.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <map>

#include "bpf/operation_executor.h"
#include "bpf/process_files.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lockdep/support/status_macros.h"

namespace ordeal::bpf {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Kind = FileOperationKind;

class WorkloadRunnerTest : public ::testing::Test {
 protected:
  WorkloadRunnerTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "workload_runner_test.XXXXXX").string();
    directory_ = mkdtemp(pattern.data());
    directory_fd_ = open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    statistics_ = *RunStatistics::Make();
  }
  ~WorkloadRunnerTest() override {
    close(directory_fd_);
    std::filesystem::remove_all(directory_);
  }

  absl::Status Run(const Workload& workload, const std::function<bool()>& stop = [] { return false; }) {
    RETURN_IF_ERROR(ValidateWorkload(workload));
    ASSIGN_OR_RETURN(log_, OperationLog::Make(workload));
    const RunEnvironment environment{.directory_fd = directory_fd_, .log = log_.get(), .statistics = statistics_.get()};
    RETURN_IF_ERROR(PrepareFiles(workload, directory_fd_, StampCode(environment.salt)));
    ASSIGN_OR_RETURN(const std::unique_ptr<WorkloadProcesses> run, WorkloadProcesses::Fork(workload, environment));
    pids_ = run->pids();
    run->Start();
    return run->Wait({.stop = stop}).status();
  }
  std::map<Kind, OperationCount> Counts() const {
    std::map<Kind, OperationCount> counts;
    for (const OperationCount& count : statistics_->Counts()) counts[count.kind] = count;
    return counts;
  }

  std::filesystem::path directory_;
  int directory_fd_ = -1;
  std::unique_ptr<RunStatistics> statistics_;
  std::unique_ptr<OperationLog> log_;
  std::vector<pid_t> pids_;
};

Workload TwoFiles(std::vector<std::vector<FileOperation>> tasks, std::vector<uint32_t> processes) {
  return {.files = {{"a", 16}, {"b", 16}}, .tasks = std::move(tasks), .processes = std::move(processes)};
}

TEST_F(WorkloadRunnerTest, ExecutesEveryKindOfOperationInSeveralProcesses) {
  std::vector<FileOperation> all;
  for (const Kind kind : AllFileOperationKinds()) {
    all.push_back({.kind = kind, .file = 0, .offset_cells = 4, .length_cells = 4, .other_file = 1});
    if (kind == Kind::kReplace) all.back().file = 2;
    if (!HasRange(kind) && kind != Kind::kTruncate) all.back().offset_cells = all.back().length_cells = 0;
    if (kind == Kind::kTruncate) all.back().length_cells = 0;
  }
  Workload workload = TwoFiles({all, all, all}, {0, 1, 1});
  workload.files.push_back({"c", 16, false});
  const absl::Status status = Run(workload);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_THAT(pids_, SizeIs(2));
  EXPECT_EQ(statistics_->operations(), 3 * all.size());
  for (const Kind kind : {Kind::kRead, Kind::kWrite, Kind::kMapUnmap, Kind::kLink, Kind::kTruncate}) {
    EXPECT_EQ(Counts()[kind].operations, 3u);
    EXPECT_THAT(Counts()[kind].errors, IsEmpty());
  }
  // The kernel tells fsync of a direct write whose range another process had dirtied through a mapping meanwhile.
  EXPECT_EQ(Counts()[Kind::kFsync].operations, 3u);
  const OperationCount fsync = Counts()[Kind::kFsync];
  for (const OperationCount::Error& error : fsync.errors) EXPECT_EQ(error.name, "EIO");
}

TEST_F(WorkloadRunnerTest, WritesWhatItSays) {
  const Workload workload = TwoFiles({{{.kind = Kind::kWrite, .file = 0, .offset_cells = 16, .length_cells = 4}}}, {0});
  ASSERT_TRUE(Run(workload).ok());
  EXPECT_EQ(std::filesystem::file_size(directory_ / "a"), 20u * kCellBytes);
  EXPECT_EQ(std::filesystem::file_size(directory_ / "b"), 16u * kCellBytes);
  EXPECT_TRUE(RemoveFiles(workload, directory_fd_).ok());
  EXPECT_TRUE(std::filesystem::is_empty(directory_));
}

// A mapping beyond the end of its file: an EFAULT for a system call, a SIGBUS for a store; neither ends the run.
TEST_F(WorkloadRunnerTest, CountsFailuresByErrnoAndGoesOn) {
  const Workload workload =
      TwoFiles({{{.kind = Kind::kTruncate, .file = 0, .offset_cells = 0},
                 {.kind = Kind::kStore, .file = 0, .offset_cells = 8, .length_cells = 4},
                 {.kind = Kind::kLoad, .file = 0, .offset_cells = 8, .length_cells = 4},
                 {.kind = Kind::kRead, .file = 1, .offset_cells = 0, .length_cells = 4, .buffer_file = 0},
                 {.kind = Kind::kRead, .file = 1, .offset_cells = 0, .length_cells = 4}}},
               {0});
  ASSERT_TRUE(Run(workload).ok());
  ASSERT_THAT(Counts()[Kind::kStore].errors, SizeIs(1));
  EXPECT_EQ(Counts()[Kind::kStore].errors[0].name, "SIGBUS");
  ASSERT_THAT(Counts()[Kind::kLoad].errors, SizeIs(1));
  EXPECT_EQ(Counts()[Kind::kRead].operations, 2u);
  ASSERT_THAT(Counts()[Kind::kRead].errors, SizeIs(1));
  EXPECT_EQ(Counts()[Kind::kRead].errors[0].name, "EFAULT");
}

TEST_F(WorkloadRunnerTest, StopsEarlyWhenAsked) {
  std::vector<FileOperation> many(1000000, {.kind = Kind::kFsync, .file = 0});
  ASSERT_TRUE(Run(TwoFiles({many}, {0}), [] { return true; }).ok());
  EXPECT_LT(statistics_->operations(), many.size());
  EXPECT_NE(kill(pids_[0], 0), 0);
}

TEST_F(WorkloadRunnerTest, ReportsAProcessThatDies) {
  std::vector<FileOperation> many(1000000, {.kind = Kind::kFsync, .file = 0});
  const absl::Status status = Run(TwoFiles({many}, {0}), [this] {
    kill(pids_[0], SIGKILL);
    return false;
  });
  EXPECT_THAT(std::string(status.message()), HasSubstr("signal 9 (KILL)"));
}

TEST_F(WorkloadRunnerTest, RefusesAWorkloadThatNamesNoFile) {
  const Workload workload = TwoFiles({{{.kind = Kind::kFsync, .file = 7}}}, {0});
  EXPECT_EQ(Run(workload).code(), absl::StatusCode::kInvalidArgument);
}

TEST(ErrorNameTest, NamesErrnosAndTheRest) {
  EXPECT_EQ(ErrorName(EFAULT), "EFAULT");
  EXPECT_EQ(ErrorName(kBusError), "SIGBUS");
  EXPECT_EQ(ErrorName(9999), "errno 9999");
}

}  // namespace
}  // namespace ordeal::bpf
