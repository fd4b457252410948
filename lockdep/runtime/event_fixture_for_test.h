// What the tests of events share: three tasks whose acquisitions are remembered, two locks, three events.
//
// Thread-safety: none.
// Example:       class WindowTest : public EventFixture {};   TEST_F(WindowTest, ...) { Visit(one_, a_); e_.Trigger(one_); }
#ifndef ORDEAL_LOCKDEP_RUNTIME_EVENT_FIXTURE_FOR_TEST_H_
#define ORDEAL_LOCKDEP_RUNTIME_EVENT_FIXTURE_FOR_TEST_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "lockdep/runtime/event.h"

namespace ordeal::lockdep {

class EventFixture : public ::testing::Test {
 protected:
  EventFixture() {
    for (TaskContext* task : {&one_, &two_, &three_}) {
      validator_.Attach(*task);
      validator_.RememberAcquisitions(*task);
    }
  }
  ~EventFixture() override {
    for (TaskContext* task : {&one_, &two_, &three_}) validator_.Detach(*task);
  }

  LockMap Lock(const char* name) { return validator_.NewMap(validator_.RegisterClass(name), name); }
  LockClassId EventClass(const char* name) { return validator_.RegisterClass(name, {.is_event = true}); }
  void Take(TaskContext& task, const LockMap& lock, Mode mode = Mode::kExclusive, Site site = Site::Here()) {
    validator_.Acquire(task, lock, mode, {.site = site});
  }
  void Drop(TaskContext& task, const LockMap& lock) { validator_.Release(task, lock); }
  // Takes and drops.
  void Visit(TaskContext& task, const LockMap& lock, Site site = Site::Here()) {
    Take(task, lock, Mode::kExclusive, site);
    Drop(task, lock);
  }
  // A wait that returned.
  static void Await(TaskContext& task, Event& event, Site site = Site::Here()) {
    event.BeginWait(task, site);
    event.EndWait(task);
  }
  // The next run.
  void SetUpAgain() {
    validator_.BeginRun();
    one_.Reset("one", 1);
    two_.Reset("two", 2);
    three_.Reset("three", 3);
    for (TaskContext* task : {&one_, &two_, &three_}) validator_.RememberAcquisitions(*task);
  }
  std::vector<std::string> Found() const {
    std::vector<std::string> signatures;
    for (const Violation& violation : validator_.violations()) signatures.push_back(violation.signature);
    return signatures;
  }

  Validator validator_;
  TaskContext one_{"one", 1};
  TaskContext two_{"two", 2};
  TaskContext three_{"three", 3};
  LockMap a_ = Lock("A");
  LockMap b_ = Lock("B");
  Event e_{validator_, EventClass("E"), "e"};
  Event f_{validator_, EventClass("F"), "f"};
  Event g_{validator_, EventClass("G"), "g"};
};

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_RUNTIME_EVENT_FIXTURE_FOR_TEST_H_
