// The real thing: needs root, BTF, loop devices and mkfs.xfs; says ORDEAL_SKIPPED with the reason where it cannot run.
#include "bpf/kernel_run.h"

#include "bpf/class_map.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <set>
#include <sstream>

#include "bpf/kernel_symbols.h"
#include "bpf/order_comparer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ordeal::bpf {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Kind = FileOperationKind;

std::string Contents(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// What a run could leave behind.
struct Machine {
  std::string mounts;
  std::set<std::string> loops;  // attached
  std::set<std::string> temporary_files;
  std::set<std::string> memory_groups;

  static Machine Now() {
    Machine machine;
    machine.mounts = Contents("/proc/self/mounts");
    for (const auto& entry : std::filesystem::directory_iterator("/sys/block")) {
      if (std::filesystem::exists(entry.path() / "loop/backing_file")) {
        machine.loops.insert(entry.path().filename().string() + " " + Contents(entry.path() / "loop/backing_file"));
      }
    }
    for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::temp_directory_path())) {
      if (entry.path().filename().string().rfind("ordeal.", 0) == 0) machine.temporary_files.insert(entry.path());
    }
    for (const char* hierarchy : {"/sys/fs/cgroup", "/sys/fs/cgroup/memory"}) {
      std::error_code none;
      for (const auto& entry : std::filesystem::directory_iterator(hierarchy, none)) {
        if (entry.path().filename().string().rfind("ordeal-", 0) == 0) machine.memory_groups.insert(entry.path());
      }
    }
    return machine;
  }
  friend bool operator==(const Machine&, const Machine&) = default;
};

// After a kill the kernel cleans up on its own time.
bool BecomesLike(const Machine& before) {
  for (int tries = 0; tries < 1000; ++tries) {
    if (Machine::Now() == before) return true;
    usleep(10000);
  }
  return false;
}

std::vector<FileOperation> Repeat(std::vector<FileOperation> operations, int times) {
  std::vector<FileOperation> result;
  for (int i = 0; i < times; ++i) result.insert(result.end(), operations.begin(), operations.end());
  return result;
}

// One operation for each edge: see KernelRunTest.ShowsTheOrdersOfXfs.
absl::StatusOr<Workload> EachOrder(uint64_t) {
  const std::vector<FileOperation> files = {
      {.kind = Kind::kWrite, .file = 0, .offset_cells = 0, .length_cells = 32},
      {.kind = Kind::kPunchHole, .file = 0, .offset_cells = 8, .length_cells = 16},
      // The buffer's pages have just been punched out: the kernel faults them in for writing, mmap_lock held.
      {.kind = Kind::kPunchHole, .file = 1, .offset_cells = 0, .length_cells = 16},
      {.kind = Kind::kDirectRead, .file = 0, .offset_cells = 0, .length_cells = 16, .buffer_file = 1},
      {.kind = Kind::kStore, .file = 1, .offset_cells = 0, .length_cells = 16},
      {.kind = Kind::kFsync, .file = 1},
      {.kind = Kind::kDedupe, .file = 0, .offset_cells = 0, .length_cells = 4, .other_file = 1},
      {.kind = Kind::kMapUnmap}};
  const std::vector<FileOperation> links = Repeat({{.kind = Kind::kLink, .file = 2}}, 20);
  return Workload{.files = {{"a", 32}, {"b", 32}, {"c", 4}},
                  .tasks = {links, Repeat(files, 40), Repeat(files, 40)},
                  .processes = {0, 0, 1}};
}

// Runs until it is stopped.
absl::StatusOr<Workload> Endless(uint64_t) {
  return Workload{.files = {{"a", 32}},
                  .tasks = {Repeat({{.kind = Kind::kFsync, .file = 0}}, 100000)},
                  .processes = {0}};
}

class KernelRunTest : public ::testing::Test {
 protected:
  void SetUp() override {
    options_.workload = EachOrder;
    options_.time_s = 60;
    options_.operations_max = 3000;
    const absl::Status possible = CheckKernelRun(options_);
    if (possible.ok()) return;
    std::cout << "ORDEAL_SKIPPED: " << possible.message() << std::endl;
    GTEST_SKIP();
  }

  static bool HasEdge(const lockdep::OrderGraph& graph, const std::string& from, const std::string& to) {
    return std::any_of(graph.edges.begin(), graph.edges.end(), [&](const lockdep::OrderGraph::Edge& edge) {
      return edge.from.Name() == from && edge.to.Name() == to;
    });
  }

  KernelRunOptions options_;
};

TEST_F(KernelRunTest, ShowsTheOrdersOfXfs) {
  const Machine before = Machine::Now();
  const absl::StatusOr<KernelRunResult> result = RunOnKernel(options_);
  if (!result.ok() && absl::IsUnavailable(result.status())) {
    std::cout << "ORDEAL_SKIPPED: " << result.status().message() << std::endl;
    GTEST_SKIP();
  }
  ASSERT_TRUE(result.ok()) << result.status();
  const lockdep::OrderGraph& graph = result->graph;
  std::cout << graph.ToString();
  EXPECT_GE(result->operations, options_.operations_max);
  EXPECT_TRUE(HasEdge(graph, "xfs_iolock", "mmap_lock"));
  EXPECT_TRUE(HasEdge(graph, "mmap_lock", "xfs_mmaplock"));
  EXPECT_TRUE(HasEdge(graph, "xfs_mmaplock", "xfs_ilock"));
  EXPECT_TRUE(HasEdge(graph, "xfs_iolock", "xfs_mmaplock"));
  EXPECT_TRUE(HasEdge(graph, "xfs_dir_ilock", "xfs_ilock/1") || HasEdge(graph, "xfs_ilock", "xfs_dir_ilock/1"))
      << "two inodes locked in the order of their numbers";
  EXPECT_FALSE(HasEdge(graph, "mmap_lock", "xfs_iolock"));
  EXPECT_EQ(LostEvents(graph.counters), 0u);
  const Comparison with_itself = CompareOrderGraphs(graph, graph, BuiltInClassMap("xfs").value());
  EXPECT_THAT(with_itself.cycles, IsEmpty()) << FormatComparison(with_itself);
  EXPECT_EQ(Machine::Now(), before);
}

TEST_F(KernelRunTest, WithoutRecordingThereIsNoGraph) {
  options_.record = false;
  options_.operations_max = 1;
  const absl::StatusOr<KernelRunResult> result = RunOnKernel(options_);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_THAT(result->graph.edges, IsEmpty());
}

TEST_F(KernelRunTest, RunsOnEveryFileSystemThatIsHere) {
  for (const char* file_system : {"xfs", "ext4", "btrfs"}) {
    const Machine before = Machine::Now();
    options_.file_system = file_system;
    options_.record = false;
    options_.operations_max = 1;
    if (const absl::Status possible = CheckKernelRun(options_); !possible.ok()) {
      std::cout << "ORDEAL_SKIPPED: " << possible.message() << std::endl;
      continue;
    }
    const absl::StatusOr<KernelRunResult> result = RunOnKernel(options_);
    ASSERT_TRUE(result.ok()) << file_system << ": " << result.status();
    EXPECT_EQ(result->file_system, file_system);
    EXPECT_GE(result->operations, 1u);
    EXPECT_EQ(Machine::Now(), before);
  }
}

TEST_F(KernelRunTest, RunsInADirectoryAndLeavesNothingInIt) {
  std::string parent = (std::filesystem::temp_directory_path() / "kernel_run_test.XXXXXX").string();
  ASSERT_NE(mkdtemp(parent.data()), nullptr);
  options_.directory = parent;
  options_.record = false;
  options_.operations_max = 1;
  const absl::StatusOr<KernelRunResult> result = RunOnKernel(options_);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_GE(result->operations, 1u);
  EXPECT_TRUE(std::filesystem::is_empty(parent));
  std::filesystem::remove_all(parent);
}

TEST_F(KernelRunTest, AFailingWorkloadLeavesNothing) {
  const Machine before = Machine::Now();
  options_.workload = [](uint64_t) { return absl::InvalidArgumentError("no such workload"); };
  EXPECT_EQ(RunOnKernel(options_).status().message(), "no such workload");
  EXPECT_EQ(Machine::Now(), before);
}

TEST_F(KernelRunTest, AnImageThatCannotBeMadeLeavesNothing) {
  const Machine before = Machine::Now();
  options_.image_directory = "/proc";
  EXPECT_THAT(std::string(RunOnKernel(options_).status().message()), HasSubstr("cannot make an image in /proc"));
  EXPECT_EQ(Machine::Now(), before);
}

// Starts an endless run in a process group of its own, waits until its loop device is there, and sends a signal.
class KernelRunSignalTest : public KernelRunTest {
 protected:
  // To the caller alone, or to all of the group (as a terminal does). Returns the caller's wait status.
  int Signal(int number, bool whole_group) {
    const Machine before = Machine::Now();
    const auto started = [&] {
      return options_.directory.empty() ? Machine::Now().loops != before.loops : !std::filesystem::is_empty(options_.directory);
    };
    const pid_t caller = fork();
    if (caller == 0) {
      setpgid(0, 0);
      options_.workload = Endless;
      options_.operations_max = 0;
      const absl::Status status = RunOnKernel(options_).status();
      _exit(absl::IsCancelled(status) ? 42 : 1);
    }
    setpgid(caller, caller);
    for (int tries = 0; tries < 1000 && !started(); ++tries) usleep(10000);
    EXPECT_TRUE(started()) << "it never started";
    usleep(500000);  // most likely into the workload; any other place must do as well
    kill(whole_group ? -caller : caller, number);
    int status = 0;
    waitpid(caller, &status, 0);
    return status;
  }
};

TEST_F(KernelRunSignalTest, InterruptLeavesNothing) {
  const Machine before = Machine::Now();
  const int status = Signal(SIGINT, /*whole_group=*/true);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 42);
  EXPECT_EQ(Machine::Now(), before);  // at once: the run waited for it
}

TEST_F(KernelRunSignalTest, TerminationOfTheCallerAloneLeavesNothing) {
  const Machine before = Machine::Now();
  const int status = Signal(SIGTERM, /*whole_group=*/false);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 42);
  EXPECT_EQ(Machine::Now(), before);
}

TEST_F(KernelRunSignalTest, KillingTheCallerLeavesNothing) {
  const Machine before = Machine::Now();
  EXPECT_TRUE(WIFSIGNALED(Signal(SIGKILL, /*whole_group=*/false)));
  EXPECT_TRUE(BecomesLike(before));
}

TEST_F(KernelRunSignalTest, KillingEveryProcessLeavesNothing) {
  const Machine before = Machine::Now();
  EXPECT_TRUE(WIFSIGNALED(Signal(SIGKILL, /*whole_group=*/true)));
  EXPECT_TRUE(BecomesLike(before));
}

TEST_F(KernelRunSignalTest, NeitherInterruptNorKillLeaveAnythingInADirectory) {
  const Machine before = Machine::Now();
  std::string parent = (std::filesystem::temp_directory_path() / "kernel_run_test.XXXXXX").string();
  ASSERT_NE(mkdtemp(parent.data()), nullptr);
  options_.directory = parent;
  options_.record = false;
  EXPECT_TRUE(WIFEXITED(Signal(SIGINT, /*whole_group=*/true)));
  EXPECT_TRUE(std::filesystem::is_empty(parent)) << "at once";
  EXPECT_TRUE(WIFSIGNALED(Signal(SIGKILL, /*whole_group=*/true)));
  for (int tries = 0; tries < 1000 && !std::filesystem::is_empty(parent); ++tries) usleep(10000);
  EXPECT_TRUE(std::filesystem::is_empty(parent));
  EXPECT_TRUE(BecomesLike(before));
  std::filesystem::remove_all(parent);
}

TEST(KernelRunRefusalTest, RefusesAnUnknownFileSystem) {
  KernelRunOptions options;
  options.file_system = "fat";
  EXPECT_EQ(CheckKernelRun(options).code(), absl::StatusCode::kInvalidArgument);
}

TEST(KernelRunRefusalTest, RefusesADirectoryThatDoesNotExist) {
  KernelRunOptions options;
  options.directory = "/no/such/directory";
  EXPECT_EQ(CheckKernelRun(options).code(), absl::StatusCode::kInvalidArgument);
}

TEST(KernelSymbolsTest, NamesTheFunctionThatHoldsAnAddress) {
  std::istringstream list("ffffffff81000010 T first\nffffffff81000020 t second.isra.0\nffffffff81000028 d data\n");
  const KernelSymbols symbols = KernelSymbols::Parse(list);
  EXPECT_EQ(symbols.Name(0xffffffff81000010), "first");
  EXPECT_EQ(symbols.Name(0xffffffff8100001f), "first");
  EXPECT_EQ(symbols.Name(0xffffffff8100002f), "second");
  EXPECT_EQ(symbols.Name(0xffffffff81000000), "");
  EXPECT_EQ(symbols.Name(0), "");
}

TEST(KernelSymbolsTest, AKernelThatHidesItsAddressesHasNoNames) {
  std::istringstream list("0000000000000000 T first\n0000000000000000 t second\n");
  EXPECT_EQ(KernelSymbols::Parse(list).Name(0xffffffff81000010), "");
}

}  // namespace
}  // namespace ordeal::bpf
