#include "bpf/program.h"

#include <chrono>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ordeal::bpf {
namespace {

using ::testing::HasSubstr;

TEST(ProgramTest, GivesWhatTheProgramPrints) {
  EXPECT_EQ(RunProgram({"/bin/sh", "-c", "echo out; echo err >&2; pwd"}, {.directory = "/"}).value(), "out\nerr\n/\n");
}

TEST(ProgramTest, AFailureHasTheOutput) {
  const absl::Status status = RunProgram({"/bin/sh", "-c", "echo why; exit 3"}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("why"));
  EXPECT_FALSE(RunProgram({"/nonexistent/program"}).ok());
}

TEST(ProgramTest, ItsTimeEndsIt) {
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(RunProgram({"/bin/sleep", "100"}, {.time_max_s = 0.2}).status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(50));
}

TEST(ProgramTest, StopEndsIt) {
  EXPECT_EQ(RunProgram({"/bin/sleep", "100"}, {.stop = [] { return true; }}).status().code(), absl::StatusCode::kCancelled);
}

TEST(ProgramTest, FindsProgramsOfRoot) {
  EXPECT_THAT(FindProgram("sh"), HasSubstr("/sh"));
  EXPECT_EQ(FindProgram("no-such-program-anywhere"), "");
}

}  // namespace
}  // namespace ordeal::bpf
