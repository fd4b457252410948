// What tests of the validator's rules share: one task, four locks of four classes, and the kinds of what was reported.
//
// Thread-safety: one thread.
// Example:       class ClassRulesTest : public ValidatorFixture {};   TEST_F(ClassRulesTest, ...) { Nest({&a_, &b_}); }
#ifndef ORDEAL_LOCKDEP_RUNTIME_VALIDATOR_FIXTURE_FOR_TEST_H_
#define ORDEAL_LOCKDEP_RUNTIME_VALIDATOR_FIXTURE_FOR_TEST_H_

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "lockdep/runtime/validator.h"

namespace ordeal::lockdep {

struct ValidatorFixture : ::testing::Test {
  LockMap Map(const std::string& name, LockClassOptions rules = {}, uint64_t order_key = 0) {
    return validator_.NewMap(validator_.RegisterClass(name, rules), "", 0, order_key);
  }
  void Lock(const LockMap& map, Mode mode = Mode::kExclusive) { validator_.Acquire(task_, map, mode, {}); }
  void Try(const LockMap& map) { validator_.Acquire(task_, map, Mode::kExclusive, {.trylock = true}); }
  void Under(const LockMap& nest, const LockMap& map) { validator_.Acquire(task_, map, Mode::kExclusive, {.nest = &nest}); }
  void Unlock(const LockMap& map) { validator_.Release(task_, map); }
  // Takes all in this order, then releases all.
  void Nest(const std::vector<const LockMap*>& maps) {
    for (const LockMap* map : maps) Lock(*map);
    for (size_t i = maps.size(); i-- > 0;) Unlock(*maps[i]);
  }
  void UnlockAll() {
    while (!task_.held().empty()) validator_.Release(task_, *task_.held().back().map);
  }
  std::vector<std::string> Kinds() const {
    std::vector<std::string> kinds;
    for (const Violation& violation : validator_.violations()) kinds.push_back(violation.KindText());
    return kinds;
  }

  Validator validator_;
  TaskContext task_{"task", 1};
  LockMap a_ = Map("A");
  LockMap b_ = Map("B");
  LockMap c_ = Map("C");
  LockMap d_ = Map("D");
};

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_RUNTIME_VALIDATOR_FIXTURE_FOR_TEST_H_
