#include "harness/sched/scheduler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "harness/choice/replay.h"
#include "injectors/schedule/random_walk.h"

namespace ordeal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A lock without a validator, for the scheduler's own tests: one owner, any waiter may be next.
class PlainLock : public Waitable {
 public:
  PlainLock(Scheduler& scheduler, const char* name) : scheduler_(scheduler), id_(scheduler.NewObject(name)) {}
  void Lock() {
    scheduler_.Point(OperationKind::kAcquire, id_);
    while (owner_ != kNoTask) {
      waiters_.push_back(scheduler_.current());
      scheduler_.Block({OperationKind::kAcquire, id_, this, lockdep::Site::Here()});
    }
    owner_ = scheduler_.current();
  }
  void Unlock() {
    scheduler_.Point(OperationKind::kRelease, id_);
    if (scheduler_.unwinding()) return;
    owner_ = kNoTask;
    for (const TaskId waiter : waiters_) scheduler_.Wake(waiter);
    waiters_.clear();
  }
  void AppendBlockers(TaskId, Blockers* out) const override { out->Add(owner_); }

 private:
  Scheduler& scheduler_;
  ObjectId id_;
  TaskId owner_ = kNoTask;
  std::vector<TaskId> waiters_;
};

class SchedulerTest : public ::testing::Test {
 protected:
  // Runs `setup` with choices from `source` and unwinds what is left.
  template <typename Setup>
  RunEnd Run(ChoiceSource& source, Setup setup) {
    choices_.Begin(&source);
    scheduler_.BeginRun(&choices_);
    setup();
    const RunEnd end = scheduler_.Run();
    tasks_ = scheduler_.DescribeTasks();
    scheduler_.EndRun();
    return end;
  }

  Scheduler scheduler_{{.steps_max = 10'000, .idle_steps_max = 5'000}};
  ChoiceRecorder choices_;
  std::string tasks_;
};

TEST_F(SchedulerTest, QuietChoicesRunOneTaskAfterTheOther) {
  QuietSource quiet;
  std::string order;
  const RunEnd end = Run(quiet, [&] {
    const ObjectId object = scheduler_.NewObject("object");
    for (const char* name : {"a", "b"}) {
      scheduler_.Spawn(name, [&, name, object] {
        for (int i = 0; i < 3; ++i) {
          scheduler_.Point(OperationKind::kWrite, object);
          order += name;
        }
      });
    }
  });
  EXPECT_EQ(end.kind, RunEndKind::kCompleted);
  EXPECT_EQ(order, "aaabbb");
  EXPECT_EQ(end.steps, 6u);
}

TEST_F(SchedulerTest, AsksNothingWhenOneTaskCanRun) {
  QuietSource quiet;
  Run(quiet, [&] {
    const ObjectId object = scheduler_.NewObject("object");
    scheduler_.Spawn("only", [&, object] {
      for (int i = 0; i < 5; ++i) scheduler_.Point(OperationKind::kWrite, object);
    });
  });
  EXPECT_EQ(choices_.size(), 0u);
}

TEST_F(SchedulerTest, RandomChoicesReachEveryInterleaving) {
  std::set<std::string> orders;
  RandomWalk source(1);
  for (int run = 0; run < 300; ++run) {
    std::string order;
    Run(source, [&] {
      const ObjectId object = scheduler_.NewObject("object");
      for (const char* name : {"a", "b"}) {
        scheduler_.Spawn(name, [&, name, object] {
          for (int i = 0; i < 2; ++i) {
            scheduler_.Point(OperationKind::kWrite, object);
            order += name;
          }
        });
      }
    });
    orders.insert(order);
  }
  EXPECT_THAT(orders, ElementsAre("aabb", "abab", "abba", "baab", "baba", "bbaa"));
}

TEST_F(SchedulerTest, ReplayGivesTheSameTraceHash) {
  const auto setup = [&] {
    const ObjectId object = scheduler_.NewObject("object");
    for (const char* name : {"a", "b", "c"}) {
      scheduler_.Spawn(name, [&, object] {
        for (int i = 0; i < 10; ++i) scheduler_.Point(OperationKind::kWrite, object);
      });
    }
  };
  RandomWalk source(7);
  const RunEnd recorded = Run(source, setup);
  ReplaySource replay(choices_.recorded());
  const RunEnd replayed = Run(replay, setup);
  EXPECT_EQ(replayed.trace_hash, recorded.trace_hash);
  EXPECT_TRUE(replay.Finished().ok()) << replay.Finished();
  RandomWalk other(8);
  EXPECT_NE(Run(other, setup).trace_hash, recorded.trace_hash);
}

TEST_F(SchedulerTest, AReplayThatDivergesStopsTheRun) {
  RandomWalk source(7);
  const auto setup = [&](int points) {
    const ObjectId object = scheduler_.NewObject("object");
    for (const char* name : {"a", "b"}) {
      scheduler_.Spawn(name, [&, object, points] {
        for (int i = 0; i < points; ++i) scheduler_.Point(OperationKind::kWrite, object);
      });
    }
  };
  Run(source, [&] { setup(5); });
  ReplaySource replay(choices_.recorded());
  const RunEnd end = Run(replay, [&] { setup(50); });
  EXPECT_EQ(end.kind, RunEndKind::kStopped);
  EXPECT_FALSE(replay.status().ok());
}

TEST_F(SchedulerTest, ReportsACycleWhenItCloses) {
  bool found = false;
  RandomWalk source(3);
  for (int run = 0; run < 50 && !found; ++run) {
    const RunEnd end = Run(source, [&] {
      auto a = std::make_shared<PlainLock>(scheduler_, "a");
      auto b = std::make_shared<PlainLock>(scheduler_, "b");
      scheduler_.Spawn("ab", [a, b] { a->Lock(); b->Lock(); b->Unlock(); a->Unlock(); });
      scheduler_.Spawn("ba", [a, b] { b->Lock(); a->Lock(); a->Unlock(); b->Unlock(); });
      // A third task that can always run: the cycle must be found although the run could go on.
      scheduler_.Spawn("busy", [this] {
        for (int i = 0; i < 100; ++i) scheduler_.Point(OperationKind::kYield, kNoObject);
      });
    });
    if (end.kind != RunEndKind::kDeadlock) continue;
    found = true;
    const Deadlock& deadlock = scheduler_.deadlock();
    EXPECT_TRUE(deadlock.is_cycle);
    ASSERT_EQ(deadlock.cycle.size(), 2u);
    EXPECT_NE(deadlock.cycle[0].task_name, deadlock.cycle[1].task_name);
    EXPECT_NE(deadlock.cycle[0].object, deadlock.cycle[1].object);
    EXPECT_THAT(deadlock.cycle[0].site.ToString(), HasSubstr("scheduler_test.cc"));
  }
  EXPECT_TRUE(found);
}

TEST_F(SchedulerTest, OneOrderNeverDeadlocks) {
  RandomWalk source(3);
  for (int run = 0; run < 1000; ++run) {
    const RunEnd end = Run(source, [&] {
      auto a = std::make_shared<PlainLock>(scheduler_, "a");
      auto b = std::make_shared<PlainLock>(scheduler_, "b");
      for (int i = 0; i < 3; ++i) {
        scheduler_.Spawn("ab", [a, b] { a->Lock(); b->Lock(); b->Unlock(); a->Unlock(); });
      }
    });
    ASSERT_EQ(end.kind, RunEndKind::kCompleted) << tasks_;
  }
}

TEST_F(SchedulerTest, ALostWakeUpIsADeadlockWithoutCycle) {
  QuietSource quiet;
  const RunEnd end = Run(quiet, [&] {
    const ObjectId event = scheduler_.NewObject("event", 4);
    scheduler_.Spawn("waiter", [&, event] { scheduler_.Block({OperationKind::kWait, event, nullptr, {"x.cc", 9}}); });
  });
  EXPECT_EQ(end.kind, RunEndKind::kDeadlock);
  EXPECT_FALSE(scheduler_.deadlock().is_cycle);
  ASSERT_EQ(scheduler_.deadlock().blocked.size(), 1u);
  EXPECT_EQ(scheduler_.deadlock().blocked[0].object, "event 4");
  EXPECT_THAT(tasks_, HasSubstr("task 0 waiter blocked in wait of event 4 at x.cc:9"));
}

TEST_F(SchedulerTest, ABlockedDaemonDoesNotKeepTheRunAlive) {
  QuietSource quiet;
  bool unwound = false;
  const RunEnd end = Run(quiet, [&] {
    const ObjectId event = scheduler_.NewObject("event");
    scheduler_.Spawn("daemon", [&, event] {
      struct Sets {
        bool* flag;
        ~Sets() { *flag = true; }
      } sets{&unwound};
      scheduler_.Block({OperationKind::kWait, event});
    }, TaskKind::kDaemon);
    scheduler_.Spawn("task", [&] { scheduler_.Point(OperationKind::kYield, kNoObject); });
  });
  EXPECT_EQ(end.kind, RunEndKind::kCompleted);
  EXPECT_TRUE(unwound) << "EndRun runs the destructors of blocked tasks";
}

TEST_F(SchedulerTest, RunsAgainWithTasksSpawnedLater) {
  QuietSource quiet;
  std::string order;
  choices_.Begin(&quiet);
  scheduler_.BeginRun(&choices_);
  scheduler_.Spawn("first", [&] { order += "1"; });
  EXPECT_EQ(scheduler_.Run().kind, RunEndKind::kCompleted);
  scheduler_.Spawn("second", [&] { order += "2"; });
  EXPECT_EQ(scheduler_.Run().kind, RunEndKind::kCompleted);
  scheduler_.EndRun();
  EXPECT_EQ(order, "12");
}

TEST_F(SchedulerTest, SleepersWakeInTheOrderOfVirtualTime) {
  QuietSource quiet;
  std::string order;
  int64_t late = 0;
  const RunEnd end = Run(quiet, [&] {
    scheduler_.Spawn("late", [&] {
      scheduler_.Sleep(5'000'000'000);
      order += "late ";
      late = scheduler_.now_ns();
    });
    scheduler_.Spawn("early", [&] {
      scheduler_.Sleep(1'000'000);
      order += "early ";
    });
  });
  EXPECT_EQ(end.kind, RunEndKind::kCompleted);
  EXPECT_EQ(order, "early late ");
  EXPECT_GE(late, 5'000'000'000);
  EXPECT_LT(end.steps, 10u) << "the clock jumps; it does not tick";
}

TEST_F(SchedulerTest, ATimedWaitEndsByWakeUpOrByTime) {
  QuietSource quiet;
  bool woken = false;
  bool timed_out = false;
  Run(quiet, [&] {
    const ObjectId event = scheduler_.NewObject("event");
    const TaskId first = scheduler_.Spawn("woken", [&, event] {
      woken = scheduler_.BlockFor({OperationKind::kWait, event}, 1'000'000'000);
      timed_out = !scheduler_.BlockFor({OperationKind::kWait, event}, 1'000);
    });
    scheduler_.Spawn("waker", [&, first] { scheduler_.Wake(first); });
  });
  EXPECT_TRUE(woken);
  EXPECT_TRUE(timed_out);
}

TEST_F(SchedulerTest, ATimerFiresWhileOthersRun) {
  RandomWalk source(5);
  bool fired_while_running = false;
  bool running = true;
  Run(source, [&] {
    scheduler_.Spawn("sleeper", [&] {
      scheduler_.Sleep(20 * kStepNs);
      fired_while_running = running;
    });
    scheduler_.Spawn("runner", [&] {
      for (int i = 0; i < 500; ++i) scheduler_.Point(OperationKind::kYield, kNoObject);
      running = false;
    });
  });
  EXPECT_TRUE(fired_while_running);
}

TEST_F(SchedulerTest, WatchdogsTellLivelockFromLength) {
  QuietSource quiet;
  const auto spin = [&](bool progress) {
    scheduler_.Spawn("spinner", [&, progress] {
      while (true) {
        scheduler_.Point(OperationKind::kYield, kNoObject);
        if (progress) scheduler_.NoteProgress();
      }
    });
  };
  EXPECT_EQ(Run(quiet, [&] { spin(false); }).kind, RunEndKind::kLivelock);
  EXPECT_EQ(Run(quiet, [&] { spin(true); }).kind, RunEndKind::kStepLimit);
}

TEST_F(SchedulerTest, ATaskSuspendedInAReleaseIsUnwoundAtItsNextPoint) {
  RandomWalk source(1);
  int unwound = 0;
  for (int run = 0; run < 200; ++run) {
    Run(source, [&] {
      auto lock = std::make_shared<PlainLock>(scheduler_, "lock");
      scheduler_.Spawn("guarded", [&, lock] {
        struct Guard {
          PlainLock& lock;
          int* unwound;
          explicit Guard(PlainLock& l, int* count) : lock(l), unwound(count) { lock.Lock(); }
          ~Guard() {
            lock.Unlock();
            ++*unwound;
          }
        };
        for (int i = 0; i < 3; ++i) const Guard guard(*lock, &unwound);
      });
      scheduler_.Spawn("stopper", [&] {
        for (int i = 0; i < 4; ++i) scheduler_.Point(OperationKind::kYield, kNoObject);
        scheduler_.Stop();
      });
    });
  }
  EXPECT_GT(unwound, 0);
}

TEST_F(SchedulerTest, CandidatesNameTheTaskOfEachOption) {
  class Checking final : public ChoiceSource {
   public:
    bool WantsCandidates() const override { return true; }
    int Choose(const ChoicePoint& point) override {
      EXPECT_EQ(point.candidates.size(), static_cast<size_t>(point.options));
      for (const Candidate& candidate : point.candidates) seen.insert(Index(candidate.task));
      // A task that ran is at its write; one that did not has declared its start.
      if (point.candidates[0].task == point.task) {
        EXPECT_EQ(point.candidates[0].next.kind, OperationKind::kWrite);
        ++at_write;
      } else {
        EXPECT_EQ(point.candidates[0].next.kind, OperationKind::kStart);
      }
      return 0;
    }
    std::set<uint16_t> seen;
    int at_write = 0;
  } source;
  Run(source, [&] {
    const ObjectId object = scheduler_.NewObject("object");
    for (const char* name : {"a", "b", "c"}) {
      scheduler_.Spawn(name, [&, object] { scheduler_.Point(OperationKind::kWrite, object); });
    }
  });
  EXPECT_THAT(source.seen, ElementsAre(0, 1, 2));
  EXPECT_EQ(source.at_write, 2) << "the last of the three runs alone and is not asked about";
}

TEST_F(SchedulerTest, KeepsATraceOnRequest) {
  Scheduler traced({.keep_trace = true});
  QuietSource quiet;
  choices_.Begin(&quiet);
  traced.BeginRun(&choices_);
  const ObjectId object = traced.NewObject("folio", 3);
  traced.Spawn("a", [&] {
    traced.Point(OperationKind::kWrite, object);
    traced.NoteTrace("wrote");
  });
  traced.Run();
  traced.EndRun();
  ASSERT_EQ(traced.trace().size(), 2u);
  EXPECT_EQ(traced.trace()[0].operation.kind, OperationKind::kWrite);
  EXPECT_EQ(traced.ObjectName(traced.trace()[0].operation.object), "folio 3");
  EXPECT_EQ(traced.trace()[1].note, "wrote");
}

using SchedulerDeathTest = SchedulerTest;
TEST_F(SchedulerDeathTest, AnOverrunningStackHitsItsGuardPage) {
  QuietSource quiet;
  EXPECT_DEATH(
      {
        Run(quiet, [&] {
          scheduler_.Spawn("deep", [] {
            struct Recursion {
              static int Deep(volatile char* above, int depth) {
                volatile char frame[4096];
                frame[0] = above[0];
                return depth == 0 ? frame[0] : Deep(frame, depth - 1) + frame[0];
              }
            };
            volatile char top[1] = {1};
            Recursion::Deep(top, 1'000'000);
          });
        });
      },
      "");
}

}  // namespace
}  // namespace ordeal
