// For tests: which lock was taken under which, as the validator's graph has it after runs.
//
// Thread-safety: none.
// Example:
//   LockOrders orders;
//   ... AddOrders(sim.validator(), &orders) after each run ...
//   ExpectOrder(orders, "i_rwsem", "mmap_lock");  // that way, and never the other
#ifndef ORDEAL_HARNESS_FILESYSTEMS_LOCK_ORDERS_FOR_TEST_H_
#define ORDEAL_HARNESS_FILESYSTEMS_LOCK_ORDERS_FOR_TEST_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "lockdep/runtime/validator.h"

namespace ordeal {

using LockOrders = std::set<std::string>;  // "a > b"

inline void AddOrders(const lockdep::Validator& validator, LockOrders* orders) {
  for (uint32_t i = 0; i < validator.graph().size(); ++i) {
    const lockdep::Edge& edge = validator.graph().edge(lockdep::EdgeId{i});
    orders->insert(validator.classes().NodeName(edge.from) + " > " + validator.classes().NodeName(edge.to));
  }
}

inline void ExpectOrder(const LockOrders& orders, const std::string& first, const std::string& second) {
  EXPECT_THAT(orders, ::testing::Contains(first + " > " + second));
  EXPECT_THAT(orders, ::testing::Not(::testing::Contains(second + " > " + first)));
}

}  // namespace ordeal

#endif  // ORDEAL_HARNESS_FILESYSTEMS_LOCK_ORDERS_FOR_TEST_H_
