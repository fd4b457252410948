// A fixture that collects what the process's validator finds while a test runs.
//
// Thread-safety: the handler may run on any thread; the rest is the test's thread's.
// Example:
//   class MutexTest : public FindingsTest {};
//   TEST_F(MutexTest, ...) { ...; EXPECT_THAT(Found(), ElementsAre("circular: a > b")); }
#ifndef ORDEAL_LOCKDEP_LOCKS_FINDINGS_FOR_TEST_H_
#define ORDEAL_LOCKDEP_LOCKS_FINDINGS_FOR_TEST_H_

#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lockdep/locks/locks.h"
#include "lockdep/runtime/violation.h"

namespace ordeal::lockdep {

class FindingsTest : public testing::Test {
 protected:
  FindingsTest() {
    SetValidation(true);
    SetViolationHandler([this](const Violation& violation) {
      const std::lock_guard<std::mutex> lock(mutex_);
      violations_.push_back(violation);
    });
  }
  ~FindingsTest() override {
    SetViolationHandler(nullptr);
    SetValidation(true);
  }

  // Signatures so far, in order of detection; forgets them.
  std::vector<std::string> Found() {
    std::vector<std::string> signatures;
    for (const Violation& violation : Violations()) signatures.push_back(violation.signature);
    return signatures;
  }
  std::vector<Violation> Violations() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return std::exchange(violations_, {});
  }
  // Each body in a thread of its own, one thread behind another: what they do cannot deadlock this time.
  static void InTurn(const std::vector<std::function<void()>>& bodies) {
    for (const auto& body : bodies) std::thread(body).join();
  }
  static void Together(const std::vector<std::function<void()>>& bodies) {
    std::vector<std::thread> threads;
    for (const auto& body : bodies) threads.emplace_back(body);
    for (std::thread& thread : threads) thread.join();
  }

 private:
  std::mutex mutex_;
  std::vector<Violation> violations_;
};

}  // namespace ordeal::lockdep

#endif  // ORDEAL_LOCKDEP_LOCKS_FINDINGS_FOR_TEST_H_
