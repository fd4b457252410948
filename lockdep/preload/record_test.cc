// What a program did, recorded by the interposer, read back by the trace format's own reader and judged again.
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lockdep/preload/launcher.h"
#include "lockdep/trace/player.h"
#include "lockdep/trace/trace_reader.h"

namespace ordeal::lockdep {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

struct Recorded {
  PreloadOutcome outcome;
  std::string text;
  Trace trace;
};

class RecordTest : public ::testing::Test {
 protected:
  ~RecordTest() override { unlink(path_.c_str()); }

  Recorded Run(const std::vector<std::string>& argv) {
    PreloadOptions options;
    options.record_path = path_;
    std::fflush(nullptr);
    Recorded recorded;
    absl::StatusOr<PreloadOutcome> outcome = RunUnderLockdep(options, argv);
    EXPECT_TRUE(outcome.ok()) << outcome.status();
    if (!outcome.ok()) return recorded;
    recorded.outcome = *std::move(outcome);
    std::ifstream stream(path_, std::ios::binary);
    recorded.text.assign(std::istreambuf_iterator<char>(stream), {});
    absl::StatusOr<Trace> trace = ParseTrace(recorded.text, TraceFormat::kOwn);
    EXPECT_TRUE(trace.ok()) << trace.status();
    if (trace.ok()) recorded.trace = *std::move(trace);
    EXPECT_EQ(recorded.trace.events.size(), recorded.outcome.recorded_events);
    EXPECT_EQ(recorded.outcome.lost_events, 0u);
    return recorded;
  }
  Recorded RunCase(const std::string& name) { return Run({ORDEAL_LOCK_PROGRAMS, name}); }

  // Signatures of what the validator says to the trace.
  std::vector<std::string> Judge(const Trace& trace) {
    Validator validator{ValidatorOptions{}};
    Player player(&trace.symbols, &validator);
    for (const LockEvent& event : trace.events) player.Play(event);
    player.Finish();
    std::vector<std::string> signatures;
    for (const Violation& violation : validator.violations()) signatures.push_back(violation.signature);
    return signatures;
  }
  static std::vector<std::string> SignaturesOf(const PreloadOutcome& outcome) {
    std::vector<std::string> signatures;
    for (const Violation& violation : outcome.violations) signatures.push_back(violation.signature);
    return signatures;
  }
  void ExpectJudgedAlike(const Recorded& recorded);

 private:
  const std::string path_ = ::testing::TempDir() + "/record_test." + std::to_string(getpid()) + ".trace";
};

// Each release matches an acquisition of its task, and nobody has a lock while another one has it exclusively.
void ExpectWellFormed(const Trace& trace) {
  std::map<uint32_t, std::multiset<std::pair<uint32_t, bool>>> held;  // by lock: (task, exclusive)
  for (const LockEvent& event : trace.events) {
    auto& holders = held[event.object];
    if (event.op == EventOp::kAcquire) {
      const bool exclusive = event.mode == Mode::kExclusive;
      for (const auto& [task, others] : holders) {
        ASSERT_FALSE(exclusive || others) << EventText(event, trace.symbols) << " while another task has it";
      }
      holders.insert({event.task, exclusive});
    } else if (event.op == EventOp::kRelease) {
      auto holder = holders.lower_bound({event.task, false});
      ASSERT_TRUE(holder != holders.end() && holder->first == event.task) << EventText(event, trace.symbols);
      holders.erase(holder);
    }
  }
}

void RecordTest::ExpectJudgedAlike(const Recorded& recorded) {
  ExpectWellFormed(recorded.trace);
  EXPECT_EQ(Judge(recorded.trace), SignaturesOf(recorded.outcome)) << recorded.text;
}

TEST_F(RecordTest, ARecordedInversionIsFoundAgainInItsTrace) {
  const Recorded recorded = RunCase("abba");
  ExpectWellFormed(recorded.trace);
  EXPECT_EQ(Judge(recorded.trace), std::vector<std::string>{"circular: lock_a > lock_b"});
  EXPECT_EQ(Judge(recorded.trace), SignaturesOf(recorded.outcome));
  EXPECT_THAT(recorded.text, HasSubstr("main fork T1\n"));
  EXPECT_THAT(recorded.text, HasSubstr("main join T2\n"));
  EXPECT_THAT(recorded.text, HasSubstr("T2 acquire lock_a at=testdata/lock_programs.h:"));
  EXPECT_THAT(recorded.text, HasSubstr("task T1 role=second_after_first\n"));
}

TEST_F(RecordTest, ARecordedOrderIsSilentInItsTrace) {
  const Recorded recorded = RunCase("abab");
  ExpectWellFormed(recorded.trace);
  EXPECT_THAT(Judge(recorded.trace), IsEmpty());
}

TEST_F(RecordTest, FourThreadsLoseNoEventAndTheirCriticalSectionsDoNotOverlap) {
  const Recorded recorded = RunCase("many_pairs");
  ExpectWellFormed(recorded.trace);
  std::map<std::string, int> acquired, released;
  for (const LockEvent& event : recorded.trace.events) {
    const std::string& task = recorded.trace.symbols.task_name(event.task);
    if (event.op == EventOp::kAcquire) ++acquired[task];
    if (event.op == EventOp::kRelease) ++released[task];
  }
  const std::map<std::string, int> all = {{"T1", 10000}, {"T2", 10000}, {"T3", 10000}, {"T4", 10000}};
  EXPECT_EQ(acquired, all);
  EXPECT_EQ(released, all);
}

TEST_F(RecordTest, EveryKindOfLockIsRecordedAsItIsJudged) {
  for (const char* name :
       {"abba_gated", "nested_instances", "nested_instances_inverted", "rwlock_inverted", "rwlock_readers",
        "recursive_silent", "trylock_backs_off", "trylock_holds", "timed_backs_off", "timed_fails", "robust_owner_dies",
        "condition", "condition_inverted", "condition_cancelled", "spinlocks_inverted", "spinlocks_in_order",
        "once_done_before", "c11_inverted", "c11_in_order", "semaphores_inverted", "semaphores_in_order",
        "semaphores_signal", "semaphore_waited_twice"}) {
    SCOPED_TRACE(name);
    ExpectJudgedAlike(RunCase(name));
  }
  for (const char* name : {"barrier_without_lock", "barrier_orders", "condition_under_lock", "condition_under_no_lock",
                           "condition_under_lock_timed", "semaphore_under_lock", "semaphore_under_no_lock"}) {
    SCOPED_TRACE(name);
    ExpectJudgedAlike(Run({ORDEAL_EVENT_PROGRAMS, name}));
  }
  for (const char* name : {"destroy_free", "exit_clean", "exit_unlocks_late", "fork_silent", "fork_inverted",
                           "fork_makes_anew", "executes", "many_threads", "exit_holding", "destroy_held"}) {
    SCOPED_TRACE(name);
    ExpectJudgedAlike(Run({ORDEAL_LIFE_PROGRAMS, name}));
  }
}

TEST_F(RecordTest, ADeadlockIsInTheTraceAsTwoRequests) {
  const Recorded recorded = RunCase("deadlock");
  EXPECT_EQ(recorded.outcome.exit_status, 128 + SIGALRM);
  ExpectWellFormed(recorded.trace);
  EXPECT_THAT(recorded.text, HasSubstr("T1 request lock_b"));
  EXPECT_THAT(recorded.text, HasSubstr("T2 request lock_a"));
  EXPECT_EQ(Judge(recorded.trace), std::vector<std::string>{"circular: lock_a > lock_b"});
}

TEST_F(RecordTest, AForkedProcessIsAnotherTaskWithTheLocksThatItWasGiven) {
  const Recorded recorded = RunCase("abba_in_fork");
  ExpectWellFormed(recorded.trace);
  EXPECT_THAT(recorded.text, HasSubstr("main fork p2.main\n"));
  EXPECT_THAT(recorded.text, HasSubstr("p2.main acquire p2.lock_a try"));
  EXPECT_THAT(Judge(recorded.trace), SizeIs(1));
  EXPECT_EQ(recorded.outcome.recorded_processes, 2);
}

TEST_F(RecordTest, AProcessThatCannotRecordIsNamedInTheReport) {
  PreloadOptions options;
  options.record_path = ::testing::TempDir() + "/record_test." + std::to_string(getpid()) + ".limited";
  // In kilobytes: enough for the validator's channel, not for the recording.
  const auto outcome = RunUnderLockdep(options, {"sh", "-c", "ulimit -v 2000000; exec " ORDEAL_LOCK_PROGRAMS " abab"});
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  unlink(options.record_path.c_str());
  EXPECT_EQ(outcome->exit_status, 7);
  EXPECT_EQ(outcome->processes, 2);
  EXPECT_EQ(outcome->recorded_processes, 1);
  EXPECT_THAT(outcome->report, HasSubstr("lost: 1 processes could not map the recording"));
}

TEST_F(RecordTest, ATraceThatCannotBeWrittenIsRefusedBeforeTheProgramRuns) {
  PreloadOptions options;
  options.record_path = "/no/such/folder/trace";
  EXPECT_EQ(RunUnderLockdep(options, {"false"}).status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace ordeal::lockdep
