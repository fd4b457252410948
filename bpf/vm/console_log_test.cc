#include "bpf/vm/console_log.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ordeal::bpf {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

constexpr char kReport[] = R"([   10.1] XFS (vdb): Mounting V5 Filesystem
[   12.345678][   T42]
[   12.345679][   T42] ======================================================
[   12.345680][   T42] WARNING: possible circular locking dependency detected
[   12.345681][   T42] 6.1.192-lockdep #1 Not tainted
[   12.345682][   T42] -> #1 (&xfs_nondir_ilock_class){++++}-{3:3}:
[   12.345683][   T42]  </TASK>
[   12.345684][   T42] ordinary line
[   13.000000] INFO: task ordeal:55 blocked for more than 20 seconds.
[   13.000001]  </TASK>
)";

TEST(ConsoleLogTest, AReportIsOneFindingFromItsTitleToItsTrace) {
  const std::vector<ConsoleFinding> findings = FindInConsole(kReport);
  ASSERT_THAT(findings, SizeIs(2));
  EXPECT_EQ(findings[0].kind, "lockdep");
  EXPECT_EQ(findings[0].title, "WARNING: possible circular locking dependency detected");
  EXPECT_EQ(findings[0].line, 4);
  EXPECT_THAT(findings[0].text, HasSubstr("-> #1 (&xfs_nondir_ilock_class){++++}-{3:3}:\n"));
  EXPECT_THAT(findings[0].text, Not(HasSubstr("ordinary")));
  EXPECT_EQ(findings[1].kind, "hung-task");
}

TEST(ConsoleLogTest, EqualReportsAreToldOnce) {
  const std::vector<ConsoleFinding> findings = FindInConsole(std::string(kReport) + kReport);
  ASSERT_THAT(findings, SizeIs(2));
  EXPECT_EQ(findings[0].times, 2);
}

TEST(ConsoleLogTest, AnOrdinaryBootHasNone) {
  EXPECT_THAT(FindInConsole(R"([    0.0] Linux version 6.1.192-lockdep
[    0.5] Lock dependency validator: Copyright (c) 2006 Red Hat, Inc., Ingo Molnar
[    1.0] Good, all 378 testcases passed! |
[    2.0] Kernel command line: console=ttyS0 panic=-1
[    9.0] ordeal-vm: end
)"),
              IsEmpty());
}

TEST(ConsoleLogTest, AValidatorThatRanOutOfRoomSaysSo) {
  const std::vector<ConsoleFinding> findings =
      FindInConsole("[ 1.0] BUG: MAX_LOCKDEP_CHAINS too low!\n[ 1.1] turning off the locking correctness validator.\n");
  ASSERT_THAT(findings, SizeIs(1));
  EXPECT_EQ(findings[0].kind, "lockdep-full");
}

TEST(ConsoleLogTest, AProcessorThatSpinsIsAStall) {
  const std::vector<ConsoleFinding> findings =
      FindInConsole("[ 1.0] rcu: INFO: rcu_sched self-detected stall on CPU\n[ 1.1] ocfs2_fault+0x3a/0xc0\n[ 1.2]  </TASK>\n");
  ASSERT_THAT(findings, SizeIs(1));
  EXPECT_EQ(findings[0].kind, "stall");
  EXPECT_THAT(findings[0].text, HasSubstr("ocfs2_fault"));
}

TEST(ConsoleLogTest, WithFaultsAFileSystemThatGivesUpIsAConsequence) {
  const std::string log =
      "[ 1.0] WARNING: CPU: 1 PID: 7 at fs/btrfs/transaction.c:1990\n[ 1.1] BTRFS: Transaction aborted (error -12)\n"
      "[ 1.2] ---[ end trace 0 ]---\n[ 2.0] WARNING: CPU: 0 PID: 8 at fs/inode.c:1\n[ 2.1] ---[ end trace 0 ]---\n";
  const std::vector<ConsoleFinding> findings = FindInConsole(log, /*faults=*/true);
  ASSERT_THAT(findings, SizeIs(2));
  EXPECT_TRUE(findings[0].consequence);
  EXPECT_FALSE(findings[1].consequence) << "another warning remains a finding";
  EXPECT_FALSE(FindInConsole(log)[0].consequence) << "and so does that one where nothing is injected";
}

TEST(ConsoleLogTest, APanicWithoutAnEndMarkIsKept) {
  const std::vector<ConsoleFinding> findings = FindInConsole("[ 1.0] Kernel panic - not syncing: hung\n[ 1.1] CPU: 0\n");
  ASSERT_THAT(findings, SizeIs(1));
  EXPECT_EQ(findings[0].kind, "panic");
  EXPECT_THAT(findings[0].text, HasSubstr("CPU: 0"));
}

}  // namespace
}  // namespace ordeal::bpf
