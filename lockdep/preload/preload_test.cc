// Real programs under the real interposer. Each fault is paired with the same program without it.
//
// Method: RunUnderLockdep runs testdata/lock_programs (or life_programs, cxx_programs) with its standard streams on files, and the
// test asserts on the violations that come back and that output and exit status are the program's own.
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lockdep/preload/launcher.h"

namespace ordeal::lockdep {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

std::string Contents(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(stream), {});
}

// Points a descriptor at a file while it lives.
class Redirected {
 public:
  explicit Redirected(int descriptor) : descriptor_(descriptor), saved_(dup(descriptor)) {
    path_ = ::testing::TempDir() + "/preload_test." + std::to_string(getpid()) + "." + std::to_string(descriptor);
    const int file = open(path_.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600);
    dup2(file, descriptor_);
    close(file);
  }
  ~Redirected() {
    Restore();
    unlink(path_.c_str());
  }
  std::string Text() {
    Restore();
    return Contents(path_);
  }

 private:
  void Restore() {
    if (saved_ < 0) return;
    dup2(saved_, descriptor_);
    close(saved_);
    saved_ = -1;
  }
  int descriptor_;
  int saved_;
  std::string path_;
};

struct CheckedRun {
  PreloadOutcome outcome;
  std::string out;
  std::string err;

  std::vector<std::string> Kinds() const {
    std::vector<std::string> kinds;
    for (const Violation& violation : outcome.violations) kinds.emplace_back(ViolationKindName(violation.kind));
    std::sort(kinds.begin(), kinds.end());
    return kinds;
  }
};

CheckedRun RunArguments(const std::vector<std::string>& argv, const PreloadOptions& options = {}) {
  std::fflush(nullptr);
  Redirected out(STDOUT_FILENO);
  Redirected err(STDERR_FILENO);
  absl::StatusOr<PreloadOutcome> outcome = RunUnderLockdep(options, argv);
  CheckedRun run{{}, out.Text(), err.Text()};
  EXPECT_TRUE(outcome.ok()) << outcome.status();
  if (outcome.ok()) run.outcome = *std::move(outcome);
  return run;
}

// Runs the case and checks that it went as it does without the interposer.
CheckedRun RunCase(const std::string& name, const PreloadOptions& options = {},
                   const char* program = ORDEAL_LOCK_PROGRAMS) {
  CheckedRun run = RunArguments({program, name}, options);
  EXPECT_EQ(run.out, "done " + name + "\n");
  EXPECT_EQ(run.err, "to stderr\n");
  EXPECT_EQ(run.outcome.exit_status, 7);
  EXPECT_EQ(run.outcome.lost_bytes, 0u);
  return run;
}

std::vector<std::string> KindsOf(const std::string& name) { return RunCase(name).Kinds(); }
std::vector<std::string> LifeKindsOf(const std::string& name) {
  return RunCase(name, {}, ORDEAL_LIFE_PROGRAMS).Kinds();
}
std::vector<std::string> EventKindsOf(const std::string& name) {
  return RunCase(name, {}, ORDEAL_EVENT_PROGRAMS).Kinds();
}
using Kinds = std::vector<std::string>;

TEST(PreloadTest, AnInversionOfTwoGlobalMutexesIsReportedWithNamesAndSites) {
  const CheckedRun run = RunCase("abba");
  ASSERT_THAT(run.outcome.violations, SizeIs(1));
  const Violation& violation = run.outcome.violations[0];
  EXPECT_EQ(violation.kind, ViolationKind::kCircular);
  EXPECT_EQ(violation.signature, "circular: lock_a > lock_b");
  EXPECT_EQ(violation.grade, Grade::kFeasible);
  ASSERT_THAT(violation.cycle, SizeIs(2));
  EXPECT_THAT(violation.acquiring.site.ToString(), HasSubstr("testdata/lock_programs.h:"));
  EXPECT_THAT(violation.acquiring.site.ToString(), HasSubstr("(b_then_a)"));
  EXPECT_THAT(violation.cycle[0].to_site.ToString(), HasSubstr("(a_then_b)"));
  EXPECT_THAT(violation.task, HasSubstr("second_after_first"));
  EXPECT_THAT(run.outcome.report, HasSubstr("possible circular locking dependency"));
  EXPECT_THAT(run.outcome.report, Not(HasSubstr("+0x")));
  EXPECT_EQ(run.outcome.processes, 1);
}

TEST(PreloadTest, TheSameOrderTwiceIsSilent) {
  const CheckedRun run = RunCase("abab");
  EXPECT_THAT(run.outcome.violations, IsEmpty());
  EXPECT_THAT(run.outcome.report, StartsWith("ordeal lockdep: no violations"));
}

TEST(PreloadTest, AnInversionThatJoinOrAGateExcludesIsOnlyAnOrder) {
  for (const char* name : {"abba_joined", "abba_gated"}) {
    const CheckedRun run = RunCase(name);
    ASSERT_THAT(run.outcome.violations, SizeIs(1)) << name;
    EXPECT_EQ(run.outcome.violations[0].grade, Grade::kOrder) << name;
    EXPECT_THAT(run.outcome.violations[0].grade_reason, Not(IsEmpty())) << name;
  }
}

TEST(PreloadTest, InstancesOfOneClassAreJudgedByTheirOwnOrder) {
  EXPECT_EQ(KindsOf("nested_instances"), Kinds{});
  EXPECT_EQ(KindsOf("nested_instances_inverted"), Kinds{"recursive"});
  PreloadOptions strict;
  strict.strict_nesting = true;
  EXPECT_EQ(RunCase("nested_instances", strict).Kinds(), Kinds{"recursive"});
}

TEST(PreloadTest, AReaderAndAWriterInvertedAreReportedAndTwoReadersAreNot) {
  EXPECT_EQ(KindsOf("rwlock_inverted"), Kinds{"circular"});
  EXPECT_EQ(KindsOf("rwlock_readers"), Kinds{});
  PreloadOptions posix;
  posix.posix_rwlocks = true;
  EXPECT_EQ(RunCase("rwlock_readers", posix).Kinds(), Kinds{"circular"});
}

TEST(PreloadTest, RecursiveAndErrorCheckingMutexesMayBeLockedAgain) { EXPECT_EQ(KindsOf("recursive_silent"), Kinds{}); }

TEST(PreloadTest, ATaskThatWaitsForItselfIsReportedThoughItNeverReturns) {
  const CheckedRun run = RunArguments({ORDEAL_LOCK_PROGRAMS, "self_deadlock"});
  EXPECT_EQ(run.outcome.exit_status, 128 + SIGALRM);
  EXPECT_EQ(run.Kinds(), Kinds{"recursive"});
}

TEST(PreloadTest, TryAndTimedLocksThatGiveUpAddNoDependencyIntoTheLock) {
  EXPECT_EQ(KindsOf("trylock_backs_off"), Kinds{});
  EXPECT_EQ(KindsOf("trylock_holds"), Kinds{"circular"});
  EXPECT_EQ(KindsOf("timed_backs_off"), Kinds{});
  EXPECT_EQ(KindsOf("timed_fails"), Kinds{});
}

TEST(PreloadTest, ARobustMutexMayBeLeftByItsOwner) { EXPECT_EQ(KindsOf("robust_owner_dies"), Kinds{}); }

TEST(PreloadTest, AConditionVariableReleasesItsMutexAndTakesItAgain) {
  EXPECT_EQ(KindsOf("condition"), Kinds{});
  EXPECT_EQ(KindsOf("condition_inverted"), Kinds{"circular"});
  EXPECT_EQ(KindsOf("condition_cancelled"), Kinds{});
}

TEST(PreloadTest, SemaphoresAreLocksUntilSomebodyElsePostsThem) {
  EXPECT_EQ(KindsOf("semaphores_inverted"), Kinds{"circular"});
  EXPECT_EQ(KindsOf("semaphores_in_order"), Kinds{});
  EXPECT_EQ(KindsOf("semaphores_signal"), Kinds{});
  EXPECT_EQ(KindsOf("semaphore_waited_twice"), Kinds{});
}

TEST(PreloadTest, ALockHeldAtABarrierThatAnotherNeedsToGetThereIsReported) {
  const CheckedRun run = RunCase("barrier_under_lock", {}, ORDEAL_EVENT_PROGRAMS);
  ASSERT_THAT(run.outcome.violations, SizeIs(1));
  EXPECT_THAT(run.outcome.report, HasSubstr("barrier@testdata/event_programs.c:"));
  EXPECT_EQ(run.outcome.violations[0].grade, Grade::kFeasible);
  EXPECT_EQ(EventKindsOf("barrier_without_lock"), Kinds{});
  EXPECT_EQ(EventKindsOf("barrier_under_own_locks"), Kinds{});
  PreloadOptions strict;
  strict.strict_nesting = true;
  EXPECT_THAT(RunCase("barrier_under_own_locks", strict, ORDEAL_EVENT_PROGRAMS).Kinds(), Not(IsEmpty()));
}

TEST(PreloadTest, ALockHeldInAWaitThatTheSignallerNeedsIsReported) {
  const CheckedRun condition = RunCase("condition_under_lock", {}, ORDEAL_EVENT_PROGRAMS);
  ASSERT_THAT(condition.outcome.violations, SizeIs(1));
  EXPECT_THAT(condition.outcome.report, HasSubstr("condition@testdata/event_programs.c:"));
  EXPECT_EQ(condition.outcome.violations[0].grade, Grade::kFeasible);
  EXPECT_EQ(EventKindsOf("condition_under_no_lock"), Kinds{});
  EXPECT_EQ(EventKindsOf("condition_under_lock_timed"), Kinds{});
  EXPECT_EQ(EventKindsOf("semaphore_under_lock"), Kinds{"circular"});
  EXPECT_EQ(EventKindsOf("semaphore_under_no_lock"), Kinds{});
}

TEST(PreloadTest, ASignalOrdersWhatIsBeforeItAndWhatIsBehindTheWait) {
  for (const char* name : {"condition_orders", "semaphore_orders"}) {
    const CheckedRun run = RunCase(name, {}, ORDEAL_EVENT_PROGRAMS);
    ASSERT_THAT(run.outcome.violations, SizeIs(1)) << name;
    EXPECT_EQ(run.outcome.violations[0].grade, Grade::kOrder) << name;
  }
}

TEST(PreloadTest, ABarrierOrdersWhatIsBeforeItAndWhatIsBehindIt) {
  const CheckedRun run = RunCase("barrier_orders", {}, ORDEAL_EVENT_PROGRAMS);
  ASSERT_THAT(run.outcome.violations, SizeIs(1));
  EXPECT_EQ(run.outcome.violations[0].kind, ViolationKind::kCircular);
  EXPECT_EQ(run.outcome.violations[0].grade, Grade::kOrder);
}

TEST(PreloadTest, SpinlocksOnceAndC11MutexesAreChecked) {
  EXPECT_EQ(KindsOf("spinlocks_inverted"), Kinds{"circular"});
  EXPECT_EQ(KindsOf("spinlocks_in_order"), Kinds{});
  EXPECT_EQ(KindsOf("once_done_before"), Kinds{});
  EXPECT_EQ(KindsOf("c11_inverted"), Kinds{"circular"});
  EXPECT_EQ(KindsOf("c11_in_order"), Kinds{});
}

TEST(PreloadTest, MisuseIsReported) {
  EXPECT_EQ(LifeKindsOf("unlock_twice"), Kinds{"bad-unlock"});
  EXPECT_EQ(LifeKindsOf("unlock_by_other"), Kinds{"foreign-unlock"});
  EXPECT_EQ(LifeKindsOf("destroy_held"), Kinds{"held-freed"});
  EXPECT_EQ(LifeKindsOf("init_held"), Kinds{"held-freed"});
  EXPECT_EQ(LifeKindsOf("destroy_free"), Kinds{});
  EXPECT_EQ(LifeKindsOf("exit_holding"), Kinds{"held-at-exit"});
  EXPECT_EQ(LifeKindsOf("exit_clean"), Kinds{});
  EXPECT_EQ(LifeKindsOf("exit_unlocks_late"), Kinds{});
}

TEST(PreloadTest, AForkedChildKeepsTheOrdersAndIsChecked) {
  EXPECT_EQ(LifeKindsOf("fork_silent"), Kinds{});
  EXPECT_EQ(LifeKindsOf("fork_makes_anew"), Kinds{});
  const CheckedRun run = RunCase("fork_inverted", {}, ORDEAL_LIFE_PROGRAMS);
  EXPECT_EQ(run.Kinds(), Kinds{"circular"});
  EXPECT_EQ(run.outcome.processes, 2);
  EXPECT_EQ(RunCase("fork_while_busy", {}, ORDEAL_LIFE_PROGRAMS).outcome.processes, 41);
}

TEST(PreloadTest, AnExecutedProgramIsChecked) {
  const CheckedRun run = RunArguments({ORDEAL_LIFE_PROGRAMS, "executes"});
  EXPECT_EQ(run.out, "done abba\n");
  EXPECT_EQ(run.Kinds(), Kinds{"circular"});
}

TEST(PreloadTest, TheReportSurvivesACrashAndAnExitWithoutHandlers) {
  const CheckedRun crashed = RunArguments({ORDEAL_LIFE_PROGRAMS, "crashes"});
  EXPECT_EQ(crashed.outcome.exit_status, 128 + SIGSEGV);
  EXPECT_EQ(crashed.Kinds(), Kinds{"circular"});
  const CheckedRun quit = RunArguments({ORDEAL_LIFE_PROGRAMS, "quits"});
  EXPECT_EQ(quit.outcome.exit_status, 5);
  EXPECT_EQ(quit.Kinds(), Kinds{"circular"});
}

TEST(PreloadTest, AHundredThreadsAreChecked) { EXPECT_EQ(LifeKindsOf("many_threads"), Kinds{}); }

TEST(PreloadTest, LocksOfALoadedLibraryAreChecked) {
  EXPECT_EQ(LifeKindsOf("plugin_silent"), Kinds{});
  const CheckedRun run = RunCase("plugin_inverted", {}, ORDEAL_LIFE_PROGRAMS);
  EXPECT_EQ(run.Kinds(), Kinds{"circular"});
  EXPECT_EQ(run.outcome.violations[0].signature, "circular: inner > outer");
}

TEST(PreloadTest, ASignalSentToTheLauncherReachesTheProgram) {
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t launcher = fork();
  if (launcher == 0) {
    dup2(ready[1], STDOUT_FILENO);
    const absl::StatusOr<PreloadOutcome> outcome = RunUnderLockdep({}, {ORDEAL_LIFE_PROGRAMS, "waits_for_signal"});
    _exit(outcome.ok() ? outcome->exit_status : 1);
  }
  char line[6] = {};
  ASSERT_EQ(read(ready[0], line, sizeof line), 6);
  kill(launcher, SIGTERM);
  int status = 0;
  waitpid(launcher, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 42) << status;
  close(ready[0]);
  close(ready[1]);
}

class CxxProgramTest : public ::testing::TestWithParam<const char*> {
 protected:
  CheckedRun RunCxx(const std::string& name) {
    CheckedRun run = RunArguments({GetParam(), name});
    EXPECT_EQ(run.out, "done " + name + "\n");
    EXPECT_EQ(run.outcome.exit_status, 7);
    return run;
  }
};

TEST_P(CxxProgramTest, LocksOfTheCxxLibraryAreChecked) {
  const CheckedRun inverted = RunCxx("mutex_inverted");
  EXPECT_EQ(inverted.Kinds(), Kinds{"circular"});
  ASSERT_THAT(inverted.outcome.violations, SizeIs(1));
  EXPECT_THAT(inverted.outcome.violations[0].signature, HasSubstr("global_a"));
  EXPECT_EQ(RunCxx("mutex_in_order").Kinds(), Kinds{});
  EXPECT_EQ(RunCxx("shared_inverted").Kinds(), Kinds{"circular"});
  EXPECT_EQ(RunCxx("shared_readers").Kinds(), Kinds{});
}

TEST_P(CxxProgramTest, TryAndBackOffOfScopedLockIsSilent) { EXPECT_EQ(RunCxx("scoped_lock").Kinds(), Kinds{}); }

TEST_P(CxxProgramTest, LocksInObjectsAreNamedByTheirFirstUse) {
  const CheckedRun run = RunCxx("heap_inverted");
  EXPECT_EQ(run.Kinds(), Kinds{"circular"});
  ASSERT_THAT(run.outcome.violations, SizeIs(1));
  EXPECT_THAT(run.outcome.violations[0].acquiring.node, HasSubstr("mutex used@testdata/cxx_programs.cc:"));
  EXPECT_THAT(run.outcome.violations[0].acquiring.site.ToString(), HasSubstr("testdata/cxx_programs.cc:"));
  EXPECT_THAT(run.outcome.violations[0].conflicting.site.ToString(), HasSubstr("testdata/cxx_programs.cc:"));
}

TEST_P(CxxProgramTest, MemoryThatIsUsedAgainDoesNotInheritAClass) {
  EXPECT_EQ(RunCxx("memory_used_again").Kinds(), Kinds{});
}

TEST_P(CxxProgramTest, AnExceptionThroughCallOnceLeavesNothingHeld) {
  EXPECT_EQ(RunCxx("once_that_throws").Kinds(), Kinds{});
}

INSTANTIATE_TEST_SUITE_P(Optimised, CxxProgramTest, ::testing::Values(ORDEAL_CXX_PROGRAMS));
INSTANTIATE_TEST_SUITE_P(NotOptimised, CxxProgramTest, ::testing::Values(ORDEAL_CXX_PROGRAMS_O0));

TEST(RefusalTest, ProgramsThatCannotBeCheckedAreRefusedWithAReason) {
  const std::string copy = ::testing::TempDir() + "/preload_test_setuid." + std::to_string(getpid());
  {
    std::ofstream stream(copy, std::ios::binary);
    stream << Contents(ORDEAL_LOCK_PROGRAMS);
  }
  const auto refusal = [&](mode_t mode) {
    chmod(copy.c_str(), mode);
    return std::string(RunUnderLockdep({}, {copy, "abab"}).status().message());
  };
  EXPECT_THAT(refusal(04755), HasSubstr("is setuid"));
  EXPECT_THAT(refusal(02755), HasSubstr("is setgid"));
  EXPECT_THAT(refusal(0644), HasSubstr("not an executable file"));
  unlink(copy.c_str());
  EXPECT_THAT(RunUnderLockdep({}, {ORDEAL_STATIC_PROGRAM}).status().message(), HasSubstr("linked statically"));
  EXPECT_EQ(RunUnderLockdep({}, {"no-such-program-here"}).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(RunUnderLockdep({}, {}).status().code(), absl::StatusCode::kInvalidArgument);
  PreloadOptions options;
  options.library = "/no/such/library.so";
  EXPECT_EQ(RunUnderLockdep(options, {"true"}).status().code(), absl::StatusCode::kNotFound);
}

TEST(RefusalTest, AScriptIsJudgedByItsInterpreter) {
  const std::string script = ::testing::TempDir() + "/preload_test_script." + std::to_string(getpid());
  {
    std::ofstream stream(script);
    stream << "#!/bin/sh\n" << ORDEAL_LOCK_PROGRAMS << " abba 2>/dev/null\nexit 9\n";
  }
  chmod(script.c_str(), 0755);
  const CheckedRun run = RunArguments({script});
  EXPECT_EQ(run.outcome.exit_status, 9);
  EXPECT_EQ(run.out, "done abba\n");
  EXPECT_EQ(run.Kinds(), Kinds{"circular"});
  unlink(script.c_str());
}

}  // namespace
}  // namespace ordeal::lockdep
