// Retries, fair yields and bypasses, each finding with its silent twin.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "harness/sched/fair_schedule.h"
#include "harness/sched/scheduler.h"
#include "injectors/schedule/pct.h"
#include "injectors/schedule/random_walk.h"

namespace ordeal {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr SchedulerOptions kOptions{.steps_max = 100'000, .idle_steps_max = 50'000, .retry_repeats_max = 50};

class LivenessTest : public ::testing::Test {
 protected:
  template <typename Setup>
  RunEnd Run(ChoiceSource& source, Setup setup, SchedulerOptions options = kOptions, FaultSet faults = {}) {
    scheduler_.emplace(options);
    choices_.Begin(&source);
    source.BeginRun(run_++);
    scheduler_->BeginRun(&choices_);
    scheduler_->set_faults(faults);
    setup();
    const RunEnd end = scheduler_->Run();
    livelock_ = scheduler_->livelock();
    scheduler_->EndRun();
    return end;
  }
  void Spin(bool& flag, uint64_t state = 0) {
    while (!flag) scheduler_->NoteRetry(RetryReason::kTruncatedPage, state);
  }

  uint64_t run_ = 0;
  std::optional<Scheduler> scheduler_;
  ChoiceRecorder choices_;
  Livelock livelock_;
};

// Two tasks that each wait for the other to give way, retrying for ever.
TEST_F(LivenessTest, TheSameStateAgainAndAgainIsALivelockThatNamesItsTasks) {
  RandomWalk source(1);
  for (int i = 0; i < 50; ++i) {
    bool a = false;
    bool b = false;
    const RunEnd end = Run(source, [&] {
      scheduler_->Spawn("left", [&] { Spin(b); a = true; });
      scheduler_->Spawn("right", [&] { Spin(a); b = true; });
      scheduler_->Spawn("bystander", [&] {
        for (int step = 0; step < 20; ++step) scheduler_->Point(OperationKind::kYield, kNoObject);
      });
    });
    ASSERT_EQ(end.kind, RunEndKind::kLivelock);
    ASSERT_THAT(livelock_.retriers, SizeIs(2));
    EXPECT_EQ(livelock_.retriers[0].task_name, "left");
    EXPECT_EQ(livelock_.retriers[0].reason, RetryReason::kTruncatedPage);
    EXPECT_THAT(livelock_.retriers[0].site.ToString(), HasSubstr("harness/sched/liveness_test.cc:"));
    EXPECT_GT(livelock_.retriers[1].count, 25u);
    EXPECT_LT(end.steps, 500u) << "the watchdog would have needed 50000";
  }
}

// The other one gives way after a while: retries, but no livelock, whatever the schedule.
TEST_F(LivenessTest, RetriesThatGetThereAreNone) {
  RandomWalk random(2);
  Pct pct(3, 3);  // its priorities would let one task spin for ever
  for (ChoiceSource* source : {static_cast<ChoiceSource*>(&random), static_cast<ChoiceSource*>(&pct)}) {
    for (int i = 0; i < 200; ++i) {
      bool done = false;
      const RunEnd end = Run(*source, [&] {
        for (const char* name : {"spins", "spins too"}) scheduler_->Spawn(name, [&] { Spin(done); });
        scheduler_->Spawn("works", [&] {
          for (int step = 0; step < 30; ++step) scheduler_->Point(OperationKind::kYield, kNoObject);
          done = true;
        });
      });
      ASSERT_EQ(end.kind, RunEndKind::kCompleted);
      EXPECT_LE(scheduler_->retries().of(RetryReason::kTruncatedPage).max, 40u);
    }
  }
}

TEST_F(LivenessTest, ACompletedOperationStartsTheCountAnew) {
  RandomWalk source(4);
  bool done = false;
  const RunEnd end = Run(source, [&] {
    scheduler_->Spawn("spins", [&] { Spin(done); });
    scheduler_->Spawn("works", [&] {
      for (int step = 0; step < 1000; ++step) {
        scheduler_->Point(OperationKind::kYield, kNoObject);
        if (step % 30 == 29) scheduler_->NoteProgress();
      }
      done = true;
    });
  });
  EXPECT_EQ(end.kind, RunEndKind::kCompleted);
  EXPECT_GT(scheduler_->retries().of(RetryReason::kTruncatedPage).max, 100u);
}

TEST_F(LivenessTest, ChangingStatesAreNoRepetition) {
  QuietSource quiet;
  const auto spin = [&](uint64_t states) {
    return Run(quiet, [&] {
      scheduler_->Spawn("task", [this, states] {
        for (uint64_t i = 0; i < 200; ++i) scheduler_->NoteRetry(RetryReason::kAgain, i % states);
      });
    }).kind;
  };
  EXPECT_EQ(spin(1), RunEndKind::kLivelock);
  EXPECT_EQ(spin(3), RunEndKind::kLivelock) << "200 / 3 > 50";
  EXPECT_EQ(spin(5), RunEndKind::kCompleted);
  EXPECT_EQ(spin(200), RunEndKind::kCompleted);
}

TEST_F(LivenessTest, RetriesOfAnOperationAreCountedByReason) {
  QuietSource quiet;
  const auto setup = [&] {
    scheduler_->Spawn("task", [this] {
      for (const int retries : {1, 0, 6, 7}) {  // four operations
        for (int i = 0; i < retries; ++i) scheduler_->NoteRetry(RetryReason::kStaleMapping, static_cast<uint64_t>(i));
        if (retries == 1) scheduler_->NoteRetry(RetryReason::kFaultRetry);
        scheduler_->NoteProgress();
      }
    });
  };
  EXPECT_EQ(Run(quiet, setup).kind, RunEndKind::kCompleted);
  EXPECT_EQ(scheduler_->retries().ToString(),
            "fault-retry: 1 operations, 1 retries, at most 1; 1: 1\n"
            "stale-mapping: 3 operations, 14 retries, at most 7; 1: 1, 4-7: 2\n");
  EXPECT_THAT(scheduler_->excessive_retries(), IsEmpty()) << "no bound was set";

  SchedulerOptions bounded = kOptions;
  bounded.retries_max = 6;
  EXPECT_EQ(Run(quiet, setup, bounded).kind, RunEndKind::kCompleted);
  ASSERT_THAT(scheduler_->excessive_retries(), SizeIs(1));
  EXPECT_EQ(scheduler_->excessive_retries()[0].reason, RetryReason::kStaleMapping);
  EXPECT_EQ(scheduler_->excessive_retries()[0].count, 7u);
  bounded.retries_max = 7;
  Run(quiet, setup, bounded);
  EXPECT_THAT(scheduler_->excessive_retries(), IsEmpty());
}

// --- bypasses ---

TEST_F(LivenessTest, AWaiterThatIsPassedTooOftenStarves) {
  QuietSource quiet;
  const auto pass = [&](uint32_t times, uint32_t bypasses_max) {
    SchedulerOptions options = kOptions;
    options.bypasses_max = bypasses_max;
    return Run(quiet, [&, times] {
      const TaskId waiter = scheduler_->Spawn("waiter", [&] {
        const ObjectId lock = scheduler_->NewObject("folio", 3);
        scheduler_->Block({OperationKind::kAcquire, lock, nullptr, lockdep::Site::Here()});
      });
      scheduler_->Spawn("passer", [this, waiter, times] {
        for (uint32_t i = 1; i <= times; ++i) {
          scheduler_->Point(OperationKind::kYield, kNoObject);
          scheduler_->NoteBypass(waiter, scheduler_->current());
        }
        scheduler_->Wake(waiter);
      });
    }, options).kind;
  };
  EXPECT_EQ(pass(5, 0), RunEndKind::kCompleted) << "not counted";
  EXPECT_EQ(pass(5, 5), RunEndKind::kCompleted);
  EXPECT_EQ(pass(6, 5), RunEndKind::kStarvation);
  const Starvation& starvation = scheduler_->starvation();
  EXPECT_EQ(starvation.waiter.task_name, "waiter");
  EXPECT_EQ(starvation.waiter.object, "folio 3");
  ASSERT_THAT(starvation.passers, SizeIs(1));
  EXPECT_EQ(starvation.passers[0].task_name, "passer");
  EXPECT_EQ(starvation.passers[0].times, 6u);
}

// --- a fair continuation ---

TEST_F(LivenessTest, AFairContinuationRunsEverybodyFromWhereTheRecordingEnds) {
  RandomWalk source(5);
  std::string order;
  const auto setup = [&] {
    order.clear();
    for (const char* name : {"a", "b", "c"}) {
      scheduler_->Spawn(name, [&, name] {
        for (int i = 0; i < 6; ++i) {
          scheduler_->Point(OperationKind::kYield, kNoObject);
          order += name;
        }
      });
    }
  };
  Run(source, setup);
  const std::string random = order;
  const std::vector<RecordedChoice> recorded(choices_.recorded().begin(), choices_.recorded().end());
  FairContinuation same(recorded, recorded.size());
  Run(same, setup);
  EXPECT_EQ(order, random);
  FairContinuation fair(recorded, 0);
  Run(fair, setup);
  EXPECT_EQ(order, "abcabcabcabcabcabc");
  FairContinuation half(recorded, 8);
  Run(half, setup);
  EXPECT_EQ(order.substr(0, 4), random.substr(0, 4));
  EXPECT_NE(order, random);
}

// --- clock jumps ---

TEST_F(LivenessTest, OnlyAJumpingClockLetsALaterTimerFireBeforeAnything) {
  RandomWalk source(6);
  const auto early = [&](FaultSet faults) {
    int count = 0;
    for (int i = 0; i < 100; ++i) {
      bool work_done = false;
      Run(source, [&] {
        scheduler_->Spawn("works for a while", [&] {
          for (int step = 0; step < 10; ++step) scheduler_->Point(OperationKind::kYield, kNoObject);
          work_done = true;
        });
        scheduler_->Spawn("times out", [&] {
          scheduler_->Sleep(200 * kStepNs);
          count += !work_done;
        });
      }, kOptions, faults);
    }
    return count;
  };
  EXPECT_EQ(early({}), 0);
  EXPECT_GT(early({ChoiceKind::kClockJump}), 10);
}

}  // namespace
}  // namespace ordeal
