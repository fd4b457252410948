#include "harness/cluster/dlm.h"

#include <gmock/gmock.h>

#include "harness/cluster/cluster_test_fixture.h"

namespace ordeal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class DlmTest : public ClusterTest {
 protected:
  // A user that does nothing but remember.
  DlmUser Recorder(std::vector<std::string>* events) {
    return {.on_ast = [events](DlmStatus status) { events->push_back(DlmStatusName(status)); },
            .on_bast = [events](DlmMode mode) { events->push_back(std::string("wants ") + DlmModeName(mode)); }};
  }
};

TEST_F(DlmTest, GrantsAndTellsTheHolderWhoWaits) {
  for (const NodeId master : {kN1, kN2}) {
    QuietSource quiet;
    std::vector<std::string> one;
    std::vector<std::string> two;
    const RunEnd end = Run(quiet, [&] {
      const ResourceId lock = NewResource(1, master);
      dlm().Attach(kN1, lock, Recorder(&one));
      dlm().Attach(kN2, lock, Recorder(&two));
      cluster().Spawn(kN1, "user", [&, lock] {
        dlm().Request(kN1, lock, kPR);
        EXPECT_TRUE(dlm().busy(kN1, lock));
        EXPECT_EQ(dlm().Wait(kN1, lock), DlmStatus::kGranted);
        EXPECT_EQ(dlm().granted(kN1, lock), kPR);
        dlm().Request(kN2, lock, kEX);
        Settle();
        EXPECT_EQ(dlm().granted(kN2, lock), kNoDlmMode);
        dlm().Request(kN1, lock, kNL);
        EXPECT_EQ(dlm().granted(kN1, lock), kNL) << "giving down needs no consent";
        EXPECT_TRUE(dlm().busy(kN1, lock)) << "but its AST follows";
        Settle();
        EXPECT_EQ(dlm().granted(kN2, lock), kEX);
      });
    });
    EXPECT_EQ(end.kind, RunEndKind::kCompleted);
    EXPECT_THAT(one, ElementsAre("granted", "wants EX", "granted"));
    EXPECT_THAT(two, ElementsAre("granted"));
  }
}

TEST_F(DlmTest, ExcludesAcrossNodesInEverySchedule) {
  cluster_options_.nodes = 3;
  faults_ = {ChoiceKind::kMessageDelay};
  RandomWalk walk(1);
  int most_readers = 0;
  for (int run = 0; run < 400; ++run) {
    int readers = 0;
    int writers = 0;
    int done = 0;
    const RunEnd end = Run(walk, [&] {
      const ResourceId lock = NewResource(1);
      for (const NodeId node : {kN1, kN2, kN3}) {
        for (const DlmMode mode : {kPR, kEX}) {
          cluster().Spawn(node, mode == kPR ? "reader" : "writer", [&, lock, mode] {
            ASSERT_EQ(dlm().Lock(lock, mode), DlmStatus::kGranted);
            (mode == kPR ? readers : writers)++;
            most_readers = std::max(most_readers, readers);
            ASSERT_TRUE(writers == 0 || (writers == 1 && readers == 0));
            ASSERT_EQ(dlm().FindIncompatibleGrant(), std::nullopt);
            Pause(2);
            (mode == kPR ? readers : writers)--;
            dlm().Unlock(lock);
            ++done;
          });
        }
      }
    });
    ASSERT_EQ(end.kind, RunEndKind::kCompleted) << scheduler().DescribeTasks();
    ASSERT_EQ(done, 6);
    ASSERT_THAT(Violations(), IsEmpty());
  }
  EXPECT_GT(most_readers, 1);
}

TEST_F(DlmTest, ATryLockFailsAtOnceAndLeavesNothingBehind) {
  QuietSource quiet;
  const RunEnd end = Run(quiet, [&] {
    const ResourceId lock = NewResource(1);
    cluster().Spawn(kN1, "holder", [&, lock] {
      dlm().Lock(lock, kEX);
      SleepTicks(2);
      dlm().Unlock(lock);
    });
    cluster().Spawn(kN2, "tries", [&, lock] {
      SleepTicks(1);
      EXPECT_EQ(dlm().Lock(lock, kPR, {.no_queue = true}), DlmStatus::kAgain);
      SleepTicks(3);
      EXPECT_EQ(dlm().Lock(lock, kPR, {.no_queue = true}), DlmStatus::kGranted);
      dlm().Unlock(lock);
    });
  });
  EXPECT_EQ(end.kind, RunEndKind::kCompleted);
  EXPECT_THAT(Violations(), IsEmpty());
}

TEST_F(DlmTest, ACancelIsInTimeOrHasNoEffect) {
  RandomWalk walk(2);
  int canceled = 0;
  int granted = 0;
  for (int run = 0; run < 300; ++run) {
    const RunEnd end = Run(walk, [&] {
      const ResourceId lock = NewResource(1);
      cluster().Spawn(kN1, "holder", [&, lock] {
        dlm().Lock(lock, kPR);
        Pause(10);
        dlm().Unlock(lock);
      });
      cluster().Spawn(kN2, "cancels", [&, lock] {
        dlm().Request(kN2, lock, kPR);
        ASSERT_EQ(dlm().Wait(kN2, lock), DlmStatus::kGranted);
        dlm().Request(kN2, lock, kEX);
        Pause(6);
        dlm().Cancel(kN2, lock);
        const DlmStatus status = dlm().Wait(kN2, lock);
        ASSERT_EQ(dlm().granted(kN2, lock), status == DlmStatus::kGranted ? kEX : kPR);
        ++(status == DlmStatus::kGranted ? granted : canceled);
        dlm().Unlock(kN2, lock);
        Settle();
      });
    });
    ASSERT_EQ(end.kind, RunEndKind::kCompleted);
  }
  EXPECT_GT(canceled, 20);
  EXPECT_GT(granted, 20);
  EXPECT_EQ(canceled + granted, 300);
}

TEST_F(DlmTest, CarriesTheValueBlockFromWriterToReaders) {
  RandomWalk walk(3);
  for (int run = 0; run < 200; ++run) {
    uint64_t last = 0;
    const RunEnd end = Run(walk, [&] {
      const ResourceId lock = NewResource(1);
      for (const NodeId node : {kN1, kN2}) {
        cluster().Spawn(node, "appends", [&, node, lock] {
          for (int i = 0; i < 3; ++i) {
            dlm().Lock(lock, kEX);
            ASSERT_EQ(dlm().lvb_valid(node, lock), last != 0);
            if (last != 0) {
              ASSERT_EQ(dlm().lvb(node, lock)[0], last);
            }
            dlm().lvb(node, lock)[0] = ++last;
            dlm().Unlock(lock);
          }
        });
      }
    });
    ASSERT_EQ(end.kind, RunEndKind::kCompleted);
    ASSERT_EQ(last, 6u);
  }
}

// --- deadlocks ---

// Two resources, two nodes; node 2 takes them in the order of `ordered`.
class CrossNodeTest : public DlmTest {
 protected:
  RunEnd TakeBoth(ChoiceSource& source, bool ordered) {
    return Run(
        source,
        [&, ordered] {
          const ResourceId low = NewResource(1);
          const ResourceId high = NewResource(2);
          for (const NodeId node : {kN1, kN2}) {
            const bool swapped = node == kN2 && !ordered;
            const ResourceId first = swapped ? high : low;
            const ResourceId second = swapped ? low : high;
            cluster().Spawn(node, "renamer", [&, first, second] {
              dlm().Lock(first, kEX);
              dlm().Lock(second, kEX);
              dlm().Unlock(second);
              dlm().Unlock(first);
            });
          }
        },
        [&] { cycle_ = Cycle(); });
  }
  std::string cycle_;
};

TEST_F(CrossNodeTest, OppositeOrdersOnTwoNodesAreADeadlockThatNamesBoth) {
  RandomWalk walk(4);
  int deadlocks = 0;
  for (int run = 0; run < 200; ++run) {
    const RunEnd end = TakeBoth(walk, /*ordered=*/false);
    ASSERT_THAT(Violations(), ElementsAre("recursive: dlm lock")) << "the order is wrong whether or not it blocks";
    if (end.kind == RunEndKind::kCompleted) continue;
    ASSERT_EQ(end.kind, RunEndKind::kDeadlock);
    ASSERT_TRUE(scheduler().deadlock().is_cycle);
    ASSERT_EQ(scheduler().deadlock().cycle.size(), 2u);
    EXPECT_THAT(cycle_, HasSubstr("node 1 renamer waits for lock 2"));
    EXPECT_THAT(cycle_, HasSubstr("node 2 renamer waits for lock 1"));
    ++deadlocks;
  }
  EXPECT_GT(deadlocks, 20);
  EXPECT_LT(deadlocks, 200);
}

TEST_F(CrossNodeTest, OneOrderIsSilent) {
  RandomWalk walk(5);
  for (int run = 0; run < 2000; ++run) {
    if (run == 1000) faults_ = {ChoiceKind::kMessageDelay};
    ASSERT_EQ(TakeBoth(walk, /*ordered=*/true).kind, RunEndKind::kCompleted);
    ASSERT_THAT(Violations(), IsEmpty());
  }
}

// A third task that keeps running hides nothing: the cycle ends the run the moment the last message is in.
TEST_F(CrossNodeTest, IsFoundWhileOthersGoOnRunning) {
  RandomWalk walk(6);
  int deadlocks = 0;
  for (int run = 0; run < 50; ++run) {
    bool finished = false;
    const RunEnd end = Run(walk, [&] {
      const ResourceId locks[] = {NewResource(1), NewResource(2)};
      for (const NodeId node : {kN1, kN2}) {
        cluster().Spawn(node, "renamer", [&, node, first = locks[node == kN2], second = locks[node == kN1]] {
          dlm().Lock(first, kEX);
          Settle();
          dlm().Lock(second, kEX);
        });
      }
      scheduler().Spawn("busy", [&] {
        for (int i = 0; i < 2000; ++i) {
          Pause();
          scheduler().NoteProgress();
        }
        finished = true;
      });
    });
    if (end.kind == RunEndKind::kDeadlock && scheduler().deadlock().is_cycle && !finished) ++deadlocks;
  }
  EXPECT_GT(deadlocks, 40);
}

// Three nodes, three locks: each has one and wants the next one's.
TEST_F(CrossNodeTest, ARingOfThreeNodesIsOneCycle) {
  cluster_options_.nodes = 3;
  QuietSource quiet;
  const RunEnd end = Run(
      quiet,
      [&] {
        const ResourceId locks[] = {NewResource(1), NewResource(2), NewResource(3)};
        for (const NodeId node : {kN1, kN2, kN3}) {
          const ResourceId mine = locks[Index(node) - 1];
          const ResourceId next = locks[Index(node) % 3];
          cluster().Spawn(node, "task", [&, mine, next] {
            dlm().Lock(mine, kEX);
            SleepTicks(1);
            dlm().Lock(next, kEX);
          });
        }
      },
      [&] { cycle_ = Cycle(); });
  EXPECT_EQ(end.kind, RunEndKind::kDeadlock);
  EXPECT_EQ(scheduler().deadlock().cycle.size(), 3u) << cycle_;
}

// A DLM lock against a local mutex: node 1 takes the mutex first, node 2 the lock; each node has its own mutex, of one class, so
// nothing ever blocks for good, but the orders contradict each other.
TEST_F(CrossNodeTest, OrdersAgainstALocalLockAreOneGraphForAllNodes) {
  for (const bool opposite : {false, true}) {
    QuietSource quiet;
    const RunEnd end = Run(quiet, [&] {
      const ResourceId lock = NewResource(1);
      const lockdep::LockClassId local = sim_.Class("i_rwsem");
      for (const NodeId node : {kN1, kN2}) {
        cluster().Spawn(node, "task", [&, local, lock, dlm_first = opposite && node == kN2] {
          lockdep::LockMap map = sim_.validator().NewMap(local);
          if (dlm_first) dlm().Lock(lock, kEX);
          sim_.validator().Acquire(sim_.context(), map, lockdep::Mode::kExclusive, {0, false, lockdep::Site::Here()});
          if (!dlm_first) dlm().Lock(lock, kEX);
          dlm().Unlock(lock);
          sim_.validator().Release(sim_.context(), map);
        });
      }
    });
    EXPECT_EQ(end.kind, RunEndKind::kCompleted);
    if (opposite) {
      EXPECT_THAT(Violations(), ElementsAre("circular: dlm lock > i_rwsem"));
    } else {
      EXPECT_THAT(Violations(), IsEmpty());
    }
  }
}

TEST_F(CrossNodeTest, TwoConversionsAreRefusedOrADeadlock) {
  for (const bool detect : {true, false}) {
    dlm_options_.detect_conversion_deadlock = detect;
    RandomWalk walk(7);
    int refused = 0;
    int deadlocks = 0;
    for (int run = 0; run < 200; ++run) {
      const RunEnd end = Run(walk, [&] {
        const ResourceId lock = NewResource(1);
        for (const NodeId node : {kN1, kN2}) {
          cluster().Spawn(node, "upgrader", [&, lock] {
            dlm().Lock(lock, kPR);
            if (dlm().Convert(lock, kEX) == DlmStatus::kDeadlock) ++refused;
            dlm().Unlock(lock);
          });
        }
      });
      ASSERT_THAT(Violations(), IsEmpty());
      deadlocks += end.kind == RunEndKind::kDeadlock && scheduler().deadlock().is_cycle;
      if (end.kind != RunEndKind::kCompleted) {
        ASSERT_EQ(end.kind, RunEndKind::kDeadlock);
      }
    }
    EXPECT_EQ(refused > 20, detect);
    EXPECT_EQ(deadlocks > 20, !detect);
    EXPECT_EQ(refused > 0 && deadlocks > 0, false);
  }
}

// What the holder's glue names is what the requester waits for: here a worker that waits for a local user, who waits for node 2.
TEST_F(CrossNodeTest, EdgesGoThroughTheTasksThatTheHolderNames) {
  for (const bool named : {true, false}) {
    QuietSource quiet;
    const RunEnd end = Run(
        quiet,
        [&] {
          const ResourceId cached = NewResource(1);
          const ResourceId other = NewResource(2);
          const TaskId user = cluster().Spawn(kN1, "user", [&, cached, other] {
            dlm().Request(kN1, cached, kPR);
            dlm().Wait(kN1, cached);
            SleepTicks(1);
            dlm().Lock(other, kEX);
          });
          if (named) {
            dlm().Attach(kN1, cached, {.append_blockers = [user](TaskId, Blockers* out) { out->Add(user); }});
          }
          cluster().Spawn(kN2, "writer", [&, cached, other] {
            dlm().Lock(other, kEX);
            SleepTicks(1);
            dlm().Lock(cached, kEX);
          });
        },
        [&] { cycle_ = Cycle(); });
    EXPECT_EQ(end.kind, RunEndKind::kDeadlock);
    EXPECT_EQ(scheduler().deadlock().is_cycle, named) << "with nobody named it is a lost wake-up";
    if (named) {
      EXPECT_THAT(cycle_, HasSubstr("node 1 user waits for lock 2"));
    }
  }
}

TEST_F(CrossNodeTest, OneScheduleIsOneRun) {
  faults_ = {ChoiceKind::kMessageDelay, ChoiceKind::kNodeDeath};
  for (uint64_t seed = 0; seed < 50; ++seed) {
    uint64_t hashes[2];
    for (uint64_t& hash : hashes) {
      RandomWalk walk(seed);
      run_ = 0;
      hash = TakeBoth(walk, true).trace_hash;
    }
    ASSERT_EQ(hashes[0], hashes[1]);
  }
}

}  // namespace
}  // namespace ordeal
