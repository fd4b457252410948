#include "harness/cluster/cluster.h"

#include <gmock/gmock.h>

#include <map>

#include "harness/cluster/cluster_test_fixture.h"

namespace ordeal {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// The network alone: who receives is the test.
class NetworkTest : public ClusterTest {
 protected:
  void SetUp() override { cluster_options_.nodes = 3; }
  // Node 1 sends `count` messages about each of three resources, node 3 about the first one; node 2 notes what it receives.
  template <typename Check>
  RunEnd Exchange(ChoiceSource& source, int count, Check check) {
    received_.clear();
    return Run(
        source,
        [&] {
          cluster().set_receiver([this](const Delivery& delivery) { received_.push_back(delivery); });
          for (const NodeId from : {kN1, kN3}) {
            cluster().Spawn(from, "sender", [&, from, count] {
              for (int i = 0; i < count; ++i) {
                for (uint16_t r = 0; r < (from == kN1 ? 3 : 1); ++r) {
                  cluster().Send(from, kN2, {.resource = ResourceId{r}, .mode = i});
                  Pause();
                }
              }
              Settle();
            });
          }
        },
        check);
  }
  bool InOrderWithinEachChannel() const {
    std::map<std::pair<size_t, size_t>, int> next;
    for (const Delivery& delivery : received_) {
      int& expected = next[{Index(delivery.from), Index(delivery.message.resource)}];
      if (delivery.message.mode != expected++) return false;
    }
    return true;
  }

  std::vector<Delivery> received_;
};

TEST_F(NetworkTest, KeepsTheOrderOfAResourceAndOfASenderOnly) {
  for (const bool delays : {false, true}) {
    if (delays) faults_ = {ChoiceKind::kMessageDelay};
    RandomWalk walk(1);
    uint64_t overtakings = 0;
    bool resources_reordered = false;
    for (int run = 0; run < 300; ++run) {
      const RunEnd end = Exchange(walk, 3, [&] { overtakings += cluster().network().overtakings(); });
      ASSERT_EQ(end.kind, RunEndKind::kCompleted);
      ASSERT_EQ(received_.size(), 12u);
      ASSERT_TRUE(InOrderWithinEachChannel());
      int latest = 0;
      for (const Delivery& delivery : received_) {
        resources_reordered |= delivery.from == kN1 && delivery.message.mode < latest;
        if (delivery.from == kN1) latest = std::max(latest, delivery.message.mode);
      }
    }
    EXPECT_GT(overtakings, 0u);
    EXPECT_TRUE(resources_reordered);
  }
}

TEST_F(NetworkTest, TheQuietChoiceIsTheOrderOfSending) {
  QuietSource quiet;
  faults_ = {ChoiceKind::kMessageDelay};
  Exchange(quiet, 3, [&] { EXPECT_EQ(cluster().network().overtakings(), 0u); });
  EXPECT_TRUE(InOrderWithinEachChannel());
}

TEST_F(NetworkTest, ADelayLetsLaterMessagesOfOthersArriveFirst) {
  RandomWalk walk(2);
  const auto longest = [&] {
    int64_t longest_ns = 0;
    for (int run = 0; run < 50; ++run) {
      Exchange(walk, 1, [&] { longest_ns = std::max(longest_ns, scheduler().now_ns()); });
    }
    return longest_ns;
  };
  const int64_t without = longest();
  faults_ = {ChoiceKind::kMessageDelay};
  EXPECT_GT(longest(), without + 100 * kStepNs);
}

TEST_F(NetworkTest, WhatADeadNodeSentOrWasToReceiveIsLost) {
  QuietSource quiet;
  received_.clear();
  Run(quiet, [&] {
    cluster().set_receiver([this](const Delivery& delivery) { received_.push_back(delivery); });
    cluster().Spawn(kN2, "killer", [&] {
      cluster().network().Send(kN1, kN2, {.resource = ResourceId{1}});
      cluster().network().Send(kN3, kN1, {.resource = ResourceId{2}});
      cluster().network().Send(kN3, kN2, {.resource = ResourceId{3}});
      cluster().Kill(kN1);
      cluster().Send(kN2, kN1, {.resource = ResourceId{4}});
      Settle();
    });
  });
  ASSERT_EQ(received_.size(), 1u);
  EXPECT_EQ(received_[0].message.resource, ResourceId{3});
}

// --- death ---

class DeathTest : public ClusterTest {
 protected:
  void SetUp() override { cluster_options_.nodes = 3; }
};

TEST_F(DeathTest, TasksOfADeadNodeNeverRunAgainAndOthersGoOn) {
  RandomWalk walk(3);
  for (int run = 0; run < 200; ++run) {
    bool dead = false;
    int ran_after_death = 0;
    int others = 0;
    const RunEnd end = Run(walk, [&] {
      for (int i = 0; i < 2; ++i) {
        cluster().Spawn(kN1, "victim", [&] {
          for (int step = 0; step < 20; ++step) {
            Pause();
            ran_after_death += dead;
          }
          scheduler().Block({.kind = OperationKind::kWait});
        });
      }
      cluster().Spawn(kN2, "killer", [&] {
        Pause(5);
        dead = true;
        cluster().Kill(kN1);
        cluster().Kill(kN1);
        ++others;
      });
      cluster().Spawn(kN3, "other", [&] {
        Pause(30);
        ++others;
      });
    });
    ASSERT_EQ(end.kind, RunEndKind::kCompleted) << "the run does not wait for the dead";
    ASSERT_EQ(ran_after_death, 0);
    ASSERT_EQ(others, 2);
  }
}

TEST_F(DeathTest, ATaskThatKillsItsOwnNodeDoesNotReturn) {
  QuietSource quiet;
  bool returned = false;
  bool other = false;
  const RunEnd end = Run(quiet, [&] {
    cluster().Spawn(kN1, "suicide", [&] {
      cluster().Kill(kN1);
      returned = true;
    });
    cluster().Spawn(kN2, "other", [&] {
      Pause(3);
      other = true;
    });
  });
  EXPECT_EQ(end.kind, RunEndKind::kCompleted);
  EXPECT_FALSE(returned);
  EXPECT_TRUE(other);
}

TEST_F(DeathTest, TheRunIsOverWhenTheLastForegroundTaskDies) {
  QuietSource quiet;
  const RunEnd end = Run(quiet, [&] {
    cluster().Spawn(kN1, "blocked", [&] { scheduler().Block({.kind = OperationKind::kWait}); });
    cluster().Spawn(kN2, "killer", [&] { cluster().Kill(kN1); }, TaskKind::kDaemon);
  });
  EXPECT_EQ(end.kind, RunEndKind::kCompleted);
}

TEST_F(DeathTest, IsAChoiceOnlyWhenTheFaultIsOnAndLeavesTheOthersAlive) {
  RandomWalk walk(4);
  for (const bool on : {false, true}) {
    if (on) faults_ = {ChoiceKind::kNodeDeath};
    int deaths = 0;
    for (int run = 0; run < 100; ++run) {
      Run(
          walk,
          [&] {
            cluster().set_receiver([](const Delivery&) {});
            for (const NodeId node : {kN1, kN2}) {
              cluster().Spawn(node, "sender", [&, node] {
                for (int i = 0; i < 3; ++i) cluster().Send(node, kN3, {});
                Settle();
              });
            }
          },
          [&] { deaths += 3 - cluster().alive_nodes(); });
    }
    EXPECT_LE(deaths, 100) << "deaths_max is one a run";
    EXPECT_EQ(deaths > 30, on);
  }
}

TEST_F(DeathTest, NamesSayTheNode) {
  QuietSource quiet;
  Run(quiet, [&] {
    const TaskId reader = cluster().Spawn(kN2, "reader", [] {});
    EXPECT_EQ(cluster().TaskName(reader), "node 2 reader");
    EXPECT_EQ(cluster().TaskName(TaskId{0}), "node 1 dlm");
    EXPECT_EQ(cluster().NodeOf(reader), kN2);
    EXPECT_EQ(cluster().current_node(), kNoNode);
  });
}

}  // namespace
}  // namespace ordeal
