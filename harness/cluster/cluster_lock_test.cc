#include "harness/cluster/cluster_lock.h"

#include <gmock/gmock.h>

#include <functional>
#include <memory>
#include <utility>

#include "harness/cluster/cluster_test_fixture.h"
#include "harness/sync/mutex.h"

namespace ordeal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Two or three nodes that cache one lock.
class ClusterLockTest : public ClusterTest {
 protected:
  void SetUp() override { dlm_options_.detect_conversion_deadlock = false; }  // as OCFS2's lock manager

  template <typename Setup, typename Check>
  RunEnd RunLock(ChoiceSource& source, Setup setup, Check check) {
    const RunEnd end = Run(
        source,
        [&] {
          const ResourceId resource = NewResource(1);
          for (uint8_t n = 1; n <= cluster().nodes(); ++n) {
            workers_[n] = std::make_unique<DownconvertWorker>(dlm(), NodeId{n});
            locks_[n] = std::make_unique<ClusterLock>(*workers_[n], resource, user_, bugs_);
          }
          setup();
        },
        [&] {
          check();
          excessive_ = scheduler().retries().of(RetryReason::kOther).max;
        });
    for (auto& lock : locks_) lock.reset();
    for (auto& worker : workers_) worker.reset();
    return end;
  }
  template <typename Setup>
  RunEnd RunLock(ChoiceSource& source, Setup setup) {
    return RunLock(source, setup, [] {});
  }
  ClusterLock& lock(NodeId node) { return *locks_[Index(node)]; }
  void CheckInvariants() {
    ASSERT_EQ(dlm().FindIncompatibleGrant(), std::nullopt);
    for (uint8_t n = 1; n <= cluster().nodes(); ++n) ASSERT_EQ(lock(NodeId{n}).FindBrokenInvariant(), std::nullopt);
  }

  ClusterLockUser user_;
  ClusterLockBugs bugs_;
  PerNode<std::unique_ptr<DownconvertWorker>> workers_;
  PerNode<std::unique_ptr<ClusterLock>> locks_;
  uint32_t excessive_ = 0;
};

TEST_F(ClusterLockTest, KeepsTheLockUntilAnotherNodeWantsIt) {
  QuietSource quiet;
  const RunEnd end = RunLock(quiet, [&] {
    cluster().Spawn(kN1, "reader", [&] {
      lock(kN1).Lock(kPR);
      lock(kN1).Unlock(kPR);
      const uint64_t sent = cluster().network().sent();
      lock(kN1).Lock(kPR);
      lock(kN1).Unlock(kPR);
      EXPECT_EQ(cluster().network().sent(), sent) << "no message";
      EXPECT_EQ(lock(kN1).granted(), kPR);
      SleepTicks(2);
      EXPECT_EQ(lock(kN1).granted(), kNL);
    });
    cluster().Spawn(kN2, "writer", [&] {
      SleepTicks(1);
      lock(kN2).Lock(kEX);
      lock(kN2).Unlock(kEX);
      EXPECT_EQ(lock(kN2).granted(), kEX);
    });
  });
  EXPECT_EQ(end.kind, RunEndKind::kCompleted);
  EXPECT_THAT(Violations(), IsEmpty());
}

TEST_F(ClusterLockTest, ExcludesInEverySchedule) {
  cluster_options_.nodes = 3;
  RandomWalk walk(1);
  for (int run = 0; run < 2000; ++run) {
    if (run == 1000) faults_ = {ChoiceKind::kMessageDelay};
    int readers = 0;
    int writers = 0;
    int done = 0;
    const RunEnd end = RunLock(walk, [&] {
      for (const NodeId node : {kN1, kN2, kN3}) {
        for (const DlmMode first : {kPR, kEX}) {
          cluster().Spawn(node, "task", [&, node, first] {
            for (const DlmMode mode : {first, first == kPR ? kEX : kPR}) {
              ASSERT_EQ(lock(node).Lock(mode), ClusterLockStatus::kGranted);
              (mode == kPR ? readers : writers)++;
              CheckInvariants();
              Pause();
              // A writer of this node lets nobody else in on another; on its own node the users sort themselves out.
              for (const NodeId other : {kN1, kN2, kN3}) {
                ASSERT_TRUE(other == node || mode == kPR || lock(other).users() == 0);
              }
              (mode == kPR ? readers : writers)--;
              lock(node).Unlock(mode);
              scheduler().NoteProgress();
              ++done;
            }
          });
        }
      }
    });
    ASSERT_EQ(end.kind, RunEndKind::kCompleted) << run << "\n" << scheduler().DescribeTasks();
    ASSERT_EQ(done, 12);
    ASSERT_THAT(Violations(), IsEmpty());
  }
}

TEST_F(ClusterLockTest, RefreshesOnceWhenItWasAway) {
  RandomWalk walk(2);
  for (int run = 0; run < 300; ++run) {
    uint64_t last = 0;
    uint64_t cached[3] = {};
    user_.set_lvb = [&](Lvb* lvb) { (*lvb)[0] = cached[Index(cluster().current_node())]; };
    user_.refresh = [&](const Lvb* lvb) {
      Pause();
      cached[Index(cluster().current_node())] = lvb == nullptr ? last : (*lvb)[0];
    };
    const RunEnd end = RunLock(walk, [&] {
      for (const NodeId node : {kN1, kN2}) {
        for (int task = 0; task < 2; ++task) {
          cluster().Spawn(node, "appends", [&, node] {
            for (int i = 0; i < 2; ++i) {
              lock(node).Lock(kEX);
              ASSERT_EQ(cached[Index(node)], last) << "the size of before the lock was away";
              cached[Index(node)] = ++last;
              lock(node).Unlock(kEX);
            }
          });
        }
      }
    });
    ASSERT_EQ(end.kind, RunEndKind::kCompleted) << scheduler().DescribeTasks();
    ASSERT_EQ(last, 8u);
  }
}

// B65 at the level of the glue: who skips the refresh sees the size of before.
TEST_F(ClusterLockTest, WithoutRefreshTheValueIsStale) {
  RandomWalk walk(2);
  int stale = 0;
  for (int run = 0; run < 100; ++run) {
    uint64_t last = 0;
    uint64_t cached[3] = {};
    RunLock(walk, [&] {
      for (const NodeId node : {kN1, kN2}) {
        cluster().Spawn(node, "appends", [&, node] {
          for (int i = 0; i < 2; ++i) {
            lock(node).Lock(kEX);
            stale += cached[Index(node)] != last;
            cached[Index(node)] = ++last;
            lock(node).Unlock(kEX);
          }
        });
      }
    });
  }
  EXPECT_GT(stale, 50);
}

TEST_F(ClusterLockTest, TheHookRunsBeforeTheLockGoesAndMayAskForMoreTime) {
  QuietSource quiet;
  std::vector<std::string> calls;
  int refusals = 2;
  user_.downconvert = [&](DlmMode blocking, DlmMode new_mode) {
    calls.push_back(std::string(DlmModeName(blocking)) + " to " + DlmModeName(new_mode));
    EXPECT_EQ(lock(kN1).granted(), kEX);
    Pause(3);
    return refusals-- > 0 ? DownconvertAnswer::kRequeue : DownconvertAnswer::kContinue;
  };
  const RunEnd end = RunLock(quiet, [&] {
    cluster().Spawn(kN1, "writer", [&] {
      lock(kN1).Lock(kEX);
      lock(kN1).Unlock(kEX);
      for (int i = 0; i < 4; ++i) {
        SleepTicks(1);
        workers_[1]->Kick();
      }
    });
    cluster().Spawn(kN2, "reader", [&] {
      SleepTicks(1);
      lock(kN2).Lock(kPR);
      lock(kN2).Unlock(kPR);
      EXPECT_EQ(lock(kN1).granted(), kPR);
    });
  });
  EXPECT_EQ(end.kind, RunEndKind::kCompleted);
  EXPECT_THAT(calls, ElementsAre("PR to PR", "PR to PR", "PR to PR"));
}

// A reader that has a page locked and waits for the lock, which the worker cannot give down without the page (B46). The validator
// knows of it in any schedule, since the worker has the lock while the hook runs.
TEST_F(ClusterLockTest, APageLockedFirstIsADeadlockWithTheWorker) {
  for (const bool page_first : {true, false}) {
    RandomWalk walk(3);
    int deadlocks = 0;
    std::string cycle;
    for (int run = 0; run < 200; ++run) {
      std::unique_ptr<Mutex> page;
      user_.downconvert = [&](DlmMode, DlmMode) {
        if (cluster().current_node() == kN1) {
          page->Lock();
          page->Unlock();
        }
        return DownconvertAnswer::kContinue;
      };
      const RunEnd end = RunLock(
          walk,
          [&] {
            page = std::make_unique<Mutex>(sim_, sim_.Class("page_lock"), "page");
            cluster().Spawn(kN1, "reader", [&, page_first] {
              for (int i = 0; i < 2; ++i) {
                if (page_first) page->Lock();
                lock(kN1).Lock(kPR);
                if (!page_first) page->Lock();
                page->Unlock();
                lock(kN1).Unlock(kPR);
              }
            });
            cluster().Spawn(kN2, "writer", [&] {
              lock(kN2).Lock(kEX);
              lock(kN2).Unlock(kEX);
            });
          },
          [&] {
            if (scheduler().deadlock().is_cycle) cycle = Cycle();
          });
      if (end.kind == RunEndKind::kDeadlock) ++deadlocks;
      if (!page_first) {
        ASSERT_EQ(end.kind, RunEndKind::kCompleted);
        ASSERT_THAT(Violations(), IsEmpty());
      }
    }
    EXPECT_EQ(deadlocks > 10, page_first);
    if (page_first) {
      EXPECT_THAT(cycle, HasSubstr("node 1 reader waits for lock 1"));
      EXPECT_THAT(cycle, HasSubstr("node 1 downconvert waits for page"));
    }
  }
}

TEST_F(ClusterLockTest, DropGivesTheLockBack) {
  RandomWalk walk(4);
  for (int run = 0; run < 300; ++run) {
    const RunEnd end = RunLock(walk, [&] {
      cluster().Spawn(kN1, "evicts", [&] {
        lock(kN1).Lock(kEX);
        lock(kN1).Unlock(kEX);
        lock(kN1).Drop();
        ASSERT_EQ(lock(kN1).granted(), kNoDlmMode);
      });
      cluster().Spawn(kN2, "writer", [&] {
        lock(kN2).Lock(kEX);
        lock(kN2).Unlock(kEX);
      });
    });
    ASSERT_EQ(end.kind, RunEndKind::kCompleted) << scheduler().DescribeTasks();
  }
}

TEST_F(ClusterLockTest, OutlivesTheNodeThatHadIt) {
  faults_ = {ChoiceKind::kNodeDeath, ChoiceKind::kMessageDelay};
  cluster_options_.nodes = 3;
  RandomWalk walk(5);
  int deaths = 0;
  for (int run = 0; run < 500; ++run) {
    const RunEnd end = RunLock(
        walk,
        [&] {
          for (const NodeId node : {kN1, kN2, kN3}) {
            cluster().Spawn(node, "task", [&, node] {
              for (const DlmMode mode : {kPR, kEX, kPR}) {
                lock(node).Lock(mode);
                Pause();
                lock(node).Unlock(mode);
              }
            });
          }
        },
        [&] { deaths += 3 - cluster().alive_nodes(); });
    ASSERT_EQ(end.kind, RunEndKind::kCompleted) << run << scheduler().DescribeTasks();
  }
  EXPECT_GT(deaths, 300);
}

// --- the historical mistakes, in pairs ---

class ClusterLockBugTest : public ClusterLockTest {
 protected:
  // B56: both nodes convert again and again; each is granted and loses the lock before its task runs.
  RunEnd PingPong(ChoiceSource& source) {
    return RunLock(source, [&] {
      for (const NodeId node : {kN1, kN2}) {
        cluster().Spawn(node, "writer", [&, node] {
          lock(node).Lock(kPR);
          lock(node).Unlock(kPR);
          for (int i = 0; i < 3; ++i) {
            lock(node).Lock(kEX);
            lock(node).Unlock(kEX);
          }
          scheduler().NoteProgress();
        });
      }
    });
  }
  // B57: node 1 tries, does not wait for the AST and leaves; node 2 wants the lock afterwards.
  RunEnd TryAndLeave(ChoiceSource& source) {
    return RunLock(source, [&] {
      cluster().Spawn(kN1, "tries", [&] {
        lock(kN1).Lock(kPR);
        lock(kN1).Unlock(kPR);
        if (lock(kN1).Lock(kEX, {.nonblock = true}) == ClusterLockStatus::kGranted) lock(kN1).Unlock(kEX);
      });
      cluster().Spawn(kN2, "writer", [&] {
        for (int i = 0; i < 2; ++i) {
          lock(kN2).Lock(kEX);
          lock(kN2).Unlock(kEX);
        }
      });
    });
  }
  // B58: a task takes the lock twice, for reading; in between node 2 asks for it.
  RunEnd ReadTwice(ChoiceSource& source) {
    return RunLock(
        source,
        [&] {
          cluster().Spawn(kN1, "reader", [&] {
            lock(kN1).Lock(kPR);
            Pause(3);
            lock(kN1).Lock(kPR);
            lock(kN1).Unlock(kPR);
            lock(kN1).Unlock(kPR);
          });
          cluster().Spawn(kN2, "writer", [&] {
            lock(kN2).Lock(kEX);
            lock(kN2).Unlock(kEX);
          });
        },
        [&] { cycle_ = Cycle(); });
  }
  std::string cycle_;
};

// The schedule against B56: daemons are quicker than tasks, and of the tasks the one that has just been granted the lock is last.
class GrantedLast final : public ChoiceSource {
 public:
  GrantedLast(int daemons, std::function<bool(TaskId)> granted) : daemons_(daemons), granted_(std::move(granted)) {}
  bool WantsCandidates() const override { return true; }
  int Choose(const ChoicePoint& point) override {
    if (point.kind != ChoiceKind::kSchedule) return 0;
    size_t best = 0;
    for (size_t i = 1; i < point.candidates.size(); ++i) {
      if (Rank(point.candidates[i].task) < Rank(point.candidates[best].task)) best = i;
    }
    return static_cast<int>(best);
  }

 private:
  int Rank(TaskId task) const { return Index(task) < daemons_ ? 0 : granted_(task) ? 2 : 1; }

  const int daemons_;
  const std::function<bool(TaskId)> granted_;
};

TEST_F(ClusterLockBugTest, B56AGrantThatIsStolenBeforeItIsTakenIsALivelock) {
  bugs_.no_upconvert_finishing = true;
  GrantedLast adversary(/*daemons=*/4, [&](TaskId task) { return lock(cluster().NodeOf(task)).granted() == kEX; });
  ASSERT_EQ(PingPong(adversary).kind, RunEndKind::kLivelock);
  ASSERT_EQ(scheduler().livelock().retriers.size(), 2u) << "both nodes' tasks";
  RandomWalk walk(6);
  uint32_t most = 0;
  for (int run = 0; run < 500; ++run) {
    PingPong(walk);
    most = std::max(most, excessive_);
  }
  EXPECT_GT(most, 1u) << "random schedules steal it a few times";
}

TEST_F(ClusterLockBugTest, B56CleanTakesItOnceBeforeItGoes) {
  GrantedLast adversary(/*daemons=*/4, [&](TaskId task) { return lock(cluster().NodeOf(task)).granted() == kEX; });
  ASSERT_EQ(PingPong(adversary).kind, RunEndKind::kCompleted);
  RandomWalk walk(6);
  for (int run = 0; run < 2000; ++run) {
    if (run == 1000) faults_ = {ChoiceKind::kMessageDelay};
    ASSERT_EQ(PingPong(walk).kind, RunEndKind::kCompleted) << scheduler().DescribeTasks();
    ASSERT_LE(excessive_, 1u) << "only a first grant can be stolen: there is no conversion to finish";
    ASSERT_THAT(Violations(), IsEmpty());
  }
}

TEST_F(ClusterLockBugTest, B57AConverterThatLeftIsALostWakeUp) {
  bugs_.nonblock_abandons_busy = true;
  RandomWalk walk(7);
  int hangs = 0;
  for (int run = 0; run < 500; ++run) {
    const RunEnd end = TryAndLeave(walk);
    if (end.kind == RunEndKind::kCompleted) continue;
    ASSERT_EQ(end.kind, RunEndKind::kDeadlock);
    ASSERT_FALSE(scheduler().deadlock().is_cycle) << "there is nobody to wait for";
    ++hangs;
  }
  EXPECT_GT(hangs, 10);
}

TEST_F(ClusterLockBugTest, B57CleanLeavesTheLockToTheWorker) {
  RandomWalk walk(7);
  for (int run = 0; run < 2000; ++run) {
    if (run == 1000) faults_ = {ChoiceKind::kMessageDelay};
    ASSERT_EQ(TryAndLeave(walk).kind, RunEndKind::kCompleted) << scheduler().DescribeTasks();
    ASSERT_THAT(Violations(), IsEmpty());
  }
}

TEST_F(ClusterLockBugTest, B58ASecondReadBehindABlockedWriterWaitsForItself) {
  bugs_.no_holder_tracking = true;
  RandomWalk walk(8);
  int deadlocks = 0;
  for (int run = 0; run < 500; ++run) {
    const RunEnd end = ReadTwice(walk);
    if (end.kind == RunEndKind::kCompleted) continue;
    ASSERT_EQ(end.kind, RunEndKind::kDeadlock);
    ASSERT_TRUE(scheduler().deadlock().is_cycle);
    EXPECT_EQ(cycle_, "node 1 reader waits for lock 1");
    ++deadlocks;
  }
  EXPECT_GT(deadlocks, 50);
}

TEST_F(ClusterLockBugTest, B58CleanKnowsItsHolders) {
  RandomWalk walk(8);
  for (int run = 0; run < 2000; ++run) {
    if (run == 1000) faults_ = {ChoiceKind::kMessageDelay};
    ASSERT_EQ(ReadTwice(walk).kind, RunEndKind::kCompleted) << scheduler().DescribeTasks();
    ASSERT_THAT(Violations(), IsEmpty());
  }
}

TEST_F(ClusterLockBugTest, AStrongerModeOfWhatTheTaskHasIsRefused) {
  QuietSource quiet;
  RunLock(quiet, [&] {
    cluster().Spawn(kN1, "upgrader", [&] {
      lock(kN1).Lock(kPR);
      EXPECT_EQ(lock(kN1).Lock(kEX), ClusterLockStatus::kInvalid);
      lock(kN1).Unlock(kPR);
    });
  });
}

}  // namespace
}  // namespace ordeal
