#include <gmock/gmock.h>

#include "harness/cluster/cluster_test_fixture.h"
#include "harness/cluster/dlm.h"

namespace ordeal {
namespace {

using ::testing::IsEmpty;

class RecoveryTest : public ClusterTest {
 protected:
  void SetUp() override { cluster_options_.nodes = 3; }
  DlmStatus Get(NodeId node, ResourceId lock, DlmMode mode) {
    dlm().Request(node, lock, mode);
    return dlm().Wait(node, lock);
  }
  void Kill(NodeId node) {
    cluster().Kill(node);
    EXPECT_FALSE(cluster().alive(node));
  }
};

TEST_F(RecoveryTest, ADeadHoldersLockIsGrantedToWhoWaits) {
  for (const NodeId master : {kN1, kN2, kN3}) {
    QuietSource quiet;
    bool granted = false;
    const RunEnd end = Run(quiet, [&] {
      const ResourceId lock = NewResource(1, master);
      cluster().Spawn(kN1, "holder", [&, lock] {
        dlm().Lock(lock, kEX);
        SleepTicks(100);
        ADD_FAILURE() << "it is dead";
      });
      cluster().Spawn(kN2, "waiter", [&, lock] {
        SleepTicks(1);
        granted = dlm().Lock(lock, kEX) == DlmStatus::kGranted;
        dlm().Unlock(lock);
      });
      cluster().Spawn(kN3, "killer", [&] {
        SleepTicks(2);
        EXPECT_FALSE(granted);
        Kill(kN1);
      });
    });
    EXPECT_EQ(end.kind, RunEndKind::kCompleted) << "master " << Index(master);
    EXPECT_TRUE(granted) << (master == kN1 ? "holder and master died" : "the holder died");
    EXPECT_THAT(Violations(), IsEmpty());
  }
}

TEST_F(RecoveryTest, RemasteringKeepsWhatSurvivorsHaveAndWaitFor) {
  QuietSource quiet;
  bool writer_done = false;
  const RunEnd end = Run(quiet, [&] {
    const ResourceId lock = NewResource(1, kN1);
    cluster().Spawn(kN2, "reader", [&, lock] {
      dlm().Lock(lock, kPR);
      SleepTicks(5);
      EXPECT_FALSE(writer_done) << "the new master knows of this lock";
      EXPECT_EQ(dlm().master(lock), kN2);
      dlm().Unlock(lock);
    });
    cluster().Spawn(kN3, "writer", [&, lock] {
      SleepTicks(1);
      EXPECT_EQ(dlm().Lock(lock, kEX), DlmStatus::kGranted);
      writer_done = true;
      dlm().Unlock(lock);
    });
    cluster().Spawn(kN3, "killer", [&, lock] {
      SleepTicks(2);
      Kill(kN1);
      EXPECT_TRUE(dlm().recovering(lock));
      Settle();
      EXPECT_FALSE(dlm().recovering(lock));
      EXPECT_EQ(dlm().ToString(lock), "lock 1, master 2: granted 2:PR, waiting 3:EX");
    });
  });
  EXPECT_EQ(end.kind, RunEndKind::kCompleted) << scheduler().DescribeTasks();
  EXPECT_TRUE(writer_done);
}

TEST_F(RecoveryTest, NothingIsGrantedUntilRecoveryIsOver) {
  QuietSource quiet;
  const RunEnd end = Run(quiet, [&] {
    const ResourceId lock = NewResource(1, kN1);
    cluster().Spawn(kN2, "task", [&, lock] {
      Kill(kN1);
      ASSERT_TRUE(dlm().recovering(lock));
      // The survivors' reports are on their way; a request sent now is behind them.
      dlm().Request(kN2, lock, kEX);
      while (dlm().recovering(lock)) {
        ASSERT_EQ(dlm().granted(kN2, lock), kNoDlmMode);
        scheduler().Sleep(kStepNs);
      }
      ASSERT_EQ(dlm().Wait(kN2, lock), DlmStatus::kGranted);
    });
  });
  EXPECT_EQ(end.kind, RunEndKind::kCompleted);
}

// With a journal to replay no resource grants anything before the end of it, also one that the dead had no part in.
TEST_F(RecoveryTest, NothingIsGrantedUntilTheReplayIsDone) {
  for (const bool waits : {true, false}) {
    dlm_options_.waits_for_replay = waits;
    QuietSource quiet;
    bool replayed = false;
    int granted_before = 0;
    int granted = 0;
    const RunEnd end = Run(quiet, [&] {
      const ResourceId locks[] = {NewResource(1, kN1), NewResource(2, kN2), NewResource(3, kN3)};
      cluster().Spawn(kN1, "holder", [&, lock = locks[1]] {
        dlm().Lock(lock, kEX);
        SleepTicks(100);
      });
      for (const ResourceId lock : locks) {
        cluster().Spawn(kN2, "survivor", [&, lock] {
          SleepTicks(2);
          ASSERT_EQ(dlm().Lock(lock, kEX), DlmStatus::kGranted);
          granted_before += !replayed;
          ++granted;
          dlm().Unlock(lock);
        });
      }
      cluster().Spawn(kN3, "recovery", [&] {
        SleepTicks(1);
        Kill(kN1);
        SleepTicks(5);
        replayed = true;
        if (waits) dlm().ReplayDone();
      });
    });
    EXPECT_EQ(end.kind, RunEndKind::kCompleted) << scheduler().DescribeTasks();
    EXPECT_EQ(granted, 3);
    EXPECT_EQ(granted_before, waits ? 0 : 3);
  }
}

// Goal: who converts between PR and CW may have been granted it without knowing, and another node beside it, when the master dies.
// Method: node 3 has PR and is granted CW by the master, node 1; node 2 is granted CW and hears of it; the master dies before
// node 3 does. The two have then told the new master CW and PR, which do not go together.
TEST_F(RecoveryTest, AConversionBetweenSharedAndConcurrentWriteSurvivesItsMaster) {
  faults_ = {ChoiceKind::kMessageDelay};
  RandomWalk walk(3);
  for (int run = 0; run < 2000; ++run) {
    const RunEnd end = Run(walk, [&] {
      const ResourceId lock = NewResource(1, kN1);
      cluster().Spawn(kN3, "converter", [&, lock] {
        Get(kN3, lock, kPR);
        cluster().Spawn(kN2, "other", [&, lock] { ASSERT_EQ(Get(kN2, lock, kCW), DlmStatus::kGranted); });
        ASSERT_EQ(Get(kN3, lock, kCW), DlmStatus::kGranted);
      });
      cluster().Spawn(kN2, "killer", [&] {
        Pause(static_cast<int>(run_ % 60));
        cluster().Kill(kN1);
      });
    });
    ASSERT_EQ(end.kind, RunEndKind::kCompleted) << run << "\n" << scheduler().DescribeTasks();
  }
}

TEST_F(RecoveryTest, AResourceThatTheDeadHadNoPartInIsNotDisturbed) {
  QuietSource quiet;
  Run(quiet, [&] {
    const ResourceId theirs = NewResource(1, kN1);
    const ResourceId ours = NewResource(2, kN2);
    cluster().Spawn(kN2, "task", [&, theirs, ours] {
      Get(kN2, ours, kEX);
      Kill(kN1);
      EXPECT_TRUE(dlm().recovering(theirs));
      EXPECT_FALSE(dlm().recovering(ours));
    });
  });
}

TEST_F(RecoveryTest, TheValueBlockSurvivesItsReadersAndNotItsWriter) {
  for (const bool master_dies : {false, true}) {
    for (const DlmMode mode : {kPR, kPW, kEX}) {
      QuietSource quiet;
      Run(quiet, [&] {
        const ResourceId lock = NewResource(1, master_dies ? kN1 : kN2);
        cluster().Spawn(kN2, "task", [&, lock, mode] {
          Get(kN2, lock, kEX);
          dlm().lvb(kN2, lock)[0] = 42;
          Get(kN2, lock, mode == kPR ? kPR : kNL);
          Get(kN1, lock, mode);
          EXPECT_EQ(dlm().lvb(kN1, lock)[0], 42u);
          Kill(kN1);
          Get(kN2, lock, mode == kPR ? kNL : kPR);
          Get(kN3, lock, kPR);
          // A reader that survives knows the block, whoever was the master.
          EXPECT_EQ(dlm().lvb_valid(kN3, lock), mode == kPR);
          if (mode == kPR) {
            EXPECT_EQ(dlm().lvb(kN3, lock)[0], 42u);
          }
        });
      });
    }
  }
}

TEST_F(RecoveryTest, ASecondDeathDuringRecoveryStartsItAgain) {
  cluster_options_.nodes = 4;
  const NodeId n4{4};
  for (const NodeId second : {kN2, kN3}) {
    RandomWalk walk(1);
    for (int run = 0; run < 200; ++run) {
      bool granted = false;
      const RunEnd end = Run(walk, [&] {
        const ResourceId lock = NewResource(1, kN1);
        cluster().Spawn(n4, "task", [&, lock, second] {
          Get(second, lock, kPR);
          Get(n4, lock, kPR);
          Kill(kN1);
          Pause(static_cast<int>(run_ % 7));
          Kill(second);
          ASSERT_EQ(Get(n4, lock, kEX), DlmStatus::kGranted);
          granted = true;
        });
      });
      ASSERT_EQ(end.kind, RunEndKind::kCompleted) << scheduler().DescribeTasks();
      ASSERT_TRUE(granted);
    }
  }
}

// Any node may die at any message; whoever lives gets its locks, and never two at once.
TEST_F(RecoveryTest, SurvivorsAlwaysFinish) {
  cluster_options_.nodes = 4;
  cluster_options_.deaths_max = 2;
  faults_ = {ChoiceKind::kNodeDeath, ChoiceKind::kMessageDelay};
  RandomWalk walk(2);
  int deaths = 0;
  for (int run = 0; run < 1500; ++run) {
    PerNode<int> done{};
    PerNode<bool> inside[2] = {};
    bool alive[kNodesMax + 1];
    const RunEnd end = Run(
        walk,
        [&] {
          const ResourceId locks[] = {NewResource(1), NewResource(2)};
          for (uint8_t n = 1; n <= 4; ++n) {
            cluster().Spawn(NodeId{n}, "task", [&, n, locks = std::to_array(locks)] {
              for (int i = 0; i < 2; ++i) {
                const ResourceId lock = locks[static_cast<size_t>(i)];
                dlm().Lock(lock, kPR);
                const DlmStatus status = dlm().Convert(lock, kEX);
                if (status == DlmStatus::kGranted) {
                  inside[i][n] = true;
                  for (uint8_t other = 1; other <= 4; ++other) {
                    ASSERT_FALSE(other != n && inside[i][other] && cluster().alive(NodeId{other}));
                  }
                  Pause();
                  inside[i][n] = false;
                }
                ASSERT_EQ(dlm().FindIncompatibleGrant(), std::nullopt);
                dlm().Unlock(lock);
                Pause(2);
              }
              ++done[n];
            });
          }
        },
        [&] {
          for (uint8_t n = 1; n <= 4; ++n) alive[n] = cluster().alive(NodeId{n});
          deaths += 4 - cluster().alive_nodes();
        });
    ASSERT_EQ(end.kind, RunEndKind::kCompleted) << run << "\n" << scheduler().DescribeTasks();
    for (uint8_t n = 1; n <= 4; ++n) ASSERT_TRUE(!alive[n] || done[n] == 1) << "node " << int{n};
    ASSERT_THAT(Violations(), IsEmpty());
  }
  EXPECT_GT(deaths, 1500);
}

}  // namespace
}  // namespace ordeal
