// The lock order that the README promises, as it shows in the validator's graph after many mixes; the clean protocol survives
// mixes of all operations.
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "harness/filesystems/bcachefs/bcachefs.h"
#include "harness/filesystems/lock_orders_for_test.h"
#include "harness/filesystems/trial.h"

namespace ordeal {
namespace {

constexpr char kRepaired[] = "bcachefs-repaired";

// "a > b" for every dependency of every run. What leads to or from a state of pagecache_lock carries its name alone; the
// acquirer's state is the edge's `to`, the holder's is the one that makes `from` wait.
LockOrders OrdersOf(const char* filesystem) {
  LockOrders orders;
  for (uint64_t mix = 0; mix < 60; ++mix) {
    Trial trial(filesystem);
    trial.files = {8, 6};
    trial.options.memory_folios = 12;
    trial.options.fault_around = mix % 2 == 0;
    trial.DrawTasks(mix, 3, 3);
    const TrialVerdict verdict = trial.Run(20, mix);
    EXPECT_EQ(verdict.finding, "") << "mix " << mix << "\n" << verdict.details;
    AddOrders(trial.sim().validator(), &orders);
  }
  return orders;
}

TEST(BcachefsTest, LockOrderOfTheRepairedProtocol) {
  const LockOrders orders = OrdersOf(kRepaired);
  ExpectOrder(orders, "i_rwsem", "pagecache_lock");
  ExpectOrder(orders, "i_rwsem", "mmap_lock");
  ExpectOrder(orders, "i_rwsem", "inode_dio");
  ExpectOrder(orders, "pagecache_lock", "mmap_lock");
  ExpectOrder(orders, "pagecache_lock", "folio_lock");
  ExpectOrder(orders, "pagecache_lock", "i_data_sem");
  ExpectOrder(orders, "mmap_lock", "folio_lock");
  ExpectOrder(orders, "folio_lock", "i_data_sem");
  for (const std::string& order : orders) EXPECT_EQ(order.find("invalidate_lock"), std::string::npos) << order;
}

TEST(BcachefsTest, TheRepairedProtocolSurvivesMixes) {
  for (uint64_t mix = 0; mix < 200; ++mix) {
    Trial trial(kRepaired);
    trial.files = {8, 6};
    trial.options.memory_folios = 4 + 4 * (mix % 2);
    trial.options.kswapd = mix % 3 == 0;
    trial.options.fault_around = mix % 4 == 0;
    trial.options.steal = mix % 5 == 0 ? StealRule::kLegal : StealRule::kNever;
    if (mix % 2 == 1) trial.options.faults = {ChoiceKind::kAllocation, ChoiceKind::kIoError, ChoiceKind::kIoDelay};
    trial.DrawTasks(mix, mix % 7 == 0 ? 5 : 3, 3);
    const TrialVerdict verdict = trial.Run(25, mix);
    ASSERT_EQ(verdict.finding, "") << "mix " << mix << ", schedule " << verdict.first << "\n" << verdict.details;
  }
}

// What the protocol as merged is known for, and nothing about data.
TEST(BcachefsTest, TheMergedProtocolOnlyDeadlocks) {
  int found = 0;
  for (uint64_t mix = 0; mix < 100; ++mix) {
    Trial trial("bcachefs");
    trial.files = {8, 6};
    trial.DrawTasks(mix, 3, 3);
    const TrialVerdict verdict = trial.Run(25, mix);
    if (verdict.finding.empty()) continue;
    ++found;
    EXPECT_TRUE(verdict.finding == "deadlock" || verdict.finding == "lock-order")
        << "mix " << mix << ": " << verdict.finding << "\n" << verdict.details;
  }
  EXPECT_GT(found, 0);
}

}  // namespace
}  // namespace ordeal
