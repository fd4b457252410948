// The real thing: records live commands on a scratch XFS. Needs root, BTF, loop devices and mkfs.xfs; says ORDEAL_SKIPPED with
// the reason where it cannot run.
#include "bpf/recorder.h"

#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <iostream>
#include <set>
#include <sstream>

#include "bpf/kernel_types.h"
#include "bpf/lock_order_probe.h"
#include "bpf/scratch_file_system.h"
#include "gtest/gtest.h"

namespace ordeal::bpf {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using nlohmann::json;

class RecorderTest : public ::testing::Test {
 protected:
  static absl::Status Possible() {
    if (absl::Status status = CheckScratchFileSystem("xfs"); !status.ok()) return status;
    const absl::Status status = LockOrderProbe::Load({}).status();
    return absl::IsUnavailable(status) ? status : absl::OkStatus();
  }
  void SetUp() override {
    static const absl::Status* const status = new absl::Status(Possible());
    const absl::Status& possible = *status;
    if (possible.ok()) return;
    std::cout << "ORDEAL_SKIPPED: " << possible.message() << std::endl;
    GTEST_SKIP();
  }

  // Runs `body` in a child with an XFS of its own (a path to which it is given), and returns what it says.
  static json OnScratchXfs(const std::function<json(const std::string& directory)>& body) {
    int answer[2];
    EXPECT_EQ(pipe(answer), 0);
    const pid_t child = fork();
    if (child == 0) {
      close(answer[0]);
      json said;
      {
        auto scratch = ScratchFileSystem::Make({});
        if (scratch.ok()) {
          said = body("/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string((*scratch)->directory_fd()));
          const absl::Status removed = (*scratch)->Remove();
          if (!removed.ok()) said["not removed"] = std::string(removed.message());
        } else {
          said["cannot"] = std::string(scratch.status().message());
        }
      }
      const std::string text = said.dump();
      static_cast<void>(!write(answer[1], text.data(), text.size()));
      _exit(0);
    }
    close(answer[1]);
    std::string text;
    char buffer[4096];
    for (ssize_t n; (n = read(answer[0], buffer, sizeof(buffer))) > 0;) text.append(buffer, static_cast<size_t>(n));
    close(answer[0]);
    EXPECT_EQ(waitpid(child, nullptr, 0), child);
    const json said = json::parse(text, nullptr, false);
    EXPECT_TRUE(said.is_object()) << text;
    EXPECT_FALSE(said.contains("cannot")) << text;
    EXPECT_FALSE(said.contains("not removed")) << text;
    return said;
  }

  static json Say(const absl::StatusOr<RecordResult>& result) {
    if (!result.ok()) return {{"error", std::string(result.status().message())}};
    json said = RecordingToJson(result->recording);
    said["status"] = result->command_status;
    said["stopped"] = result->command_stopped;
    return said;
  }

  static std::set<std::string> Edges(const json& said) {
    std::set<std::string> edges;
    for (const json& edge : said["graph"]["edges"]) {
      edges.insert(edge["from"].get<std::string>() + " -> " + edge["to"].get<std::string>());
    }
    return edges;
  }
};

TEST_F(RecorderTest, RecordsACommandAndWhatItForks) {
  const json said = OnScratchXfs([](const std::string& directory) {
    // Its shell's children do the work; the directory is of this process, so they enter it first.
    const std::string work =
        "cd " + directory + " || exit 9; for i in 1 2 3; do (dd if=/dev/zero of=f bs=64k count=4; "
        "fallocate -p -o 0 -l 65536 f; cat f) >/dev/null 2>&1; done; exit 7";
    return Say(Record({.command = {"sh", "-c", work}}));
  });
  ASSERT_FALSE(said.contains("error")) << said;
  EXPECT_EQ(said["status"], 7);
  EXPECT_EQ(said["stopped"], false);
  EXPECT_EQ(said["lost"], 0) << said["graph"]["counters"];
  EXPECT_THAT(Edges(said), Contains("xfs_iolock (exclusive) -> xfs_ilock (exclusive)"));
  EXPECT_THAT(Edges(said), Contains("xfs_iolock (exclusive) -> xfs_mmaplock (exclusive)"));
  EXPECT_EQ(said["page_findings"], 0);
  EXPECT_GE(said["graph"]["counters"]["exclusive invalidate locks followed"], 3);
  EXPECT_EQ(said["graph"]["counters"]["locks held at the end of a task"], 0);
  int with_stacks = 0;
  for (const json& edge : said["graph"]["edges"]) with_stacks += edge.contains("from_stack") && edge.contains("to_stack");
  EXPECT_GT(with_stacks, 0) << said["graph"]["edges"];
}

TEST_F(RecorderTest, AFileSystemIsRecordedWhoeverUsesIt) {
  const json said = OnScratchXfs([](const std::string& directory) {
    const pid_t other = fork();
    if (other == 0) {
      for (;;) {
        std::FILE* file = std::fopen((directory + "/f").c_str(), "w");
        if (file == nullptr) _exit(1);
        std::fputs("x", file);
        std::fclose(file);
      }
    }
    json result = Say(Record({.file_system = directory, .time_s = 0.3}));
    kill(other, SIGKILL);
    waitpid(other, nullptr, 0);
    return result;
  });
  ASSERT_FALSE(said.contains("error")) << said;
  EXPECT_THAT(said["graph"]["source"].get<std::string>(), HasSubstr(" xfs"));
  EXPECT_THAT(Edges(said), Contains("xfs_iolock (exclusive) -> xfs_ilock (exclusive)"));
  EXPECT_EQ(said["lost"], 0);
}

// Punching, truncating, reading, mapping and writing at once: a sound kernel adds no page that it should not.
TEST_F(RecorderTest, ASoundKernelAddsNoPageUnderAnExclusiveInvalidateLock) {
  const json said = OnScratchXfs([](const std::string& directory) {
    const std::string work =
        "cd " + directory + "; dd if=/dev/zero of=f bs=64k count=16 2>/dev/null; "
        "run() { for i in $(seq 60); do \"$@\" >/dev/null 2>&1; done; }; "
        "run fallocate -p -o 4096 -l 900000 f & run cat f & run dd if=/dev/zero of=f bs=64k count=16 conv=notrunc & "
        "run truncate -s 500000 f & run truncate -s 1048576 f & wait";
    return Say(Record({.file_system = directory, .command = {"sh", "-c", work}}));
  });
  ASSERT_FALSE(said.contains("error")) << said;
  EXPECT_EQ(said["page_findings"], 0) << said["pages"];
  EXPECT_EQ(said["lost"], 0) << said["graph"]["counters"];
  EXPECT_GT(said["graph"]["counters"]["exclusive invalidate locks followed"], 10);
  EXPECT_FALSE(said["waits"].empty());
}

// Records `options` while a shell, whose process is put into them if `by_process`, starts one `dd` and one `cp` after the other.
json RecordBeside(const std::string& directory, RecordOptions options, bool by_process) {
  const pid_t shell = fork();
  if (shell == 0) {
    const std::string work = "cd " + directory + "; while [ ! -e stop ]; do dd if=/dev/zero of=f bs=4k count=4 "
                             "2>/dev/null; cp f g; done";
    execl("/bin/sh", "sh", "-c", work.c_str(), nullptr);
    _exit(1);
  }
  options.time_s = 0.3;
  if (by_process) options.process = shell;
  const absl::StatusOr<RecordResult> result = Record(options);
  std::fclose(std::fopen((directory + "/stop").c_str(), "w"));
  waitpid(shell, nullptr, 0);
  if (!result.ok()) return {{"error", std::string(result.status().message())}};
  return RecordingToJson(result->recording);
}

// Each is found when it becomes `dd`, and their parent is not recorded.
TEST_F(RecorderTest, ProcessesOfANameAreRecorded) {
  const json said =
      OnScratchXfs([](const std::string& directory) { return RecordBeside(directory, {.comm = "dd"}, false); });
  ASSERT_FALSE(said.contains("error")) << said;
  EXPECT_THAT(Edges(said), Contains("xfs_iolock (exclusive) -> xfs_ilock (exclusive)"));
  for (const json& hold : said["holds"]) EXPECT_THAT(hold["longest_comm"], testing::AnyOf("dd", "")) << hold;
}

TEST_F(RecorderTest, AProcessIsRecordedWithWhatItForks) {
  const json said = OnScratchXfs([](const std::string& directory) { return RecordBeside(directory, {}, true); });
  ASSERT_FALSE(said.contains("error")) << said;
  EXPECT_THAT(Edges(said), Contains("xfs_iolock (exclusive) -> xfs_ilock (exclusive)"));
  for (const json& hold : said["holds"]) {
    EXPECT_THAT(hold["longest_comm"], testing::AnyOf("sh", "dd", "cp", "")) << hold;
  }
}

TEST_F(RecorderTest, TimeEndsACommandThatStillRuns) {
  const absl::StatusOr<RecordResult> result = Record({.command = {"sleep", "60"}, .time_s = 0.2});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_TRUE(result->command_stopped);
  EXPECT_EQ(result->command_status, 128 + SIGTERM);
  EXPECT_LT(result->recording.seconds, 5);
}

TEST_F(RecorderTest, WhatTheKernelLacksIsNoted) {
  const absl::StatusOr<RecordResult> result = Record({.command = {"true"}});
  ASSERT_TRUE(result.ok()) << result.status();
  const absl::StatusOr<KernelTypes> types = KernelTypes::Load();
  ASSERT_TRUE(types.ok());
  const auto about_locks = Contains(HasSubstr("no tracepoint lock_acquire, lock_release"));
  if (types->HasTracepoint("lock_acquire")) {
    EXPECT_THAT(result->recording.notes, Not(about_locks));
  } else {
    EXPECT_THAT(result->recording.notes, about_locks);
  }
  std::cout << FormatRecording(result->recording);
}

TEST_F(RecorderTest, WhatCannotBeRecordedIsSaid) {
  const absl::Status no_command = Record({.command = {"/no/such/program"}}).status();
  EXPECT_EQ(no_command.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(no_command.message(), "cannot run '/no/such/program': No such file or directory");
  const absl::Status no_process = Record({.process = 0x7ffffff0}).status();
  EXPECT_EQ(no_process.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(no_process.message()), HasSubstr("there is no such process"));
  const absl::Status no_path = Record({.file_system = "/no/such/path"}).status();
  EXPECT_EQ(no_path.message(), "--fs=/no/such/path: No such file or directory");
  const absl::Status long_name = Record({.comm = "a-name-that-is-too-long"}).status();
  EXPECT_EQ(long_name.code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(RecorderTest, AFileSystemWithoutEventsIsRefusedWithTheReason) {
  const absl::StatusOr<KernelTypes> types = KernelTypes::Load();
  ASSERT_TRUE(types.ok());
  if (types->HasTracepoint("lock_acquire")) GTEST_SKIP() << "here every file system's locks have events";
  const absl::Status status = Record({.file_system = "/proc", .time_s = 0.1}).status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("only XFS has events of its locks"));
}

TEST(KernelTypesTest, FieldsInUnnamedStructuresAreFound) {
  const absl::StatusOr<KernelTypes> types = KernelTypes::Load();
  if (!types.ok()) GTEST_SKIP() << types.status();
  EXPECT_TRUE(types->FieldOffset("folio", "index").has_value());
  EXPECT_TRUE(types->FieldOffset("address_space", "invalidate_lock.owner").has_value());
  EXPECT_FALSE(types->FieldOffset("folio", "no_such_field").has_value());
  EXPECT_FALSE(types->FieldOffset("no_such_type", "index").has_value());
  EXPECT_EQ(types->FieldOffset("address_space", "host"), 0u);
  EXPECT_FALSE(types->HasTracepoint("no_such_tracepoint"));
}

TEST(RecordingTest, TheSiteOfALockIsTheFirstFunctionThatNeitherTracesNorLocks) {
  EXPECT_EQ(LockSite({"bpf_prog_1_on_x", "bpf_trace_run2", "rwsem_down_read_slowpath", "down_read", "do_madvise", "x"}),
            "do_madvise");
  EXPECT_EQ(LockSite({"down_read"}), "");
  EXPECT_EQ(FormatNanoseconds(999), "999 ns");
  EXPECT_EQ(FormatNanoseconds(3200), "3.2 us");
  EXPECT_EQ(FormatNanoseconds(2000000000), "2.00 s");
}

}  // namespace
}  // namespace ordeal::bpf
