// Runs every script of bpf/bpftrace for real, each around a small workload on a scratch XFS, and looks at what it prints. Needs
// root, bpftrace, loop devices and mkfs.xfs; says ORDEAL_SKIPPED with the reason where it cannot run.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <set>
#include <sstream>
#include <thread>
#include <vector>

#include "bpf/scratch_file_system.h"
#include "gtest/gtest.h"

namespace ordeal::bpf {
namespace {

using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kScripts[] = ORDEAL_SOURCE_DIR "/bpf/bpftrace";
constexpr char kEvents[] = "/sys/kernel/tracing/events";

// Writers of one file wait for each other; ranges are zeroed (the edges' pages are added, then blocks allocated), holes are
// punched, the file is read and compared, and read by direct I/O.
constexpr char kWork[] =
    "#!/bin/sh\n"
    "cd $(dirname $0)\n"
    "exec >/dev/null 2>&1\n"
    "dd if=/dev/zero of=f bs=64k count=16; cp f g\n"
    "for task in 1 2 3; do (for i in 1 2 3; do dd if=/dev/zero of=f bs=4k count=256 conv=notrunc; "
    "fallocate -z -o 100 -l 500000 f; "
    "fallocate -p -o 4096 -l 500000 f; cat f; cmp f g; dd if=f of=/dev/null bs=64k iflag=direct; done) & done\n"
    "wait\n";

std::string FindBpftrace() {
  for (const char* path : {"/usr/bin/bpftrace", "/usr/local/bin/bpftrace", "/usr/sbin/bpftrace"}) {
    if (access(path, X_OK) == 0) return path;
  }
  return "";
}

absl::Status CheckBpftrace() {
  if (absl::Status status = CheckScratchFileSystem("xfs"); !status.ok()) return status;
  if (FindBpftrace().empty()) return absl::UnavailableError("bpftrace is not installed; apt-get install bpftrace");
  return absl::OkStatus();
}

// In the child, whose mounts are its own.
std::string MountTracefs() {
  if (access(kEvents, R_OK) == 0) return "";
  if (mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, nullptr) == 0) return "";
  return std::string("cannot mount tracefs: ") + strerror(errno);
}

std::string Contents(int fd) {
  std::string text;
  char buffer[4096];
  lseek(fd, 0, SEEK_SET);
  for (ssize_t n; (n = read(fd, buffer, sizeof(buffer))) > 0;) text.append(buffer, static_cast<size_t>(n));
  return text;
}

// Runs a script around the work, its output to `fd`. Its exit status. bpftrace starts binaries alone.
int RunScript(const std::string& script, const std::string& work, int fd) {
  const pid_t pid = fork();
  if (pid == 0) {
    const int null = open("/dev/null", O_RDWR);
    dup2(null, STDIN_FILENO);
    dup2(fd, STDOUT_FILENO);
    dup2(fd, STDERR_FILENO);
    const std::string bpftrace = FindBpftrace();
    execl(bpftrace.c_str(), "bpftrace", "-c", work.c_str(), script.c_str(), nullptr);
    _exit(127);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

// The whole happens in a child: its mounts go with it.
std::string RunInChild(const std::string& script, int output_fd, int* status) {
  int answer[2];
  if (pipe2(answer, O_CLOEXEC) != 0) return "pipe";
  const pid_t child = fork();
  if (child == 0) {
    std::string said;
    auto scratch = ScratchFileSystem::Make({});
    if (!scratch.ok()) {
      said = std::string(scratch.status().message());
    } else if (said = MountTracefs(); said.empty()) {
      const std::string directory = "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string((*scratch)->directory_fd());
      const int fd = openat((*scratch)->directory_fd(), "work", O_WRONLY | O_CREAT | O_CLOEXEC, 0700);
      static_cast<void>(!write(fd, kWork, sizeof(kWork) - 1));
      close(fd);
      said = "status " + std::to_string(RunScript(script, "/bin/sh " + directory + "/work", output_fd));
      if (const absl::Status removed = (*scratch)->Remove(); !removed.ok()) said = std::string(removed.message());
    }
    static_cast<void>(!write(answer[1], said.data(), said.size()));
    _exit(0);
  }
  close(answer[1]);
  const int said_fd = answer[0];
  std::string said;
  char buffer[512];
  for (ssize_t n; (n = read(said_fd, buffer, sizeof(buffer))) > 0;) said.append(buffer, static_cast<size_t>(n));
  close(said_fd);
  waitpid(child, nullptr, 0);
  return sscanf(said.c_str(), "status %d", status) == 1 ? "" : said;
}

std::set<std::string> Scripts() {
  std::set<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator(kScripts)) {
    if (entry.path().extension() == ".bt") found.insert(entry.path().filename());
  }
  return found;
}

struct ScriptResult {
  std::string failure;
  int status = -1;
  std::string output;
};

std::string PathOf(const std::string& name) { return std::string(kScripts) + "/" + name; }

std::string Text(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

constexpr char kPages[] = "pages_under_invalidate_lock.bt";
constexpr char kPagesOfTheHolder[] = "the same, blind to who adds";

// The pages script, but for what clears the holder and writers: the pages that a holder adds itself are now a stranger's, under
// the lock for certain. Empty: the script no longer has those lines.
std::string PagesScriptThatMustFind() {
  std::string text = Text(PathOf(kPages));
  for (const char* clears : {"@holder[args->s_dev, args->i_ino] == tid)", "@writer[tid, args->s_dev] == args->i_ino)"}) {
    const size_t at = text.find(clears);
    if (at == std::string::npos) return "";
    text.replace(at, std::string(clears).size(), "0)");
  }
  return text;
}

ScriptResult RunOnScratchXfs(const std::string& path) {
  ScriptResult result;
  const int fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  result.failure = RunInChild(path, fd, &result.status);
  result.output = Contents(fd);
  close(fd);
  return result;
}

// All scripts at once, each with a file system of its own: attaching and detaching is mostly waiting.
class BpftraceTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!CheckBpftrace().ok()) return;
    std::map<std::string, ScriptResult>& results = Results();
    std::map<std::string, std::string> paths;
    for (const std::string& name : Scripts()) paths[name] = PathOf(name);
    const std::string planted = ::testing::TempDir() + "/bpftrace_test." + std::to_string(getpid()) + ".bt";
    std::ofstream(planted) << PagesScriptThatMustFind();
    paths[kPagesOfTheHolder] = planted;
    std::vector<std::thread> threads;
    for (const auto& [name, path] : paths) {
      threads.emplace_back([result = &results[name], path = path] { *result = RunOnScratchXfs(path); });
    }
    for (std::thread& thread : threads) thread.join();
    unlink(planted.c_str());
  }

  void SetUp() override {
    const absl::Status possible = CheckBpftrace();
    if (possible.ok()) return;
    std::cout << "ORDEAL_SKIPPED: " << possible.message() << std::endl;
    GTEST_SKIP();
  }

  static std::string Run(const std::string& name) {
    const ScriptResult& result = Results()[name];
    EXPECT_EQ(result.failure, "") << name;
    EXPECT_EQ(result.status, 0) << name << "\n" << result.output;
    std::cout << "--- " << name << "\n" << result.output;
    return result.output;
  }

 private:
  static std::map<std::string, ScriptResult>& Results() {
    static auto* const results = new std::map<std::string, ScriptResult>();
    return *results;
  }
};

TEST_F(BpftraceTest, XfsLockOrders) {
  // An exclusive IOLOCK, then an exclusive ILOCK; with MMAPLOCK before it when a hole is punched.
  EXPECT_THAT(Run("xfs_lock_orders.bt"),
              AllOf(ContainsRegex("@orders\\[1, 4\\]: [1-9]"), ContainsRegex("@orders\\[17, 4\\]: [1-9]")));
}

TEST_F(BpftraceTest, XfsLongestHolds) {
  EXPECT_THAT(Run("xfs_longest_holds.bt"),
              AllOf(HasSubstr("@held_us[IOLOCK]"), HasSubstr("@held_us[ILOCK]"), HasSubstr("@held_us[MMAPLOCK]"),
                    ContainsRegex("@longest_us\\[1, xfs_[a-z_]+\\]: ")));
}

TEST_F(BpftraceTest, LockContention) {
  EXPECT_THAT(Run("lock_contention.bt"), ContainsRegex("@xfs_us\\[1\\]"));
}

TEST_F(BpftraceTest, PagesUnderInvalidateLock) {
  EXPECT_THAT(Run(kPages),
              AllOf(ContainsRegex("@exclusive_holds: [1-9]"), Not(ContainsRegex("@violations: [1-9]")), Not(HasSubstr("page "))));
}

TEST_F(BpftraceTest, PagesUnderInvalidateLockAreFound) {
  EXPECT_THAT(Run(kPagesOfTheHolder),
              AllOf(ContainsRegex("@violations: [1-9]"), ContainsRegex("page [0-9]+ of inode [0-9]+, added")));
}

TEST_F(BpftraceTest, XfsLockCallers) {
  EXPECT_THAT(Run("xfs_lock_callers.bt"), ContainsRegex("@blocking\\[1, xfs_[a-z_]+\\]: "));
}

TEST_F(BpftraceTest, MmapLockHoldTimes) { EXPECT_THAT(Run("mmap_lock_hold_times.bt"), HasSubstr("@held_us[1]")); }

TEST_F(BpftraceTest, MmapLockUnderXfs) {
  // Which stacks there are depends on page faults inside copies; that it runs and ends is what is looked at.
  EXPECT_THAT(Run("mmap_lock_under_xfs.bt"), HasSubstr("Attaching"));
}

// A script without a test would be one that nobody runs.
TEST(BpftraceScriptsTest, EveryScriptHasATestAndAHeader) {
  const std::set<std::string> tested = {"lock_contention.bt",    "mmap_lock_hold_times.bt", "mmap_lock_under_xfs.bt",
                                        "pages_under_invalidate_lock.bt", "xfs_lock_callers.bt",
                                        "xfs_lock_orders.bt",    "xfs_longest_holds.bt"};
  EXPECT_EQ(Scripts(), tested);
  for (const std::string& name : tested) {
    for (const char* part : {"// Needs:", "// Usage:", "// Example"}) EXPECT_THAT(Text(PathOf(name)), HasSubstr(part)) << name;
  }
}

}  // namespace
}  // namespace ordeal::bpf
