// Debian's own redis, memcached and SQLite under the interposer: no crash, no output changed, a report that can be read.
//
// Method: a shell script starts a server, loads it and stops it; it runs once bare and once with everything in it checked. The
// packages come with `ci/setup --full`; without them each test says so and is skipped.
#include <stdlib.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lockdep/preload/launcher.h"

namespace ordeal::lockdep {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

bool Installed(const std::string& program) { return system(("command -v " + program + " >/dev/null").c_str()) == 0; }

#define NEEDS(program)                                                                             \
  if (!Installed(program)) {                                                                       \
    GTEST_SKIP() << "ORDEAL_SKIPPED: " << program << " is not installed; ci/setup --full would";     \
  }

class RealProgramTest : public ::testing::Test {
 protected:
  RealProgramTest() { EXPECT_NE(mkdtemp(folder_.data()), nullptr); }
  ~RealProgramTest() override { (void)!system(("rm -rf " + folder_).c_str()); }

  std::string Output(const std::string& name) const {
    std::ifstream stream(folder_ + "/" + name);
    return std::string(std::istreambuf_iterator<char>(stream), {});
  }
  // Runs the script bare and checked, in a folder of its own each; compares output and status.
  PreloadOutcome Check(const std::string& script) {
    const std::string text = "set -u; mkdir -p \"$DIR\"; cd \"$DIR\"; { " + script + "\n} > ../$NAME.out 2> ../$NAME.err";
    {
      std::ofstream(folder_ + "/script.sh") << text << "\n";
    }
    setenv("NAME", "bare", 1);
    setenv("DIR", (folder_ + "/b").c_str(), 1);
    const int bare = system(("sh " + folder_ + "/script.sh").c_str());
    setenv("NAME", "checked", 1);
    setenv("DIR", (folder_ + "/c").c_str(), 1);
    absl::StatusOr<PreloadOutcome> outcome = RunUnderLockdep({}, {"sh", folder_ + "/script.sh"});
    EXPECT_TRUE(outcome.ok()) << outcome.status();
    if (!outcome.ok()) return {};
    EXPECT_EQ(outcome->wait_status, bare);
    EXPECT_EQ(Output("checked.out"), Output("bare.out"));
    EXPECT_EQ(Output("checked.err"), Output("bare.err"));
    EXPECT_EQ(outcome->lost_bytes, 0u);
    EXPECT_THAT(outcome->report, HasSubstr("ordeal lockdep: "));
    std::printf("%s", outcome->report.c_str());
    return *std::move(outcome);
  }

 private:
  std::string folder_ = ::testing::TempDir() + "/ordeal-real-XXXXXX";
};

TEST_F(RealProgramTest, RedisUnderItsBenchmark) {
  NEEDS("redis-server");
  NEEDS("redis-benchmark");
  const PreloadOutcome outcome = Check(
      "redis-server --port 0 --unixsocket s --save '' --appendonly yes --dir . --logfile log & server=$!\n"
      "for i in $(seq 200); do redis-cli -s s ping 2>/dev/null | grep -q PONG && break; sleep 0.1; done\n"
      "redis-benchmark -s s -n 2000 -c 10 --threads 2 -q -t set,get,lpush,rpop > /dev/null\n"
      "redis-cli -s s set key value; redis-cli -s s get key; redis-cli -s s bgrewriteaof\n"
      "redis-cli -s s flushall async; redis-cli -s s dbsize; redis-cli -s s shutdown nosave; wait $server; echo \"server $?\"");
  EXPECT_THAT(Output("bare.out"), HasSubstr("server 0"));
  EXPECT_GT(outcome.processes, 2);
  EXPECT_GT(outcome.locks, 50u);
  for (const Violation& violation : outcome.violations) EXPECT_NE(violation.grade, Grade::kFeasible) << violation.signature;
}

TEST_F(RealProgramTest, MemcachedUnderLoad) {
  NEEDS("memcached");
  NEEDS("memcslap");
  const PreloadOutcome outcome = Check(
      "memcached -u root -U 0 -s ./m -t 4 & server=$!\n"
      "for i in $(seq 200); do [ -S m ] && break; sleep 0.1; done\n"
      "memcslap --servers=$DIR/m --concurrency=4 --execute-number=300 --test=set > /dev/null\n"
      "memcslap --servers=$DIR/m --concurrency=4 --execute-number=300 --test=get > /dev/null\n"
      "echo hello > greeting; memccp --servers=$DIR/m greeting; memccat --servers=$DIR/m greeting\n"
      "kill $server; wait $server; echo \"server $?\"");
  EXPECT_THAT(Output("bare.out"), HasSubstr("hello"));
  EXPECT_GT(outcome.locks, 50u);
}

TEST_F(RealProgramTest, SqliteWithThreads) {
#ifndef ORDEAL_SQLITE_DRIVER
  GTEST_SKIP() << "ORDEAL_SKIPPED: SQLite's headers were not there at build time; ci/setup --full installs libsqlite3-dev";
#else
  const PreloadOutcome outcome = Check(std::string(ORDEAL_SQLITE_DRIVER) + " 4 500");
  EXPECT_EQ(Output("checked.out"), "2000 rows, sum 502000\n");
  EXPECT_GT(outcome.locks, 5u);
  for (const Violation& violation : outcome.violations) EXPECT_NE(violation.grade, Grade::kFeasible) << violation.signature;
#endif
}

}  // namespace
}  // namespace ordeal::lockdep
